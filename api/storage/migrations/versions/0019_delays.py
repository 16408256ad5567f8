"""Delays: which disclosures a person does not get to see yet; and the scope of who decides on them."""

import sqlalchemy as sa
from alembic import context, op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

GROUNDS = (
    "national-security",
    "defence",
    "public-security",
    "criminal-investigation",
    "general-interest",
    "judicial-independence",
    "professional-ethics",
    "oversight",
    "protection-of-others",
    "civil-claims",
)
SCOPES = (
    "cases:read",
    "cases:write",
    "consents:read",
    "consents:write",
    "agreements:read",
    "agreements:write",
    "dossier-requests:read",
    "dossier-requests:write",
    "dossiers:read",
    "dossiers:write",
    "screening-outcomes:read",
    "screening-outcomes:write",
    "advice:read",
    "advice:write",
    "advice-requests:read",
    "advice-requests:write",
    "meetings:read",
    "meetings:write",
    "events:read",
    "subscriptions:write",
    "statistics:read",
    "persons:read",
    "audit:read-own",
    "audit:read",
    "audit:write",
    "admin:write",
)


def _take(scopes: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{each}'" for each in scopes)
    op.drop_constraint(op.f("ck_client_scopes"), "client", schema="oauth")
    op.create_check_constraint(op.f("ck_client_scopes"), "client", f"scopes <@ ARRAY[{listed}]", schema="oauth")


def upgrade() -> None:
    _take(SCOPES)
    listed = ", ".join(f"'{each}'" for each in GROUNDS)
    op.create_table(
        "disclosure_delay",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reviewer_client", sa.Text(), nullable=True),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.CheckConstraint("until_at > decided_at", name=op.f("ck_disclosure_delay_ends")),
        sa.CheckConstraint("outcome IN ('upheld', 'lifted')", name=op.f("ck_disclosure_delay_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (reviewed_at IS NULL)", name=op.f("ck_disclosure_delay_reviewed")),
        sa.CheckConstraint(f"ground IN ({listed})", name=op.f("ck_disclosure_delay_ground")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosure_delay")),
        schema="exchange",
        comment="Until when an entry of the log stays out of the account of the person it is about. Not who that is.",
    )
    op.create_index("ix_disclosure_delay_index", "disclosure_delay", ["index"], schema="exchange")
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (outcome, reviewed_at, reviewer_client, reviewer)"
        f" ON exchange.disclosure_delay TO {role}"
    )


def downgrade() -> None:
    op.drop_table("disclosure_delay", schema="exchange")
    op.execute("UPDATE oauth.client SET scopes = array_remove(scopes, 'audit:write')")
    _take(tuple(each for each in SCOPES if each != "audit:write"))
