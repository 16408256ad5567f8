"""The public key that a client has its answers sealed to."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BEFORE = (
    "Machine clients. epoch counts the changes of the row and of its organisation. jwks_uri: where its keys stand; "
    "then jwks are those that were found there last. keys_since: when they last changed."
)
AFTER = f"{BEFORE} encryption_jwk: what its answers are sealed to."


def upgrade() -> None:
    op.add_column("client", sa.Column("encryption_jwk", sa.Text()), schema="oauth")
    op.create_table_comment("client", AFTER, existing_comment=BEFORE, schema="oauth")


def downgrade() -> None:
    op.create_table_comment("client", BEFORE, existing_comment=AFTER, schema="oauth")
    op.drop_column("client", "encryption_jwk", schema="oauth")
