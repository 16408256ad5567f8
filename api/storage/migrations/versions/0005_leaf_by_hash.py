"""An index on leaf hashes: who keeps a receipt knows nothing else of the entry that it promises.

A hash index, because only equality is ever asked of these 32 random bytes.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_leaf_leaf_hash", "leaf", ["leaf_hash"], schema="audit", postgresql_using="hash")


def downgrade() -> None:
    op.drop_index("ix_leaf_leaf_hash", table_name="leaf", schema="audit")
