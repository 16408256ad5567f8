"""Documents that were taken back: that they existed, and why they are gone."""

import sqlalchemy as sa
from alembic import context, op

from api.errors import Misconfigured

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

CATEGORIES = (
    "admission-facts",
    "identity",
    "contact",
    "whereabouts",
    "travel-documents",
    "procedure-history",
    "family",
    "return",
    "decisions",
    "hearings",
    "medical",
    "belief",
    "orientation",
    "ethnicity",
    "public-order",
    "detention",
)
KINDS = ("application/pdf", "image/jpeg", "image/png", "image/tiff", "text/plain")
REASONS = ("wrong-person", "wrong-document", "too-much")


def _one_of(name: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{each}'" for each in words)
    return sa.CheckConstraint(f"{name} IN ({listed})", name=op.f(f"ck_document_withdrawal_{name}"))


def upgrade() -> None:
    op.create_table(
        "document_withdrawal",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("dossier_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        _one_of("category", CATEGORIES),
        _one_of("media_type", KINDS),
        _one_of("reason", REASONS),
        sa.ForeignKeyConstraint(
            ["dossier_id"], ["exchange.dossier.id"], name=op.f("fk_document_withdrawal_dossier_id")
        ),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_document_withdrawal")),
        schema="exchange",
        comment="Documents that were taken back. What they said is gone, once no legal hold keeps it.",
    )
    op.create_index(op.f("ix_document_withdrawal_dossier_id"), "document_withdrawal", ["dossier_id"], schema="exchange")
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT ON exchange.document_withdrawal TO {role}")


KEPT = "SELECT EXISTS (SELECT FROM exchange.document d JOIN exchange.document_withdrawal w ON w.document_id = d.id)"
HELD = (
    "exchange.document holds documents that were withdrawn and that a legal hold keeps: the release before would list "
    "and hand them out again. Release the holds, let `ketenbrug work` run for a minute, and then take the release back. "
    "Nothing was changed."
)
UNKNOWN = "DELETE FROM exchange.event WHERE type = 'dossier.document-withdrawn'"
"""The release before cannot read that word, nor any page of the feed that has it."""


def downgrade() -> None:
    if op.get_bind().exec_driver_sql(KEPT).scalar():
        raise Misconfigured((HELD,))
    op.execute(UNKNOWN)
    op.drop_table("document_withdrawal", schema="exchange")
