"""Keep keys in memory out of files: no core dump, and no other process of this user may read ours (prctl(2))."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def keep() -> None:
    """For the rest of this process's life. Raises `OSError` when the kernel refuses; an exec undoes the second part."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    refused = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if refused:  # pragma: no cover - no kernel that tests run on can be made to refuse
        raise OSError(ctypes.get_errno(), "prctl")
