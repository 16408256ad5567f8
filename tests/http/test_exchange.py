"""The exchange from end to end, over the API, with the real clients of its parties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.schemas.cases import NewCase
from api.vocabulary import CareFunction, Municipality
from tests import exchange as world

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests import servers
    from tests.exchange import Exchange


@pytest.fixture
async def exchange(database: servers.Database, tmp_path: Path) -> AsyncGenerator[Exchange]:
    async with world.running(database, tmp_path) as running:
        yield running


async def test_an_ngo_opens_a_case(exchange: Exchange) -> None:
    new = NewCase(
        municipality=Municipality.UTRECHT,
        v_number="0000009001",
        functions=(CareFunction.COORDINATION, CareFunction.LEGAL_SCREENING, CareFunction.SOCIAL_GUIDANCE),
    )
    made = await exchange.ngo.cases.open(new)
    assert made.value.v_number == "0000009001"
