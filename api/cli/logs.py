"""What a process says on standard error: one line of named values for each thing, and no text that may hold data.

The values are those of an allow-list. Libraries speak through us too: of what they say we take the constant words and
the class of an error, never its message or its traceback. A driver's message repeats the value that it choked on.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict

ALLOWED: Final = frozenset({"timestamp", "level", "event", "by", "kind", "where", "request_id"})

_SERVER: Final = "uvicorn"


def configure() -> None:
    """Say it so, in this process, from here on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _allowed,
            structlog.processors.LogfmtRenderer(key_order=("timestamp", "level", "event"), drop_missing=True),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Others()], force=True)


class _Others(logging.Handler):
    """What libraries say."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it our way. The server's own words name ports and addresses of ours only."""
        of_server = record.name.partition(".")[0] == _SERVER
        lines = (record.getMessage() if of_server else str(record.msg)).strip().splitlines() or [""]
        kind = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            lines[-1] if of_server else lines[0],
            by=record.name,
            kind=None if kind is None else kind.__name__,
        )


def _allowed(_logger: object, _method: str, said: EventDict) -> EventDict:
    return {key: _plain(value) for key, value in said.items() if key in ALLOWED and value is not None}


def _plain(value: object) -> str:
    return " < ".join(str(each) for each in cast("list[object]", value)) if isinstance(value, list) else str(value)
