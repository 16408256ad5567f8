"""One more rule that looks through the log: somebody came to a planted record."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BEFORE = (
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
ADDED = "honey-record"


def _rules(*rules: str) -> None:
    listed = ", ".join(f"'{each}'" for each in rules)
    op.drop_constraint(op.f("ck_signal_rule"), "signal", schema="audit")
    op.create_check_constraint(op.f("ck_signal_rule"), "signal", f"rule IN ({listed})", schema="audit")


def upgrade() -> None:
    _rules(*BEFORE, ADDED)


def downgrade() -> None:
    # What rules found can be computed again; this one no longer.
    op.execute("DELETE FROM audit.signal WHERE rule = 'honey-record'")
    _rules(*BEFORE)
