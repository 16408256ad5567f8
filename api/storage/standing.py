"""Whether a process may serve, or work, with this database: its role, and the tables that this release expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic.script import ScriptDirectory
from sqlalchemy import text

from api.storage import migrations
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.storage.unit import Record, Unit

# All that the role may be, not only what it is at once: `SET ROLE` is one word. From the catalogue, which shows to
# everybody also what they may not touch.
_ROLE: Final = statement(
    text("""
    WITH been AS (SELECT oid, rolsuper FROM pg_roles WHERE pg_has_role(oid, 'MEMBER')),
    ours AS (
        SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relkind, c.relowner
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('keys', 'oauth', 'consent', 'exchange', 'audit')
    ),
    page AS (SELECT relid AS oid FROM pg_partition_tree((SELECT oid FROM ours WHERE name = 'audit.entry')::regclass)),
    behind AS (
        SELECT oid FROM ours WHERE name LIKE 'audit.%' AND relkind IN ('r', 'p') AND oid NOT IN (SELECT oid FROM page)
    )
    SELECT EXISTS (SELECT FROM been WHERE rolsuper)
               OR EXISTS (SELECT FROM ours JOIN been ON been.oid = ours.relowner) AS owns,
           EXISTS (SELECT FROM page, been
                   WHERE has_table_privilege(been.oid, page.oid, 'UPDATE, DELETE, TRUNCATE')) AS rewrites,
           EXISTS (SELECT FROM behind, been
                   WHERE has_table_privilege(been.oid, behind.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                      OR has_any_column_privilege(been.oid, behind.oid, 'INSERT, UPDATE'))
               OR EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN been
                          WHERE n.nspname = 'audit' AND p.proname = 'turn_page'
                            AND has_function_privilege(been.oid, p.oid, 'EXECUTE')) AS writes,
           EXISTS (SELECT FROM ours
                   WHERE name = 'audit.checkpoint' AND has_table_privilege(oid, 'INSERT')) AS signs,
           EXISTS (SELECT FROM ours
                   WHERE name = 'audit.entry' AND has_any_column_privilege(oid, 'INSERT')) AS appends,
           EXISTS (SELECT FROM page) AND to_regclass('public.alembic_version') IS NOT NULL AS migrated
    """)
)
_SERVES: Final = "KETENBRUG_DATABASE_URL"
_WORKS: Final = "KETENBRUG_WORK_DATABASE_URL"
_VERSION: Final = statement(text("SELECT version_num FROM public.alembic_version"))


def expected() -> str | None:
    """The newest revision of this release."""
    return ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()


async def faults(unit: Unit) -> tuple[str, ...]:
    """Why no process may serve with this role; nothing when one may. It appends to the log and does no more to it."""
    row, found = await _look(unit, _SERVES, "serve as the application role")
    if not found and row["writes"]:
        return (
            f"{_SERVES}: this role could write the log, as that of `ketenbrug work`; serve as the application role",
        )
    return found


async def faults_of_work(unit: Unit) -> tuple[str, ...]:
    """Why no process may work with this role; nothing when one may. It writes the log, and serves as well."""
    row, found = await _look(unit, _WORKS, "work as a member of the application role")
    if not found and not row["signs"]:
        return (
            f"{_WORKS}: this role may not write the log; work as the one that `ketenbrug migrate --work-role` names",
        )
    return found


async def _look(unit: Unit, variable: str, rather: str) -> tuple[Record, tuple[str, ...]]:
    """What the role may do, and what speaks against it whichever process it is for."""
    (row,) = await unit.all(_ROLE())
    found: list[str] = []
    if row["owns"]:
        found.append(f"{variable}: this role owns the tables; {rather}")
    if row["rewrites"]:
        found.append(f"{variable}: this role could rewrite the audit log; {rather}")
    if not row["migrated"]:
        found.append("the database has no tables yet: run `ketenbrug migrate` as its owner")
    elif not row["appends"]:
        found.append(f"{variable}: this role may not append to the log; {rather}")
    elif await stale(unit):
        found.append("the database is of another release: run `ketenbrug migrate` as its owner")
    return row, tuple(found)


async def stale(unit: Unit) -> bool:
    """Whether the tables are not those that this release expects."""
    row = await unit.one(_VERSION())
    return row is None or row["version_num"] != expected()
