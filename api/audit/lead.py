"""What one process does at a time, behind the log: a deed that is done again and again while nobody else does it.

Whoever leads holds an advisory lock of a session, and asks before each deed whether that session is still there: who
lost it lost the lead with it. No transaction is held meanwhile.

The server frees the lock of a process that died. One that hangs, or whose host is gone without a word, keeps it: so who
waits for the lead ends a session that has it and leaves the server waiting for too long.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import BigInteger, Double, bindparam, func, select, text

from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.storage.pool import Database

DEED_MOST: Final = 900.0
"""Seconds that a deed may take at most, such as bringing many objects to a bucket."""

_LEAD: Final = statement(select(func.pg_try_advisory_lock(bindparam("number", type_=BigInteger))))
_DEPOSE: Final = statement(
    text("""
        SELECT pg_terminate_backend(held.pid) FROM pg_locks held JOIN pg_stat_activity session USING (pid)
        WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (held.classid::bigint << 32 | held.objid::bigint) = :number
        AND pg_has_role(session.usesysid, 'USAGE') AND session.wait_event_type = 'Client'
        AND session.state_change < clock_timestamp() - make_interval(secs => :silence)
    """).bindparams(bindparam("number", type_=BigInteger), bindparam("silence", type_=Double))
)


async def leads(connection: Any, number: int, silence: float) -> bool:  # noqa: ANN401 - asyncpg's proxy
    """Whether this session leads from now on. One that led and has been silent for so many seconds is ended."""
    bound = _LEAD(number=number)
    if (await connection.fetch(bound.sql, *bound.args))[0][0]:
        return True
    bound = _DEPOSE(number=number, silence=silence)
    await connection.fetch(bound.sql, *bound.args)
    return False


async def run(
    database: Database,
    lock: int,
    deed: Callable[[], Awaitable[object]],
    notice: Callable[[Exception], None],
    *,
    every: float,
    longest: float,
) -> None:
    """Do it, or wait to, until cancelled: at once again when it says that there was something, else `every` seconds.

    After each fault, of which `notice` hears, it waits twice as long, `longest` at most.
    """
    wait = every
    while True:
        try:
            async with database.connection() as connection:
                if await leads(connection, lock, DEED_MOST):
                    try:
                        while True:
                            await connection.execute("SELECT 1")
                            more = await deed()
                            wait = every
                            if not more:
                                await asyncio.sleep(every)
                    finally:
                        with suppress(asyncpg.InterfaceError):
                            connection.terminate()
        except Exception as fault:  # noqa: BLE001 - an odd answer of somebody else stops nothing that runs beside this
            notice(fault)
            wait = min(2 * wait, longest)
        await asyncio.sleep(wait)
