"""When the log stands still, nothing is disclosed: no promise is given that nobody keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients.errors import Overloaded
from tests import exchange as world
from tests.audit_store import settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers
    from tests.exchange import Furnished


async def test_a_log_that_stands_still_stops_the_exchange_and_not_the_auditor(
    furnished: Furnished, furnished_database: servers.Database, tmp_path: Path
) -> None:
    """Reads and deeds are refused with 503, and say when to come back; once the tree has caught up they go on."""
    async with world.running(furnished_database, tmp_path, furnished.members, merge_bound=0.5) as exchange:
        delay = _delay(exchange.app)
        await delay.look(exchange.database)
        assert delay.late()
        for call in (exchange.ngo.cases.list().pages(), exchange.municipality.cases.list().pages()):
            with pytest.raises(Overloaded) as refused:
                await anext(aiter(call))
            assert refused.value.retry_after
        async with exchange.database.connection() as connection:
            await settle(connection)
        assert (await exchange.auditor.audit.checkpoint()).value.tree_size > 0
        async with exchange.database.connection() as connection:
            await settle(connection)
        await delay.look(exchange.database)
        assert [each async for each in exchange.ngo.cases.list()] == []


def _delay(app: Any) -> Any:
    return app.app.state.ketenbrug.delay
