"""Each rule of the signals advances by itself, and finds what it looks back at by an index.

A rule that has not begun has no row; those that were there have looked as far as all of them had.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

RULES = (
    "off-hours",
    "no-case-relation",
    "volume",
    "sequential-ids",
    "denied-then-allowed",
    "after-withdrawal",
    "break-glass",
    "repeated-break-glass",
    "colleague-list",
    "dormant-client",
    "honey-record",
)


def _progress(*shape: sa.schema.SchemaItem, rights: str, comment: str) -> sa.Table:
    op.drop_table("signal_state", schema="audit")
    made = op.create_table(
        "signal_state", *shape, sa.Column("size", sa.BigInteger(), nullable=False), schema="audit", comment=comment
    )
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT {rights} ON audit.signal_state TO {role}")
    return made


def upgrade() -> None:
    size = op.get_bind().scalar(sa.text("SELECT size FROM audit.signal_state"))
    made = _progress(
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_signal_state")),
        rights="SELECT, INSERT, UPDATE, DELETE",
        comment="Up to which size of the log each rule has looked; without a row, it has not begun.",
    )
    op.bulk_insert(made, [{"rule": each, "size": size} for each in RULES])
    op.drop_index("ix_projection_withdrawals", "projection", schema="audit")
    op.create_index(
        "ix_projection_emergencies",
        "projection",
        ["client", "index"],
        schema="audit",
        postgresql_where=sa.text("action = 'emergencies.declare'"),
    )
    op.create_index("ix_projection_person_index", "projection_person", ["index"], schema="audit")


def downgrade() -> None:
    op.drop_index("ix_projection_person_index", "projection_person", schema="audit")
    op.drop_index("ix_projection_emergencies", "projection", schema="audit")
    op.create_index(
        "ix_projection_withdrawals",
        "projection",
        ["index"],
        schema="audit",
        postgresql_where=sa.text("action = 'consents.withdraw'"),
    )
    size = op.get_bind().scalar(sa.text("SELECT coalesce(min(size), 0) FROM audit.signal_state"))
    made = _progress(
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_signal_state_only_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_signal_state")),
        rights="SELECT, UPDATE",
        comment="Up to which size of the log the rules have looked. One row, which is the lock of who looks.",
    )
    op.bulk_insert(made, [{"one": 1, "size": size}])
