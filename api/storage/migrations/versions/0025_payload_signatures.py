"""Which keys sign the payloads of a client, which payloads an organisation signs, and what was signed, sealed."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ORGANISATION = (
    "The parties of the exchange. designation_*: Aliens Act 2000 article 107(8), with its source. "
    "signing_jwks: public keys that sign agreements for it."
)
ORGANISATION_AFTER = f"{ORGANISATION} signs: operations whose payload it always signs."
CLIENT = (
    "Machine clients. epoch counts the changes of the row and of its organisation. jwks_uri: where its keys stand; "
    "then jwks are those that were found there last. keys_since: when they last changed. "
    "encryption_jwk: what its answers are sealed to."
)
CLIENT_AFTER = f"{CLIENT} payload_jwks: what signs the payloads that it sends."
DEEDS = "deed IN ('organisation', 'client', 'designation', 'operator', 'provider')"
DEEDS_AFTER = f"{DEEDS[:-1]}, 'payload-keys', 'payload-signatures')"


def upgrade() -> None:
    op.add_column(
        "organisation",
        sa.Column("signs", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        schema="oauth",
    )
    op.create_check_constraint(
        op.f("ck_organisation_signs"),
        "organisation",
        "signs <@ ARRAY['screening-outcomes.share', 'advice.give']",
        schema="oauth",
    )
    op.create_table_comment("organisation", ORGANISATION_AFTER, existing_comment=ORGANISATION, schema="oauth")
    op.add_column("client", sa.Column("payload_jwks", sa.Text()), schema="oauth")
    op.create_table_comment("client", CLIENT_AFTER, existing_comment=CLIENT, schema="oauth")
    op.drop_constraint(op.f("ck_proposal_deed"), "proposal", schema="oauth")
    op.create_check_constraint(op.f("ck_proposal_deed"), "proposal", DEEDS_AFTER, schema="oauth")
    op.create_table(
        "signed_payload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "operation IN ('screening-outcomes.share', 'advice.give')", name=op.f("ck_signed_payload_operation")
        ),
        sa.CheckConstraint(
            "get_byte(content, 0) = 225 AND octet_length(content) >= 32", name=op.f("ck_signed_payload_content_sealed")
        ),
        sa.CheckConstraint("octet_length(seal) = 32", name=op.f("ck_signed_payload_seal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signed_payload")),
        schema="exchange",
        comment="What was sent with a signature, byte by byte, beside what was made of it: the row of the same id.",
    )
    op.create_index(op.f("ix_signed_payload_person_id"), "signed_payload", ["person_id"], schema="exchange")
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT ON exchange.signed_payload TO {application}")


def downgrade() -> None:
    op.drop_table("signed_payload", schema="exchange")
    op.execute("DELETE FROM oauth.proposal WHERE deed IN ('payload-keys', 'payload-signatures')")
    op.drop_constraint(op.f("ck_proposal_deed"), "proposal", schema="oauth")
    op.create_check_constraint(op.f("ck_proposal_deed"), "proposal", DEEDS, schema="oauth")
    op.create_table_comment("client", CLIENT, existing_comment=CLIENT_AFTER, schema="oauth")
    op.drop_column("client", "payload_jwks", schema="oauth")
    op.create_table_comment("organisation", ORGANISATION, existing_comment=ORGANISATION_AFTER, schema="oauth")
    op.drop_column("organisation", "signs", schema="oauth")
