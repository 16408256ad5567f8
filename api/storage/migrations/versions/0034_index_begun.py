"""A version of the V-number index stands in the table from when whoever is new is stored under it."""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

BEGUN = "Versions of the V-number index that whoever is new is stored under since, the newest of them now. A trigger on person refuses those before, so that nobody is stored where others look no more, or twice."
ALONE = "Versions of the V-number index that were the only one since. A trigger on person refuses those before: who still computes under such a key would store a person whom nobody finds."


def upgrade() -> None:
    op.create_table_comment("index_version", BEGUN, existing_comment=ALONE, schema="keys")


def downgrade() -> None:
    op.create_table_comment("index_version", ALONE, existing_comment=BEGUN, schema="keys")
