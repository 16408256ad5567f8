"""Signals: what fixed rules find in the log, what they count, and how far they have looked."""

import sqlalchemy as sa
from alembic import context, op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

RULES = (
    "off-hours",
    "no-case-relation",
    "volume",
    "sequential-ids",
    "denied-then-allowed",
    "after-withdrawal",
    "repeated-break-glass",
    "colleague-list",
    "dormant-client",
)


def upgrade() -> None:
    listed = ", ".join(f"'{each}'" for each in RULES)
    op.create_table(
        "signal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("figure", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"rule IN ({listed})", name=op.f("ck_signal_rule")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal")),
        sa.UniqueConstraint("rule", "index", name=op.f("uq_signal_rule_index")),
        schema="audit",
        comment="What a rule found at the entry of this index. Computed from the search columns; may be computed again.",
    )
    op.create_index("ix_signal_index", "signal", ["index"], schema="audit")
    op.create_index("ix_signal_at", "signal", ["at"], schema="audit")
    op.create_table(
        "signal_count",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("organisation", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "day", "organisation", "client", "actor", name=op.f("pk_signal_count")),
        schema="audit",
        comment="What the rules count by day (in Amsterdam). An actor that nobody named is the empty text.",
    )
    op.create_index("ix_signal_count_rule_kind_day", "signal_count", ["rule", "kind", "day"], schema="audit")
    op.create_table(
        "signal_state",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_signal_state_only_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_signal_state")),
        schema="audit",
        comment="Up to which size of the log the rules have looked. One row, which is the lock of who looks.",
    )
    op.execute("INSERT INTO audit.signal_state (one, size) VALUES (1, 0)")
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, DELETE ON audit.signal TO {role}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON audit.signal_count TO {role}")
    op.execute(f"GRANT SELECT, UPDATE ON audit.signal_state TO {role}")


def downgrade() -> None:
    for table in ("signal_state", "signal_count", "signal"):
        op.drop_table(table, schema="audit")
