"""Our roles and databases in a PostgreSQL server that may be used for demo, sandbox and tests.

Three roles stand beside the superuser: the owner, who owns each database and runs the migrations; the application,
which owns nothing and has what the revisions grant; and that of `ketenbrug work`, a member of it. All functions block:
in an event loop, call them in a thread.
"""

from __future__ import annotations

import asyncio
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    """Who may connect."""

    SUPERUSER = "postgres"
    OWNER = "ketenbrug_owner"
    APPLICATION = "ketenbrug_app"
    WORK = "ketenbrug_work"


_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def ensure_roles(url: str, passwords: Mapping[str, str], members: Mapping[str, str] | None = None) -> None:
    """Make the roles that are not there, with these passwords. They may log in; `members` says who is also whom."""
    there = {row["rolname"] for row in _run(url, "SELECT rolname FROM pg_roles")}
    makings = [
        f"CREATE ROLE {_name(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {_literal(password)}"
        for role, password in passwords.items()
        if role not in there
    ]
    joinings = (f"GRANT {_name(group)} TO {_name(member)}" for member, group in (members or {}).items())
    _run(url, *makings, *joinings)


def drop_roles(url: str, *roles: str) -> None:
    """Drop roles that own nothing any more."""
    _run(url, *(f"DROP ROLE IF EXISTS {_name(role)}" for role in roles))


def exists(url: str, database: str) -> bool:
    """Tell whether the server has this database."""
    return bool(_run(url, f"SELECT 1 FROM pg_database WHERE datname = {_literal(database)}"))  # noqa: S608 - quoted


def create(url: str, database: str, owner: str, application: str, *, template: str | None = None) -> None:
    """Make a database, a clone of `template` when one is given. Only its owner and the application may connect.

    A clone does not inherit who may connect, so that is said each time.
    """
    name = _name(database)
    # Copying the files of a template takes half the time of writing it to the log (17 against 35 ms).
    of = f"TEMPLATE {_name(template)} STRATEGY FILE_COPY" if template else "TEMPLATE template0"
    _run(
        url,
        f"CREATE DATABASE {name} OWNER {_name(owner)} {of}",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO {_name(application)}",
    )


def drop(url: str, database: str) -> None:
    """Drop a database, whoever is connected to it."""
    _run(url, f"DROP DATABASE IF EXISTS {_name(database)} WITH (FORCE)")


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("not a name for a role or database")
    return name


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _run(url: str, *statements: str) -> list[Any]:
    """Run the statements on a connection of their own, each committed by itself. Returns the rows of the last."""

    async def once() -> list[Any]:
        connection: Any = await asyncpg.connect(url, timeout=10)
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    if not statements:
        return []
    # Not `asyncio.run`, which would take the calling thread's current loop away.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(once())
