"""Rights: what the application role may do, and which tables nobody may rewrite.

The application role owns nothing. It reads and adds; it changes and removes only where a use case does so. What is
append-only is so twice: by rights for the application, and by a trigger that stops the owner and a superuser too, until
they take the trigger away, which is an act that shows in the catalogue.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMAS = ("keys", "oauth", "consent", "exchange", "audit")

# Of every table that is not named below.
USUAL = "SELECT, INSERT"
CHANGES = "SELECT, INSERT, UPDATE"
MORE = {
    # Neither its number nor its transaction is the application's to say: an old one would never be put into the tree.
    "audit.entry": "SELECT, INSERT (leaf)",
    "consent.agreement_signature": "SELECT, INSERT, UPDATE (revoked_at)",
    "exchange.admission_check": CHANGES,
    "exchange.advice_request": CHANGES,
    "exchange.case": CHANGES,
    "exchange.dossier": CHANGES,
    "exchange.dossier_request": CHANGES,
    "exchange.dossier_section": CHANGES,
    "exchange.idempotency_key": "SELECT, INSERT, UPDATE, DELETE",
    "oauth.client": CHANGES,
    "oauth.organisation": CHANGES,
    "oauth.seen": "SELECT, INSERT, DELETE",
}
APPEND_ONLY = ("audit.entry", "audit.leaf", "audit.tile", "audit.checkpoint", "audit.verifier", "consent.consent_event")

REFUSE = """
CREATE FUNCTION audit.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = format('%I.%I is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME);
END $$
"""
# ALWAYS: also for a session that calls itself a replica.
GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only
"""


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])


def _tables() -> list[str]:
    asked = sa.text("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = ANY(:ours) ORDER BY 1")
    return list(op.get_bind().scalars(asked, {"ours": list(SCHEMAS)}))


def _quoted(table: str) -> str:
    schema, name = table.split(".")
    return f'{schema}."{name}"'


def upgrade() -> None:
    application = _application()
    op.execute(f"GRANT USAGE ON SCHEMA {', '.join(SCHEMAS)} TO {application}")
    # It may know which release the database is at: that decides whether it is ready.
    op.execute(f"GRANT SELECT ON public.alembic_version TO {application}")
    for table in _tables():
        op.execute(f"GRANT {MORE.get(table, USUAL)} ON {_quoted(table)} TO {application}")
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        for statement in GUARD.format(table=_quoted(table)).split(";"):
            op.execute(statement)


def downgrade() -> None:
    application = _application()
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only ON {_quoted(table)}")
    op.execute("DROP FUNCTION audit.refuse_rewriting()")
    for table in _tables():
        op.execute(f"REVOKE ALL ON {_quoted(table)} FROM {application}")
    op.execute(f"REVOKE ALL ON public.alembic_version FROM {application}")
    op.execute(f"REVOKE USAGE ON SCHEMA {', '.join(SCHEMAS)} FROM {application}")
