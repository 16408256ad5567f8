"""One sandbox whose parts may be killed, for all tests here that kill or search them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.sandbox.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """PostgreSQL, the service and its worker, without a population; what they say stands beside them in `said`."""
    folder = tmp_path_factory.mktemp("running")
    with Running.start(folder / "sandbox", people=0, said=folder / "said") as made:
        yield made
