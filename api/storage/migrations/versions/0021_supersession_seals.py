"""The seal of a row that says which earlier answer a later one takes the place of.

Such a row of before has no seal, and here is no key to make one: this revision takes an empty table or refuses.
"""

import sqlalchemy as sa
from alembic import op

from api.errors import Misconfigured

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLE = "supersession"
UNSEALED = (
    "consent.supersession holds rows that an earlier release wrote without row seals, which cannot be added here: stay "
    "on that release, or begin with an empty database and register anew. Nothing was changed."
)
GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE {columns}OR DELETE OR TRUNCATE ON consent.supersession
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()
"""
# Its facts are never rewritten; it is sealed anew when the person's key is replaced.
FACTS = "OF id, consent_id, superseded_id, version "


def _append_only(columns: str) -> None:
    op.execute("DROP TRIGGER append_only ON consent.supersession")
    op.execute(GUARD.format(columns=columns))
    op.execute("ALTER TABLE consent.supersession ENABLE ALWAYS TRIGGER append_only")


def upgrade() -> None:
    if op.get_bind().exec_driver_sql("SELECT EXISTS (SELECT FROM consent.supersession)").scalar():
        raise Misconfigured((UNSEALED,))
    op.add_column(TABLE, sa.Column("id", sa.Uuid(), nullable=False), schema="consent")
    op.add_column(TABLE, sa.Column("seal", sa.LargeBinary(), nullable=False), schema="consent")
    op.create_check_constraint(op.f("ck_supersession_seal"), TABLE, "octet_length(seal) = 32", schema="consent")
    op.drop_constraint(op.f("pk_supersession"), TABLE, schema="consent")
    op.create_primary_key(op.f("pk_supersession"), TABLE, ["id"], schema="consent")
    op.create_unique_constraint(
        op.f("uq_supersession_consent_id_superseded_id"), TABLE, ["consent_id", "superseded_id"], schema="consent"
    )
    _append_only(FACTS)


def downgrade() -> None:
    _append_only("")
    op.drop_constraint(op.f("uq_supersession_consent_id_superseded_id"), TABLE, schema="consent")
    op.drop_constraint(op.f("pk_supersession"), TABLE, schema="consent")
    op.create_primary_key(op.f("pk_supersession"), TABLE, ["consent_id", "superseded_id"], schema="consent")
    op.drop_constraint(op.f("ck_supersession_seal"), TABLE, schema="consent")
    op.drop_column(TABLE, "seal", schema="consent")
    op.drop_column(TABLE, "id", schema="consent")
