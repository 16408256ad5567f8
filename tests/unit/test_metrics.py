"""Figures of the service, for whoever runs it."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from api.cli import metrics as command
from api.edge import metrics
from api.errors import Misconfigured
from tests import live

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST: Final = "127.0.0.1"


def counted(**labels: str) -> float:
    return REGISTRY.get_sample_value("ketenbrug_answers_total", labels) or 0.0


class Route:
    """A route as routing leaves it in the scope."""

    name = "read_thing"


@pytest.mark.parametrize(
    ("scope", "status", "labels"),
    [
        ({"route": Route()}, 200, {"operation": "read_thing", "status": "200"}),
        ({}, 404, {"operation": "none", "status": "404"}),
        ({"route": Route()}, None, {"operation": "read_thing", "status": "none"}),
    ],
)
def test_an_answer_is_counted_by_operation_and_status(
    scope: Mapping[str, object], status: int | None, labels: Mapping[str, str]
) -> None:
    before = counted(**labels)
    metrics.answered(dict(scope), status, 0.01)
    assert counted(**labels) == before + 1


def test_figures_are_told_while_the_context_lasts_and_not_longer() -> None:
    port = live.free_port()
    with (
        command.told(HOST, port),
        command.told(HOST, port),
        urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as told,
    ):
        assert told.status == 200
    with pytest.raises(URLError):
        urlopen(f"http://{HOST}:{port}/metrics", timeout=30)


def test_without_a_port_nothing_is_told_and_a_port_that_is_taken_is_named() -> None:
    with command.told(HOST, 0):
        pass
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as refused, command.told(HOST, port):
            pass
    assert str(port) in refused.value.faults[0]


DYING: Final = """
import asyncio, datetime, sys
from api.audit.delay import MergeDelay

class Told:
    def unit(self, _now):
        return self

    async def one(self, _bound):
        # an adoption of so many seconds ago whose entries wait
        return {"moved": False, "went_back": False, "behind": True, "id": None, "adopted_at": THEN}

    async def finish(self):
        pass

NOW = datetime.datetime.now(datetime.UTC)
THEN = NOW - datetime.timedelta(seconds=int(sys.argv[1]))
asyncio.run(MergeDelay(60, lambda: NOW).look(Told()))
"""


def test_what_a_process_that_died_saw_of_the_log_is_told_no_longer(tmp_path: Path) -> None:
    """Else whoever is woken by it looks for a delay that is over."""
    for seconds in (900, 1):
        subprocess.run(  # noqa: S603 - our own words
            (sys.executable, "-c", DYING, str(seconds)),
            env=live.environment(PROMETHEUS_MULTIPROC_DIR=tmp_path),
            check=True,
            timeout=60,
        )
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))  # type: ignore[no-untyped-call]
    assert registry.get_sample_value("ketenbrug_log_merge_delay_seconds") == pytest.approx(1)
