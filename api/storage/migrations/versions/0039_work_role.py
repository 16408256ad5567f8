"""A role of its own for `ketenbrug work`: it alone writes the log behind the entries, and removes what has expired.

It is a member of the application role, so that it reads and does all that the service does; the service has none of its
rights. Whoever has the credentials of the service appends entries and can change nothing that stands behind them.
"""

from alembic import context, op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

# By table: what the role of `work` has from here on, and what the application role had before.
RIGHTS = {
    "audit.leaf": ("INSERT", "SELECT, INSERT"),
    "audit.tile": ("INSERT", "SELECT, INSERT"),
    "audit.checkpoint": ("INSERT", "SELECT, INSERT"),
    "audit.verifier": ("INSERT", "SELECT, INSERT"),
    "audit.cosignature": ("INSERT, DELETE", "SELECT, INSERT, DELETE"),
    "audit.projection": ("INSERT", "SELECT, INSERT"),
    "audit.projection_person": ("INSERT", "SELECT, INSERT"),
    "audit.signal": ("INSERT, DELETE", "SELECT, INSERT, DELETE"),
    "audit.signal_count": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, UPDATE, DELETE"),
    "audit.signal_state": ("SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE"),
    "audit.delivery": ("INSERT, UPDATE", "SELECT, INSERT, UPDATE"),
    "oauth.seen": ("DELETE", "SELECT, INSERT, DELETE"),
    "oauth.revoked": ("DELETE", "SELECT, INSERT, DELETE"),
    "oauth.unproven": ("DELETE", "SELECT, INSERT, UPDATE, DELETE"),
    "exchange.idempotency_key": ("DELETE", "SELECT, INSERT, UPDATE, DELETE"),
}
TURN = "FUNCTION audit.turn_page(timestamptz)"


def _roles() -> tuple[str, str]:
    quote = op.get_bind().dialect.identifier_preparer.quote
    return quote(context.config.attributes["app_role"]), quote(context.config.attributes["work_role"])


def upgrade() -> None:
    application, work = _roles()
    for table, (rights, _) in RIGHTS.items():
        op.execute(f"REVOKE {rights} ON {table} FROM {application}")
        op.execute(f"GRANT {rights} ON {table} TO {work}")
    op.execute(f"REVOKE ALL ON {TURN} FROM {application}")
    op.execute(f"GRANT EXECUTE ON {TURN} TO {work}")


def downgrade() -> None:
    application, work = _roles()
    for table, (rights, before) in RIGHTS.items():
        op.execute(f"REVOKE {rights} ON {table} FROM {work}")
        op.execute(f"GRANT {before} ON {table} TO {application}")
    op.execute(f"REVOKE ALL ON {TURN} FROM {work}")
    op.execute(f"GRANT EXECUTE ON {TURN} TO {application}")
