"""More search columns, so that an auditor can ask by actor, kind, ground and category.

They hold nothing that the leaves do not: of entries that are in the tree already they stay NULL until they are read
from the leaves again (`ketenbrug audit reindex`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TEXTS = ("kind", "actor")
LISTS = ("grounds", "categories", "withheld")
PLAIN = ("client", "kind")
WHERE = {
    "actor": "actor IS NOT NULL",
    "purpose": "purpose IS NOT NULL",
    "reason": "reason IS NOT NULL",
    "result": "result <> 'permitted'",
}


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("projection", sa.Column(name, sa.Text()), schema="audit")
    for name in LISTS:
        op.add_column("projection", sa.Column(name, sa.ARRAY(sa.Text())), schema="audit")
    for name in PLAIN:
        op.create_index(f"ix_projection_{name}_index", "projection", [name, "index"], schema="audit")
    for name, where in WHERE.items():
        on = sa.text(where)
        op.create_index(
            f"ix_projection_{name}_index", "projection", [name, "index"], schema="audit", postgresql_where=on
        )
    op.create_index("ix_projection_request_id", "projection", ["request_id"], schema="audit", postgresql_using="hash")
    op.create_index("ix_projection_words", "projection", list(LISTS), schema="audit", postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_projection_words", table_name="projection", schema="audit")
    op.drop_index("ix_projection_request_id", table_name="projection", schema="audit")
    for name in (*PLAIN, *WHERE):
        op.drop_index(f"ix_projection_{name}_index", table_name="projection", schema="audit")
    for name in (*TEXTS, *LISTS):
        op.drop_column("projection", name, schema="audit")
