"""A process serves only with a role that cannot rewrite history, on the tables of its own release."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.storage import standing
from api.storage.pool import Database

if TYPE_CHECKING:
    from tests import servers

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
OWNS: Final = "this role owns the tables"
REWRITES: Final = "this role could rewrite the audit log"
EMPTY: Final = "no tables yet"
OLD: Final = "of another release"


async def faults(url: str) -> tuple[str, ...]:
    pool = await Database.open(url, size=2)
    unit = pool.unit(NOW)
    found = await standing.faults(unit)
    await unit.finish()
    await pool.close()
    return found


async def told(url: str) -> list[str]:
    """Which of the faults above were found."""
    found = await faults(url)
    return [each for each in (OWNS, REWRITES, EMPTY, OLD) if any(each in fault for fault in found)]


async def run(database: servers.Database, sql: str) -> None:
    owner: Any = await asyncpg.connect(database.superuser_url)
    await owner.execute(sql)
    await owner.close()


async def test_the_application_role_on_tables_of_this_release_may_serve(database: servers.Database) -> None:
    assert await faults(database.app_url) == ()


async def test_the_owner_of_the_tables_may_not(database: servers.Database) -> None:
    """Separation of duties: who migrates does not serve."""
    assert OWNS in await told(database.owner_url)
    assert await told(database.superuser_url) == [OWNS, REWRITES]


async def test_a_role_that_could_rewrite_the_log_may_not(database: servers.Database) -> None:
    await run(database, f'GRANT UPDATE ON audit.entry TO "{database.app_role}"')

    assert await told(database.app_url) == [REWRITES]


async def test_a_database_without_tables_is_told(empty_database: servers.Database) -> None:
    assert await told(empty_database.app_url) == [EMPTY]


async def test_a_database_of_another_release_is_told(database: servers.Database) -> None:
    await run(database, "UPDATE public.alembic_version SET version_num = '0000'")

    assert await told(database.app_url) == [OLD]


async def test_a_database_that_lost_its_release_is_told(database: servers.Database) -> None:
    await run(database, "DELETE FROM public.alembic_version")

    assert await told(database.app_url) == [OLD]


async def test_faults_name_no_secret(database: servers.Database) -> None:
    assert database.owner_url not in " ".join(await faults(database.owner_url))
