"""What the application role may do in the database, and what nobody may."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

import api
from api.audit.rules import Rule
from api.cli import migrate
from api.storage.base import SCHEMAS
from api.storage.statement import Statement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.servers import Database

APPEND_ONLY = (
    "audit.entry",
    "audit.leaf",
    "audit.tile",
    "audit.checkpoint",
    "audit.generation",
    "audit.retention",
    "audit.verifier",
    "consent.consent_event",
    "consent.supersession",
    "exchange.emergency",
    "exchange.emergency_review",
)
GENERIC_PLAN = 160000
"""The server version that explains a statement without its values."""


async def connected(url: str) -> AsyncIterator[Any]:
    connection: Any = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


CUSTODY: Final = (
    "api.custody.",
    "api.persons.index_store.",
    "api.oauth.signing_log.",
    "api.crypto.inbox_log.",
    "api.audit.pages._OPEN.",
    "api.audit.retention.",
    "api.audit.reprojection.",
)
"""What replaces keys, or deletes what is past its term, is run as the owner: the service may not."""


@pytest.fixture
async def application(module_database: Database) -> AsyncIterator[Any]:
    """A connection as the service."""
    async for connection in connected(module_database.app_url):
        yield connection


@pytest.fixture
async def owner(module_database: Database) -> AsyncIterator[Any]:
    """A connection as the owner of the tables."""
    async for connection in connected(module_database.owner_url):
        yield connection


@pytest.fixture
async def superuser(module_database: Database) -> AsyncIterator[Any]:
    """A connection as the one who may do everything."""
    async for connection in connected(module_database.superuser_url):
        yield connection


def statements() -> dict[str, str]:
    """Every compiled statement of the service, by where it stands. An adoption is the owner's: see its tests."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(api.__path__, "api."):
        if ".migrations" in module.name or module.name.endswith(("watchdog", "__main__", "adoption")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            for number, each in enumerate(within(value)):
                found[f"{module.name}.{name}.{number}"] = each.sql
    return found


def within(value: Any) -> Iterator[Statement]:
    """The statements of a constant: itself, those in a tuple, and those of a rule."""
    match value:
        case Statement():
            yield value
        case tuple():
            members: tuple[Any, ...] = value
            for each in members:
                yield from within(each)
        case Rule():
            yield from (each for each in (value.find, value.count) if each is not None)
        case _:
            pass


def quoted(table: str) -> str:
    schema, name = table.split(".")
    return f'{schema}."{name}"'


async def test_the_service_may_run_each_of_its_statements(application: Any, owner: Any) -> None:
    """Rights fit the statements, and the statements the tables: PostgreSQL plans each one as the role that runs it."""
    if application.get_server_version() < (16,):
        pytest.skip("a server before 16 explains no statement without its values")
    refused: dict[str, str] = {}
    for place, sql in statements().items():
        try:
            who = owner if place.startswith(CUSTODY) else application
            await who.execute(f"EXPLAIN (GENERIC_PLAN) {sql}")
        except asyncpg.PostgresError as error:
            refused[place] = str(error)
    assert refused == {}
    assert len(statements()) > 20


async def test_no_right_to_change_or_remove_is_there_unused(application: Any) -> None:
    """Least rights: what no statement does, the service may not do. The rights of a table only grow with a use."""
    used: set[tuple[str, str]] = set()
    tables = {quoted(name).replace('"', ""): name for name in migrate.gather().tables}
    for place, sql in statements().items():
        if place.startswith(CUSTODY):
            continue
        plain = sql.replace('"', "")
        for verb, pattern in (("UPDATE", r"UPDATE ([\w.]+)"), ("DELETE", r"DELETE FROM ([\w.]+)")):
            used |= {(verb, table) for table in re.findall(pattern, plain) if table in tables}
        if "FOR SHARE" in plain:  # holding a row takes the right to change one of its columns
            used |= {("UPDATE", table) for table in re.findall(r"(?:FROM|JOIN) ([\w.]+)", plain) if table in tables}
        if "DO UPDATE" in plain:
            used |= {("UPDATE", table) for table in re.findall(r"INSERT INTO ([\w.]+)", plain)}
    granted = await application.fetch(
        """SELECT privilege_type, table_schema || '.' || table_name FROM (
               SELECT grantee, table_schema, table_name, privilege_type FROM information_schema.role_table_grants
               UNION SELECT grantee, table_schema, table_name, privilege_type FROM information_schema.role_column_grants
           ) AS granted
           WHERE grantee = current_user AND table_schema = ANY($1) AND privilege_type NOT IN ('SELECT', 'INSERT')""",
        list(SCHEMAS),
    )
    assert {tuple(row) for row in granted} - used == set()


async def test_the_service_owns_nothing(application: Any) -> None:
    """Who owns a table can take its triggers away."""
    owned = "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
    assert await application.fetchval(owned) == 0
    assert not await application.fetchval("SELECT has_database_privilege(current_database(), 'CREATE')")
    assert not await application.fetchval("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
    assert not await application.fetchval("SELECT has_schema_privilege('public', 'CREATE')")
    assert not any([await application.fetchval(f"SELECT has_schema_privilege('{name}', 'CREATE')") for name in SCHEMAS])


async def test_nobody_else_may_enter_the_database(superuser: Any) -> None:
    await superuser.execute("DROP ROLE IF EXISTS passer_by_test; CREATE ROLE passer_by_test")
    sql = "SELECT has_database_privilege('passer_by_test', current_database(), 'CONNECT')"
    may = await superuser.fetchval(sql)
    await superuser.execute("DROP ROLE passer_by_test")
    assert not may


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_the_service_has_no_right_to_rewrite_history(application: Any, table: str, verb: str) -> None:
    """Held by rights; the trigger would stop it too."""
    assert not await application.fetchval("SELECT has_table_privilege($1, $2)", quoted(table), verb)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("deed", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"])
async def test_the_trigger_stops_the_owner(owner: Any, table: str, deed: str) -> None:
    """Whole statements are refused, so that an empty table refuses too."""
    columns = migrate.gather().tables[table].columns
    column = next(column.name for column in columns if column.computed is None and column.identity is None)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await owner.execute(deed.format(quoted(table), f'"{column}"'))


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_the_trigger_stops_the_superuser_who_plays_a_replica(superuser: Any, table: str) -> None:
    """`session_replication_role = replica` switches ordinary triggers off; these fire always."""
    async with superuser.transaction():
        await superuser.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await superuser.execute(f"TRUNCATE {quoted(table)} CASCADE")
