"""An emergency stays as it was declared, ends once, and names nobody any more when the person is erased.

What was found of one is never changed either.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

DECLARED = "id, case_id, organisation_id, reason, client, declared_at, until_at"
FACTS = """
CREATE TRIGGER append_only BEFORE UPDATE {columns}OR DELETE OR TRUNCATE ON exchange.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()
"""
# It ends once. What names somebody is not replaced: it goes when the person is erased.
ONCE = """
CREATE TRIGGER once BEFORE UPDATE ON exchange.emergency FOR EACH ROW
    WHEN (NEW.ended_at IS DISTINCT FROM OLD.ended_at AND OLD.ended_at IS NOT NULL
        OR NEW.reference <> OLD.reference OR NEW.reference IS NOT NULL AND OLD.reference IS NULL
        OR NEW.actor <> OLD.actor OR NEW.actor IS NOT NULL AND OLD.actor IS NULL)
    EXECUTE FUNCTION audit.refuse_rewriting()
"""
TRIGGERS = (("emergency", "append_only"), ("emergency", "once"), ("emergency_review", "append_only"))
NAMING = ("reference", "actor")
COMMENT = "That an organisation declared that a person cannot consent while their life is in danger. No free text."


def _role() -> str:
    return str(op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"]))


def upgrade() -> None:
    for each in NAMING:
        op.alter_column("emergency", each, existing_type=sa.Text(), nullable=True, schema="exchange")
    op.create_check_constraint(
        op.f("ck_emergency_named"), "emergency", "(reference IS NULL) = (actor IS NULL)", schema="exchange"
    )
    # Whoever was erased before this release.
    op.execute(
        'UPDATE exchange.emergency SET reference = NULL, actor = NULL FROM exchange."case" c'
        " JOIN exchange.person p ON p.id = c.person_id WHERE c.id = emergency.case_id AND p.erased_at IS NOT NULL"
    )
    op.create_table_comment(
        "emergency",
        f"{COMMENT} Reference and actor go when the person is erased.",
        existing_comment=COMMENT,
        schema="exchange",
    )
    op.execute(f"GRANT UPDATE (reference, actor) ON exchange.emergency TO {_role()}")
    op.execute(FACTS.format(table="emergency", columns=f"OF {DECLARED} "))
    op.execute(FACTS.format(table="emergency_review", columns=""))
    op.execute(ONCE)
    # ALWAYS: also for a session that calls itself a replica.
    for table, trigger in TRIGGERS:
        op.execute(f"ALTER TABLE exchange.{table} ENABLE ALWAYS TRIGGER {trigger}")


def downgrade() -> None:
    for table, trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON exchange.{table}")
    op.execute(f"REVOKE UPDATE (reference, actor) ON exchange.emergency FROM {_role()}")
    op.drop_constraint(op.f("ck_emergency_named"), "emergency", schema="exchange")
    op.create_table_comment("emergency", COMMENT, schema="exchange")
    op.execute("UPDATE exchange.emergency SET reference = '', actor = '' WHERE reference IS NULL")
    for each in NAMING:
        op.alter_column("emergency", each, existing_type=sa.Text(), nullable=False, schema="exchange")
