"""What a process imports and builds when it starts stays for as long as it lives."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def undisturbed() -> Generator[None]:
    """Start without the collector, which finds nothing while all only grows; what is there then it never looks at.

    Measured: an eighth of what it takes to start, of a command and of a process that serves; and a process that serves
    stands still for 8 ms when the collector looks at everything, not for 200.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
