"""A client may prove itself by a certificate instead of keys (RFC 8705)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

BEFORE = (
    "Machine clients. epoch counts the changes of the row and of its organisation. jwks_uri: where its keys stand; "
    "then jwks are those that were found there last. keys_since: when they last changed. "
    "encryption_jwk: what its answers are sealed to. payload_jwks: what signs the payloads that it sends."
)
AFTER = (
    f"{BEFORE} certificates: null for who proves itself by keys; else it is by a certificate with the OIN of its "
    "organisation, and by one of these if there are any."
)
DEEDS = (
    "deed IN ('organisation', 'client', 'designation', 'operator', 'provider', 'payload-keys', 'payload-signatures'%s)"
)


def upgrade() -> None:
    op.add_column("client", sa.Column("certificates", postgresql.JSONB(none_as_null=True)), schema="oauth")
    op.create_check_constraint(
        op.f("ck_client_certificates"),
        "client",
        "certificates IS NULL OR (jwks = '[]' AND jwks_uri IS NULL)",
        schema="oauth",
    )
    op.create_table_comment("client", AFTER, existing_comment=BEFORE, schema="oauth")
    op.drop_constraint(op.f("ck_proposal_deed"), "proposal", schema="oauth")
    op.create_check_constraint(op.f("ck_proposal_deed"), "proposal", DEEDS % ", 'certificates'", schema="oauth")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_proposal_deed"), "proposal", schema="oauth")
    op.create_check_constraint(op.f("ck_proposal_deed"), "proposal", DEEDS % "", schema="oauth")
    op.create_table_comment("client", BEFORE, existing_comment=AFTER, schema="oauth")
    op.drop_constraint(op.f("ck_client_certificates"), "client", schema="oauth")
    op.drop_column("client", "certificates", schema="oauth")
