"""A process serves only with a role that can append to the log and no more, on the tables of its own release."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from api.storage import standing
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.storage.unit import Unit
    from tests import servers

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
OWNS: Final = "this role owns the tables"
REWRITES: Final = "this role could rewrite the audit log"
WRITES: Final = "this role could write the log"
LACKS: Final = "this role may not write the log"
OUTSIDE: Final = "this role may not append to the log"
EMPTY: Final = "no tables yet"
ELSE: Final = "somebody_else_test"
OLD: Final = "of another release"


async def faults(url: str, of: Callable[[Unit], Awaitable[tuple[str, ...]]] = standing.faults) -> tuple[str, ...]:
    pool = await Database.open(url, size=2)
    unit = pool.unit(NOW)
    found = await of(unit)
    await unit.finish()
    await pool.close()
    return found


async def told(url: str, of: Callable[[Unit], Awaitable[tuple[str, ...]]] = standing.faults) -> list[str]:
    """Which of the faults above were found."""
    found = await faults(url, of)
    kinds = (OWNS, REWRITES, WRITES, LACKS, OUTSIDE, EMPTY, OLD)
    told = [each for each in kinds if any(each in fault for fault in found)]
    assert len(told) == len(found)
    return told


async def run(database: servers.Database, sql: str) -> None:
    owner: Any = await asyncpg.connect(database.superuser_url)
    await owner.execute(sql)
    await owner.close()


async def test_the_application_role_on_tables_of_this_release_may_serve(database: servers.Database) -> None:
    assert await faults(database.app_url) == ()


async def test_the_owner_of_the_tables_may_not(database: servers.Database) -> None:
    """Separation of duties: who migrates does not serve."""
    for of in (standing.faults, standing.faults_of_work):
        assert await told(database.owner_url, of) == [OWNS, REWRITES]
        assert await told(database.superuser_url, of) == [OWNS, REWRITES]


async def test_who_writes_the_log_does_not_serve_and_who_serves_does_not_write_it(database: servers.Database) -> None:
    assert await faults(database.work_url, standing.faults_of_work) == ()
    assert await told(database.work_url) == [WRITES]
    assert await told(database.app_url, standing.faults_of_work) == [LACKS]


@pytest.mark.parametrize(
    "right",
    [
        "DELETE ON audit.signal",
        "UPDATE (size) ON audit.signal_state",
        "INSERT (note) ON audit.checkpoint",
        "EXECUTE ON FUNCTION audit.turn_page(timestamptz)",
    ],
)
async def test_a_role_with_one_right_to_write_the_log_may_not_serve(database: servers.Database, right: str) -> None:
    await run(database, f'GRANT {right} TO "{database.app_role}"')

    assert await told(database.app_url) == [WRITES]


async def test_a_role_that_could_become_another_may_not_serve(database: servers.Database) -> None:
    """`SET ROLE` is one word: what that role may do counts, inherited or not."""
    app, work = database.app_role, database.work_role
    await run(database, f"REVOKE {app} FROM {work}; ALTER ROLE {app} NOINHERIT; GRANT {work} TO {app}")
    try:
        assert await told(database.app_url) == [WRITES]
    finally:
        await run(database, f"REVOKE {work} FROM {app}; ALTER ROLE {app} INHERIT; GRANT {app} TO {work}")


async def test_a_role_that_is_not_of_the_application_does_neither(database: servers.Database) -> None:
    """Also one that `ketenbrug migrate` was told of and that lost its membership since."""
    await run(database, f"CREATE ROLE {ELSE} LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE {database.name} TO {ELSE}")
    at = urlsplit(database.app_url)
    url = urlunsplit(at._replace(netloc=f"{ELSE}:x@{at.netloc.rpartition('@')[2]}"))
    try:
        assert await told(url) == [OUTSIDE]
        await run(database, f"GRANT INSERT ON audit.checkpoint TO {ELSE}")
        assert await told(url, standing.faults_of_work) == [OUTSIDE]
    finally:
        await run(database, f"DROP OWNED BY {ELSE}; DROP ROLE {ELSE}")


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
