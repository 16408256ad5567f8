"""However a sandbox ends, nothing of it is left running; started again where it was, it has everything.

Last in this folder, because these tests end the sandbox that the others use.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.vocabulary import Purpose
from tests import live

if TYPE_CHECKING:
    from tests.live import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")


def test_killed_it_leaves_nothing_running_and_started_again_it_has_everything(sandbox: Sandbox) -> None:
    before = sandbox.description()

    sandbox.end(signal.SIGKILL)
    live.assert_gone(sandbox.directory)
    assert not live.listens(sandbox.port)

    (sandbox.directory / "sandbox.json").write_text(json.dumps({"stale": True}))
    sandbox.start()
    after = sandbox.description()
    assert (after["clients"], after["samples"]) == (before["clients"], before["samples"])
    with sandbox.cast() as cast:
        pulled = cast.ngo.dossiers.read(UUID(after["samples"]["dossierId"]), purpose=Purpose.LEGAL_SCREENING)
    assert len(pulled.value.sections) >= 8


def test_told_to_stop_it_stops_all_that_it_started(sandbox: Sandbox) -> None:
    """Once it has ended there is nothing left to wait for."""
    assert live.family(sandbox.directory)

    assert sandbox.end(signal.SIGTERM) == 0

    assert live.family(sandbox.directory) == []
    assert not live.listens(sandbox.port)
    assert not (sandbox.directory / "sandbox.json").exists()
