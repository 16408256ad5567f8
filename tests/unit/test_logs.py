"""What a process says on standard error holds no text that may hold data."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest
import structlog

from api.cli import logs, work
from api.errors import WitnessRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "Kanarie, geboren te Fictiedam"


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What a process says; the test run has its own logging back afterwards."""
    root = logging.root
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    with redirect_stderr(io.StringIO()) as stream:
        logs.configure()
        yield stream
    root.handlers[:], root.level = handlers, level
    structlog.configure(**configured)


def test_only_values_of_the_allow_list_are_said(said: io.StringIO) -> None:
    structlog.get_logger("any").error("unhandled", kind="KeyError", where=["a.py:1 f", "b.py:2 g"], name=CANARY)

    assert said.getvalue().endswith(' level=error event=unhandled kind=KeyError where="a.py:1 f < b.py:2 g"\n')
    assert said.getvalue().startswith("timestamp=")


def test_of_a_library_the_constant_words_and_the_class_of_the_error_are_said(said: io.StringIO) -> None:
    """A driver's message repeats the value that it choked on; asyncio's holds the error's own text."""
    library = logging.getLogger("driver")  # noqa: TID251 - we play a library
    try:
        int(CANARY)
    except ValueError as error:
        library.exception("Retrying %s", CANARY)
        library.error("Task exception was never retrieved\nfuture: <%s>", error)
    library.info("not at all")

    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    assert CANARY not in said.getvalue()
    assert lines[0].endswith('level=error event="Retrying %s" by=driver kind=ValueError')
    assert lines[1].endswith('level=error event="Task exception was never retrieved" by=driver')


def test_which_witness_refused_and_why_is_said(said: io.StringIO) -> None:
    """That is what it is there for. Of a fault of ours the class is told, and no text."""
    for fault in (WitnessRefused("https://w.example", "it answered 500"), ValueError(CANARY)):
        work._not_cosigned(fault)

    first, second = said.getvalue().splitlines()
    assert first.endswith('event=witness-fault kind=WitnessRefused where="https://w.example: it answered 500"')
    assert second.endswith("event=witness-fault kind=ValueError")


def test_the_server_may_say_why_it_does_not_start(said: io.StringIO) -> None:
    """Of a traceback it sends us, only the last line is told."""
    server = logging.getLogger("uvicorn.error")  # noqa: TID251 - we play the server
    server.error(OSError(98, "address in use"))
    server.error("Traceback:\n  a line of code\napi.errors.Unavailable: database\n")

    lines = said.getvalue().splitlines()
    assert 'event="[Errno 98] address in use"' in lines[0]
    assert 'event="api.errors.Unavailable: database"' in lines[1]
