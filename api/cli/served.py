"""The app as `ketenbrug serve` runs it, in each of its processes.

Apart from `serve`, so that it is imported where it serves, and not in the process that only watches over others.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING

from api.cli import loading, logs

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from api.edge.envelope import Envelope


def one_of_several() -> Envelope:
    """The app, in this process. With several processes, each ends when the first one is gone, however it went."""
    if (first := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_after, args=(first,), daemon=True).start()
        logs.configure()
    with loading.undisturbed():
        from api import app  # noqa: PLC0415

        return app.from_environment()


def _end_after(first: BaseProcess) -> None:
    first.join()
    os.kill(os.getpid(), signal.SIGTERM)
