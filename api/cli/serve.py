"""`ketenbrug serve`: the API. It keeps one `ketenbrug work` running beside it, unless told not to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Final

import structlog
import typer
import uvicorn

from api.cli import beside, checks, metrics

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import FrameType

_GRACE: Final = 20
"""Seconds for requests that run when the server is told to stop."""
_INPUT: Final = 0


def serve(
    *,
    work: Annotated[bool, typer.Option(help="Keep one `ketenbrug work` running as a child.")] = True,
    with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Serve the API. Refuses to start on unsafe settings, with every fault at once.

    Needs KETENBRUG_DATABASE_URL, as the application role, and keys; the child also needs KETENBRUG_WORK_DATABASE_URL.
    """
    # Uvicorn raises the signal that ended it once more: so we leave through every `finally`, and stop the worker.
    signal.signal(signal.SIGTERM, _end)
    found = checks.may_do_both() if work else checks.may_serve()
    if with_parent:
        threading.Thread(target=_end_with_input, daemon=True).start()
    with metrics.told(found.metrics_host, found.metrics_port), _worker(start=work):
        uvicorn.run(
            "api.cli.served:one_of_several",
            factory=True,
            host=found.host,
            port=found.port,
            workers=found.workers,
            loop="uvloop",
            http="api.edge.wire:Wire",
            server_header=False,
            date_header=True,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
            log_config=None,
            log_level="warning",
        )


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _end_with_input() -> None:
    """Whoever started us holds the other end of our input; when it dies, however, that closes."""
    # Not through sys.stdin: a thread that holds its lock would stop the interpreter from ending.
    while os.read(_INPUT, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _worker(*, start: bool) -> AbstractContextManager[None]:
    """One `ketenbrug work` for as long as the server runs. It ends by itself when its input closes, however we die."""
    return beside.kept((sys.executable, "-m", "api.cli", "work", "--with-parent"), _ended) if start else nullcontext()


def _ended(code: int) -> None:
    structlog.get_logger("ketenbrug.serve").error("worker-ended", where=code)
