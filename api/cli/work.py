"""`ketenbrug work`: what happens without a request.

The log's sequencer, and the rules that look through what it wrote; delivering the log to a logbook of processing;
publishing its hashes in a bucket; forgetting what has expired; summarising who was turned away without having proven
who they are.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import structlog
import typer
import uvloop

from api import settings
from api.audit import logbook, pages, policy, sequencer, witnessing
from api.audit.checkpoint import Signer
from api.audit.views import Register
from api.cli import checks, guards, metrics
from api.crypto import keyfile
from api.dossiers import document_store, withdrawal_store
from api.errors import KetenbrugError, LogStopped, Misconfigured
from api.oauth import replay, revocation, unproven
from api.oauth.people import links, sessions
from api.outbound import Fetcher, Outbound
from api.storage import idempotency
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from api.audit.policy import Policy
    from api.settings import Settings
    from api.storage.unit import Unit

    Task = Callable[[Unit], Awaitable[None]]

_Result = TypeVar("_Result")

TASKS: Final[tuple[Task, ...]] = (
    replay.sweep,
    revocation.sweep,
    sessions.sweep,
    links.sweep,
    idempotency.sweep,
    witnessing.sweep,
    unproven.summarise,
    withdrawal_store.collect,
    document_store.collect,
)
"""What is done each minute, beside turning the page of the log."""

_TURN: Final = 0.0005
"""Seconds for which a thread works before another one that wants to may."""

_MINUTE: Final = 60.0
"""Seconds between two times that they are done."""


def work(
    *, with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False
) -> None:
    """Run the background tasks until told to stop. Several may run; one of them leads at a time.

    Needs KETENBRUG_WORK_DATABASE_URL, as the role that alone writes the log, and keys.
    """
    found = checks.may_work()
    trusted = _policy(found)
    with metrics.told(found.metrics_host, found.metrics_port):
        run(_work(found, trusted, with_parent=with_parent))


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run the coroutine on the loop of this process, which hears soon what PostgreSQL answered.

    The thread that makes a batch gives way to the loop at each turn only; with the interpreter's own turns of five
    milliseconds PostgreSQL waited for the loop up to a fifth of the time (measured).
    """
    sys.setswitchinterval(_TURN)
    return uvloop.run(main)


async def _work(found: Settings, trusted: Policy | None, *, with_parent: bool) -> None:
    keys = keyfile.load_log(found.key_file)
    database = await Database.open(found.database_url.get_secret_value(), size=8)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    try:
        async with guards.opened(found) as guard, asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(
                    sequencer.run(
                        database,
                        Signer.from_seeds(found.origin, keys.ed25519, keys.post_quantum, settings.now),
                        guard,
                        found.merge_interval,
                        notice=_notice,
                    )
                ),
                tasks.create_task(each_minute(database, (*TASKS, pages.Turner()))),
                tasks.create_task(_looking(database, found)),
            ]
            if found.ldv_collector:
                running.append(tasks.create_task(logbook.run(database, _logbook(found, database), _not_delivered)))
            if found.log_bucket_url:
                running.append(tasks.create_task(_publishing(database, found)))
            if trusted is not None:
                running.append(tasks.create_task(_witnessing(database, trusted)))
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        await database.close()


def _policy(found: Settings) -> Policy | None:
    """Whom to ask for cosignatures. Raises `Misconfigured` when the file cannot be read."""
    if found.log_witnesses is None:
        return None
    try:
        return policy.parse(found.log_witnesses.read_text())
    except (OSError, UnicodeDecodeError):
        raise Misconfigured((f"KETENBRUG_LOG_WITNESSES: {found.log_witnesses} cannot be read",)) from None


async def _looking(database: Database, found: Settings) -> None:
    # It counts, and so must not be imported before it is known where to (`metrics.told`).
    from api.cli import looking  # noqa: PLC0415

    await looking.run(database, found)


async def _publishing(database: Database, found: Settings) -> None:
    # As above.
    from api.cli import publishing  # noqa: PLC0415

    await publishing.run(database, found)


async def _witnessing(database: Database, trusted: Policy) -> None:
    async with Outbound() as outbound:
        await witnessing.run(database, trusted, outbound, settings.now, _not_cosigned)


def _logbook(found: Settings, database: Database) -> logbook.Logbook:
    token = found.ldv_token
    return logbook.Logbook(
        database,
        Fetcher((found.ldv_collector,) if found.ldv_own_network else ()),
        found.ldv_collector,
        Register(found.ldv_register.rstrip("/"), f"{found.public_url}/v1/organisations/"),
        settings.now,
        # Longer than a request lasts and the tree may be behind: how it ended is in the log by then.
        settled=timedelta(seconds=found.patience + min(found.merge_bound, found.merge_delay)),
        headers={} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"},
    )


def _not_delivered(fault: Exception) -> None:
    structlog.get_logger("ketenbrug.work").error("ldv-fault", kind=type(fault).__name__, where=_said(fault))


def _not_cosigned(fault: Exception) -> None:
    structlog.get_logger("ketenbrug.work").error("witness-fault", kind=type(fault).__name__, where=_said(fault))


def _said(fault: Exception) -> str | None:
    """What an error of ours says: which peer, and why. The text of any other may hold data."""
    return str(fault) if isinstance(fault, KetenbrugError) else None


def _notice(fault: Exception) -> None:
    why = fault.why if isinstance(fault, LogStopped) else None
    structlog.get_logger("ketenbrug.work").error("sequencer-fault", kind=type(fault).__name__, where=why)


async def each_minute(database: Database, tasks: Sequence[Task] = TASKS, every: float = _MINUTE) -> None:
    """Do the tasks, each in a unit of its own, until cancelled. One that fails is told, and tried again the next time.

    Whatever it fails with: the sequencer runs beside it, and would be cancelled with it.
    """
    while True:
        for task in tasks:
            unit = database.unit(settings.now())
            try:
                await task(unit)
                await unit.finish()
            except Exception as fault:  # noqa: BLE001 - see above
                structlog.get_logger("ketenbrug.work").warning("task-failed", kind=type(fault).__name__)
                with suppress(Exception):  # the database is away: the next minute tries again
                    await unit.abort()
        await asyncio.sleep(every)
