"""Beside a tile, the node over each sixteen of its hashes. Tiles that are there stay as they are: append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tile", sa.Column("middle", sa.LargeBinary), schema="audit")
    op.create_check_constraint(
        op.f("ck_tile_middle_length"), "tile", "octet_length(middle) = 32 * (width / 16)", schema="audit"
    )
    op.create_table_comment(
        "tile",
        "Tiles (C2SP tlog-tiles): every full one, and above level 0 every partial one that a checkpoint rests on. "
        "The partial tile of level 0 is not stored: its hashes are the last rows of audit.leaf. middle: the node over "
        "each sixteen hashes, which is computed from data; NULL of a tile that was stored before there was a middle.",
        schema="audit",
    )


def downgrade() -> None:
    op.create_table_comment(
        "tile",
        "Tiles (C2SP tlog-tiles): every full one, and above level 0 every partial one that a checkpoint rests on. "
        "The partial tile of level 0 is not stored: its hashes are the last rows of audit.leaf.",
        schema="audit",
    )
    op.drop_constraint(op.f("ck_tile_middle_length"), "tile", schema="audit")
    op.drop_column("tile", "middle", schema="audit")
