"""What the application role and that of `ketenbrug work` may do in the database, and what nobody may."""

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
    from collections.abc import AsyncIterator, Iterable, Iterator

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

WORK: Final = (
    "api.audit.batch.",
    "api.audit.lead.",
    "api.audit.logbook.",
    "api.audit.pages._TURN.",
    "api.audit.rules.",
    "api.audit.sequencer.",
    "api.audit.signals._ADVANCE.",
    "api.audit.signals._FORGET.",
    "api.audit.signals._KEEP.",
    "api.audit.signals._STATE.",
    "api.audit.signals._TELL.",
    "api.audit.witnessing.",
    "api.dossiers.document_store._COLLECT.",
    "api.dossiers.document_store._FORGET.",
    "api.dossiers.withdrawal_store._RELEASED.",
    "api.oauth.people.links._SWEEP.",
    "api.oauth.people.sessions._SWEEP.",
    "api.oauth.replay._SWEEP.",
    "api.oauth.revocation._SWEEP.",
    "api.oauth.unproven._TAKE.",
    "api.storage.idempotency._SWEEP.",
)
"""What `ketenbrug work` alone runs: what writes the log behind the entries, and forgets what has expired."""

LOG: Final = {
    "entry": ({"SELECT", "INSERT (leaf)"}, set[str]()),
    "leaf": ({"SELECT"}, {"INSERT"}),
    "tile": ({"SELECT"}, {"INSERT"}),
    "checkpoint": ({"SELECT"}, {"INSERT"}),
    "cosignature": ({"SELECT"}, {"INSERT", "DELETE"}),
    "verifier": ({"SELECT"}, {"INSERT"}),
    "generation": ({"SELECT"}, set[str]()),
    "retention": ({"SELECT"}, set[str]()),
    "projection": ({"SELECT"}, {"INSERT"}),
    "projection_person": ({"SELECT"}, {"INSERT"}),
    "signal": ({"SELECT"}, {"INSERT", "DELETE"}),
    "signal_count": (set[str](), {"SELECT", "INSERT", "UPDATE", "DELETE"}),
    "signal_state": (set[str](), {"SELECT", "INSERT", "UPDATE"}),
    "delivery": ({"SELECT"}, {"INSERT", "UPDATE"}),
}
"""By table of the log: what the application role may do, and what that of `ketenbrug work` may besides."""

GRANTED: Final = """
    SELECT table_schema || '.' || table_name AS name, privilege_type AS verb, NULL AS part
    FROM information_schema.table_privileges WHERE grantee = $1
    UNION
    SELECT table_schema || '.' || table_name, privilege_type, column_name
    FROM information_schema.column_privileges g WHERE grantee = $1 AND NOT EXISTS (
        SELECT FROM information_schema.table_privileges t
        WHERE (t.grantee, t.table_schema, t.table_name, t.privilege_type)
            = (g.grantee, g.table_schema, g.table_name, g.privilege_type))
"""


@pytest.fixture
async def application(module_database: Database) -> AsyncIterator[Any]:
    """A connection as the service."""
    async for connection in connected(module_database.app_url):
        yield connection


@pytest.fixture
async def work(module_database: Database) -> AsyncIterator[Any]:
    """A connection as `ketenbrug work`."""
    async for connection in connected(module_database.work_url):
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


async def test_each_role_may_run_each_of_its_statements(application: Any, work: Any, owner: Any) -> None:
    """Rights fit the statements, and the statements the tables: PostgreSQL plans each one as the role that runs it."""
    if application.get_server_version() < (16,):
        pytest.skip("a server before 16 explains no statement without its values")
    refused: dict[str, str] = {}
    for place, sql in statements().items():
        try:
            who = owner if place.startswith(CUSTODY) else work if place.startswith(WORK) else application
            await who.execute(f"EXPLAIN (GENERIC_PLAN) {sql}")
        except asyncpg.PostgresError as error:
            refused[place] = str(error)
    assert refused == {}
    assert len(statements()) > 20
    assert [each for each in (*CUSTODY, *WORK) if not any(place.startswith(each) for place in statements())] == []


async def test_no_right_to_change_or_remove_is_there_unused(application: Any, work: Any) -> None:
    """Least rights: what no statement of a role does, it may not do. The rights of a table only grow with a use."""
    places = {place: sql for place, sql in statements().items() if not place.startswith(CUSTODY)}
    behind = {place for place in places if place.startswith(WORK)}
    for who, its in ((application, set(places) - behind), (work, behind)):
        used = changes(places[place] for place in its)
        granted = {(row["verb"], row["name"]) for row in await rights(who) if row["verb"] not in {"SELECT", "INSERT"}}
        assert granted
        assert granted - used == set()


def changes(statements: Iterable[str]) -> set[tuple[str, str]]:
    """Which tables these change, and how."""
    used: set[tuple[str, str]] = set()
    tables = {quoted(name).replace('"', ""): name for name in migrate.gather().tables}
    for sql in statements:
        plain = sql.replace('"', "")
        for verb, pattern in (("UPDATE", r"UPDATE ([\w.]+)"), ("DELETE", r"DELETE FROM ([\w.]+)")):
            used |= {(verb, table) for table in re.findall(pattern, plain) if table in tables}
        if "FOR SHARE" in plain:  # holding a row takes the right to change one of its columns
            used |= {("UPDATE", table) for table in re.findall(r"(?:FROM|JOIN) ([\w.]+)", plain) if table in tables}
        if "DO UPDATE" in plain:
            used |= {("UPDATE", table) for table in re.findall(r"INSERT INTO ([\w.]+)", plain)}
    return used


async def rights(who: Any) -> list[Any]:
    """What was granted to this role itself on tables of ours; not what it has as a member of another one."""
    found = await who.fetch(GRANTED, await who.fetchval("SELECT current_user"))
    return [row for row in found if row["name"].split(".")[0] in SCHEMAS]


async def test_the_rights_on_the_log_are_these_and_no_others(application: Any, work: Any, superuser: Any) -> None:
    """Table by table, so that one more is seen; and nobody has rights by way of PUBLIC, or on a page by itself."""
    stands = "SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v')"
    tables = [row["relname"] for row in await superuser.fetch(stands)]
    for place, who in enumerate((application, work)):
        held: dict[str, set[str]] = {name: set() for name in tables}
        for row in await rights(who):
            schema, name = row["name"].split(".")
            if schema == "audit":
                held[name].add(row["verb"] if row["part"] is None else f"{row['verb']} ({row['part']})")
        besides = {name: set[str]() for name in ("entry_first", "page")}  # a page, and the list of pages: the owner's
        assert held == {name: each[place] for name, each in LOG.items()} | besides
    assert [row["name"] for row in await superuser.fetch(GRANTED, "PUBLIC") if row["name"].startswith("audit.")] == []
    assert set(LOG) == {name.removeprefix("audit.") for name in migrate.gather().tables if name.startswith("audit.")}
    may = "SELECT has_function_privilege('audit.turn_page(timestamptz)', 'EXECUTE')"
    assert [await who.fetchval(may) for who in (application, work)] == [False, True]


async def test_who_works_is_of_the_application_and_not_the_other_way_round(application: Any, work: Any) -> None:
    """So the service can neither do what its worker does, nor become it, nor end its sessions."""
    mine, its = [await who.fetchval("SELECT current_user::text") for who in (application, work)]
    member = "SELECT pg_has_role($1, $2, 'MEMBER')"
    assert await work.fetchval(member, its, mine)
    assert not await work.fetchval(member, mine, its)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(f'SET ROLE "{its}"')
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("SELECT pg_terminate_backend($1)", work.get_server_pid())


async def test_neither_owns_anything(application: Any, work: Any) -> None:
    """Who owns a table can take its triggers away."""
    owned = "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
    for who in (application, work):
        assert await who.fetchval(owned) == 0
        assert not await who.fetchval("SELECT has_database_privilege(current_database(), 'CREATE')")
        assert not await who.fetchval("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
        assert not await who.fetchval("SELECT has_schema_privilege('public', 'CREATE')")
        assert not any([await who.fetchval(f"SELECT has_schema_privilege('{name}', 'CREATE')") for name in SCHEMAS])


async def test_nobody_else_may_enter_the_database(superuser: Any) -> None:
    await superuser.execute("DROP ROLE IF EXISTS passer_by_test; CREATE ROLE passer_by_test")
    sql = "SELECT has_database_privilege('passer_by_test', current_database(), 'CONNECT')"
    may = await superuser.fetchval(sql)
    await superuser.execute("DROP ROLE passer_by_test")
    assert not may


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_no_process_has_a_right_to_rewrite_history(work: Any, table: str, verb: str) -> None:
    """Held by rights, those of the application included; the trigger would stop it too."""
    assert not await work.fetchval("SELECT has_table_privilege($1, $2)", quoted(table), verb)


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
