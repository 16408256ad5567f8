"""The words of an entry are found by one index: each index more was two microseconds of every entry's way into the log."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NAME = "ix_projection_words"
LISTS = ("grounds", "categories", "withheld")
WORDS = sa.text(
    "array_to_tsvector(array_remove(array_remove(ARRAY[action, kind, actor, purpose, organisation::text], NULL), ''))"
)
WITHDRAWALS = "ix_projection_withdrawals"
WITHDRAWN = "action = 'consents.withdraw'"
ALONE = ("organisation", "action", "kind", "purpose", "actor")
ONLY = {name: f"{name} IS NOT NULL" for name in ("purpose", "actor")}


def upgrade() -> None:
    op.drop_index(NAME, table_name="projection", schema="audit")
    op.create_index(NAME, "projection", [WORDS, *LISTS], schema="audit", postgresql_using="gin")
    for name in ALONE:
        op.drop_index(f"ix_projection_{name}_index", table_name="projection", schema="audit")
    op.create_index(WITHDRAWALS, "projection", ["index"], schema="audit", postgresql_where=sa.text(WITHDRAWN))


def downgrade() -> None:
    op.drop_index(WITHDRAWALS, table_name="projection", schema="audit")
    for name in ALONE:
        on = sa.text(ONLY[name]) if name in ONLY else None
        op.create_index(
            f"ix_projection_{name}_index", "projection", [name, "index"], schema="audit", postgresql_where=on
        )
    op.drop_index(NAME, table_name="projection", schema="audit")
    op.create_index(NAME, "projection", list(LISTS), schema="audit", postgresql_using="gin")
