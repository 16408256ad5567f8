"""A checkpoint keeps the roots of the full subtrees of its tree: nearly every proof ends in them."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

BEFORE = (
    "Signed heads of the tree. The key is the compare-and-swap of the sequencer: a size is signed once. "
    "generation, last_xid, last_id: the last entry that is in the tree."
)
AFTER = (
    f"{BEFORE} compact_range: the roots of the full subtrees that the tree falls into, from left to right; "
    "NULL where it was signed before they were kept."
)


def upgrade() -> None:
    op.add_column("checkpoint", sa.Column("compact_range", sa.LargeBinary), schema="audit")
    op.create_check_constraint(
        op.f("ck_checkpoint_compact_range_length"), "checkpoint", "octet_length(compact_range) % 32 = 0", schema="audit"
    )
    op.create_table_comment("checkpoint", AFTER, existing_comment=BEFORE, schema="audit")


def downgrade() -> None:
    op.create_table_comment("checkpoint", BEFORE, existing_comment=AFTER, schema="audit")
    op.drop_constraint(op.f("ck_checkpoint_compact_range_length"), "checkpoint", schema="audit")
    op.drop_column("checkpoint", "compact_range", schema="audit")
