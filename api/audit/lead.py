"""What one process does at a time, behind the log: a deed that is done again and again while nobody else does it.

Whoever leads holds an advisory lock of a session, and asks before each deed whether that session is still there: who
lost it lost the lead with it. No transaction is held meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import asyncpg
from sqlalchemy import BigInteger, bindparam, func, select

from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.storage.pool import Database

_LEAD: Final = statement(select(func.pg_try_advisory_lock(bindparam("number", type_=BigInteger))))


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
                bound = _LEAD(number=lock)
                if (await connection.fetch(bound.sql, *bound.args))[0][0]:
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
