"""Ready means: these tables, keys that open what is in them, and a log that keeps up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api.crypto import keyfile
from tests import audit_store
from tests import exchange as world
from tests.dealings import Dealings

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers
    from tests.exchange import Exchange, Furnished

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ready(exchange: Exchange) -> tuple[int, str]:
    """What it answers, and why not."""
    answer = await exchange.http.get("/health/ready")
    return answer.status_code, answer.json().get("detail", "")


async def look(exchange: Exchange) -> None:
    """Each process looks at the log once a second; now is one of those seconds."""
    app: Any = exchange.app.app
    here = app.state.ketenbrug
    await here.delay.look(here.database)


async def caught_up(exchange: Exchange) -> None:
    """What was written when the database was furnished, however long ago, has its place."""
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)
    await look(exchange)


async def test_it_is_ready_and_says_what_was_looked_at(exchange: Exchange) -> None:
    await caught_up(exchange)
    await Dealings.begin(exchange)
    answer = await exchange.http.get("/health/ready")
    assert answer.json() == {"status": "ready", "checks": ["keys", "log", "tables"]}


async def test_a_log_that_nobody_keeps_makes_it_unready(exchange: Exchange) -> None:
    """Entries wait for their place, and no worker runs. It is ready again once one has caught up."""
    await caught_up(exchange)
    await Dealings.begin(exchange)
    assert await ready(exchange) == (200, "")
    with exchange.later(timedelta(minutes=11)):
        await look(exchange)
        assert await ready(exchange) == (503, "Not ready: log.")
        await caught_up(exchange)
        assert await ready(exchange) == (200, "")


async def test_with_the_keys_of_another_service_it_is_not_ready(
    exchange: Exchange, furnished: Furnished, furnished_database: servers.Database, tmp_path: Path
) -> None:
    """A wrong key file opens nothing: better no traffic than answers that fail."""
    await Dealings.begin(exchange)
    keyfile.create(tmp_path / "others")
    others = keyfile.load(tmp_path / "others")
    async with world.running(furnished_database, tmp_path, furnished.members, others) as other:
        assert await ready(other) == (503, "Not ready: keys.")
