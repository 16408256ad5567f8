"""An answer of a person names the earlier answers that it takes the place of."""

import sqlalchemy as sa
from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consent.supersession
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting();
ALTER TABLE consent.supersession ENABLE ALWAYS TRIGGER append_only
"""


def upgrade() -> None:
    op.create_table(
        "supersession",
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("superseded_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_supersession_version")),
        sa.CheckConstraint("consent_id <> superseded_id", name=op.f("ck_supersession_another")),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.consent.id"], name=op.f("fk_supersession_consent_id")),
        sa.ForeignKeyConstraint(["superseded_id"], ["consent.consent.id"], name=op.f("fk_supersession_superseded_id")),
        sa.PrimaryKeyConstraint("consent_id", "superseded_id", name=op.f("pk_supersession")),
        schema="consent",
        comment="Append-only. An answer takes the place of an earlier one, as that stood at this version, for the categories that both are about.",
    )
    op.create_index(
        op.f("ix_supersession_superseded_id"), "supersession", ["superseded_id"], unique=False, schema="consent"
    )
    for statement in GUARD.split(";"):
        op.execute(statement)
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT ON consent.supersession TO {role}")


def downgrade() -> None:
    op.drop_table("supersession", schema="consent")
