"""Whether a process may serve with this database: its role, and the tables that this release expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic.script import ScriptDirectory
from sqlalchemy import text

from api.storage import migrations
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.storage.unit import Unit

_ROLE: Final = statement(
    text("""
    SELECT r.rolsuper,
           to_regclass('audit.entry') IS NOT NULL AS there,
           EXISTS (SELECT FROM pg_partition_tree(to_regclass('audit.entry')) AS page
                   WHERE has_table_privilege(page.relid, 'UPDATE, DELETE, TRUNCATE')) AS rewrites,
           EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relowner = r.oid AND n.nspname IN ('keys', 'oauth', 'consent', 'exchange', 'audit')) AS owns,
           to_regclass('public.alembic_version') IS NOT NULL AS migrated
    FROM pg_roles r WHERE r.rolname = current_user
    """)
)
_VERSION: Final = statement(text("SELECT version_num FROM public.alembic_version"))


def expected() -> str | None:
    """The newest revision of this release."""
    return ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()


async def faults(unit: Unit) -> tuple[str, ...]:
    """Why this process may not serve; nothing when it may."""
    row = await unit.one(_ROLE())
    if row is None:
        return ("the database does not tell who we are",)
    found: list[str] = []
    if row["rolsuper"] or row["owns"]:
        found.append("KETENBRUG_DATABASE_URL: this role owns the tables; serve as the application role")
    if row["rewrites"]:
        found.append("KETENBRUG_DATABASE_URL: this role could rewrite the audit log; serve as the application role")
    if not row["there"] or not row["migrated"]:
        found.append("the database has no tables yet: run `ketenbrug migrate` as its owner")
    elif await stale(unit):
        found.append("the database is of another release: run `ketenbrug migrate` as its owner")
    return tuple(found)


async def stale(unit: Unit) -> bool:
    """Whether the tables are not those that this release expects."""
    row = await unit.one(_VERSION())
    return row is None or row["version_num"] != expected()
