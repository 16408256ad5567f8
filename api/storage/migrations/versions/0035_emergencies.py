"""Emergencies (noodprocedure): what was declared, what two people found of it; the purpose, and the rule that rings."""

import sqlalchemy as sa
from alembic import context, op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

PURPOSES = (
    "admission",
    "legal-screening",
    "residence-advice",
    "return-advice",
    "identity-advice",
    "case-meeting",
    "escalation",
    "subject-access",
    "audit-review",
    "emergency",
    "enforcement",
)
OF_A_PURPOSE = (
    ("agreement_rule", "consent"),
    ("consent", "consent"),
    ("advice_request", "exchange"),
    ("dossier_request", "exchange"),
)
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


def _take(table: str, schema: str, column: str, words: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{each}'" for each in words)
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, schema=schema)
    op.create_check_constraint(name, table, f"{column} IN ({listed})", schema=schema)


def upgrade() -> None:
    for table, schema in OF_A_PURPOSE:
        _take(table, schema, "purpose", PURPOSES)
    _take("signal", "audit", "rule", RULES)
    op.create_table(
        "emergency",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("declared_at < until_at", name=op.f("ck_emergency_lasts")),
        sa.CheckConstraint("ended_at BETWEEN declared_at AND until_at", name=op.f("ck_emergency_ended")),
        sa.CheckConstraint(
            "reason IN ('unconscious', 'acute-medical', 'acute-psychiatric', 'missing-in-danger')",
            name=op.f("ck_emergency_reason"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["exchange.case.id"], name=op.f("fk_emergency_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency")),
        schema="exchange",
        comment="That an organisation declared that a person cannot consent while their life is in danger. No free text.",
    )
    op.create_index(
        "ix_emergency_case_id_organisation_id",
        "emergency",
        ["case_id", "organisation_id", "declared_at"],
        schema="exchange",
    )
    op.create_table(
        "emergency_review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("emergency_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("outcome IN ('justified', 'unclear', 'breach')", name=op.f("ck_emergency_review_outcome")),
        sa.ForeignKeyConstraint(
            ["emergency_id"], ["exchange.emergency.id"], name=op.f("fk_emergency_review_emergency_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_review")),
        sa.UniqueConstraint("emergency_id", "organisation_id", "reviewer", name=op.f("uq_emergency_review_reviewer")),
        schema="exchange",
        comment="What people of supervision found of an emergency: two of them, and nobody twice.",
    )
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE (ended_at) ON exchange.emergency TO {role}")
    op.execute(f"GRANT SELECT, INSERT ON exchange.emergency_review TO {role}")


def downgrade() -> None:
    op.drop_table("emergency_review", schema="exchange")
    op.drop_table("emergency", schema="exchange")
    # What rules found can be computed again; this one no longer.
    op.execute("DELETE FROM audit.signal WHERE rule = 'break-glass'")
    _take("signal", "audit", "rule", tuple(each for each in RULES if each != "break-glass"))
    # Fails where a person was asked about emergencies: the release before could not read what they said.
    for table, schema in OF_A_PURPOSE:
        _take(table, schema, "purpose", tuple(each for each in PURPOSES if each != "emergency"))
