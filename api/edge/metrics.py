"""What a server counts of its requests: how many, and how long they took, by operation and status.

Neither who asked nor about whom. Nor why something was refused: where few people are helped, that one of them refused
today would be a fact about a person. The entries of the log tell it to those who may know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from starlette.types import Scope

_NO_OPERATION: Final = "none"
_BOUNDS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_ANSWERS: Final = Counter("ketenbrug_answers", "Answers by operation and HTTP status.", ("operation", "status"))
_SECONDS: Final = Histogram(
    "ketenbrug_answer_seconds", "Seconds from request to the end of its answer.", ("operation",), buckets=_BOUNDS
)
_HONEY: Final = Counter("ketenbrug_honey_touched", "Times that a planted record was opened, or looked for by number.")


def honey() -> None:
    """Count, and say, that somebody came to a planted record (`api.crypto.honey`). Not which."""
    _HONEY.inc()
    structlog.get_logger("ketenbrug.edge").error("honey-touched")


def answered(scope: Scope, status: int | None, seconds: float) -> None:
    """Count one request. `scope` as routing left it; `status` is None when the caller left before an answer began."""
    operation = getattr(scope.get("route"), "name", _NO_OPERATION)
    _ANSWERS.labels(operation, "none" if status is None else str(status)).inc()
    _SECONDS.labels(operation).observe(seconds)
