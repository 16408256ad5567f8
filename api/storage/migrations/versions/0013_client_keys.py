"""Where a client's keys stand and since when; and which keys sign access tokens."""

import sqlalchemy as sa
from alembic import context, op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CLIENTS = "Machine clients. epoch counts the changes of the row and of its organisation."
KEYS = (
    " jwks_uri: where its keys stand; then jwks are those that were found there last. "
    "keys_since: when they last changed."
)


def upgrade() -> None:
    op.add_column("client", sa.Column("jwks_uri", sa.Text()), schema="oauth")
    op.add_column("client", sa.Column("keys_since", sa.DateTime(timezone=True)), schema="oauth")
    op.execute("UPDATE oauth.client SET keys_since = created_at")
    op.alter_column("client", "keys_since", nullable=False, schema="oauth")
    op.create_table_comment("client", CLIENTS + KEYS, existing_comment=CLIENTS, schema="oauth")
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
        schema="oauth",
        comment="Ids of keys that sign access tokens, so that nobody serves with an old file of them. No keys.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT ON oauth.signing_key TO {application}")


def downgrade() -> None:
    op.drop_table("signing_key", schema="oauth")
    op.create_table_comment("client", CLIENTS, existing_comment=CLIENTS + KEYS, schema="oauth")
    op.drop_column("client", "keys_since", schema="oauth")
    op.drop_column("client", "jwks_uri", schema="oauth")
