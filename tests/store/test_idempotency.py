"""An idempotency key has one effect per client and operation, however often and however fast it is sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import pytest

from api.storage import idempotency
from api.storage.pool import Database
from api.vocabulary import ClientId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.storage.idempotency import Claim
    from tests import servers

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
NGO: Final = ClientId("ngo")
OPEN: Final = "cases.open"
KEY: Final = "7f1f0c9e-2f0e"
BODY: Final = b"fingerprint of a request"
OTHER: Final = b"fingerprint of another"


class Keys:
    """Requests with idempotency keys."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def send(
        self,
        *,
        client: ClientId = NGO,
        operation: str = OPEN,
        key: str = KEY,
        body: bytes = BODY,
        at: datetime = NOW,
        refused: int | None = None,
    ) -> tuple[Claim, UUID]:
        """A whole request: what its key stood for, and the id that it would have made."""
        unit, fresh = self.database.unit(at), uuid4()
        claim = await idempotency.claim(unit, client, operation, key, body, fresh)
        if refused is not None:
            idempotency.note(unit, client, operation, key, refused)
        await unit.finish()
        return claim, fresh


@pytest.fixture
async def keys(database: servers.Database) -> AsyncIterator[Keys]:
    pool = await Database.open(database.work_url, size=10, wait=20)
    yield Keys(pool)
    await pool.close()


async def test_the_first_makes_what_it_asks_for(keys: Keys) -> None:
    claim, fresh = await keys.send()

    assert claim == idempotency.Claim(fresh)


async def test_a_retry_finds_what_was_made(keys: Keys) -> None:
    _, made = await keys.send()

    again, _ = await keys.send(at=NOW + timedelta(hours=23))

    assert again == idempotency.Claim(made, replayed=True)


async def test_fifty_equal_requests_at_once_have_one_effect(keys: Keys) -> None:
    sent = await asyncio.gather(*(keys.send() for _ in range(50)))

    (made,) = [fresh for claim, fresh in sent if not claim.replayed]
    assert {claim.resource for claim, _ in sent} == {made}
    assert not any(claim.reused for claim, _ in sent)


async def test_the_same_key_for_another_request_is_told(keys: Keys) -> None:
    """Else a caller would take the answer to one request for the answer to another."""
    await keys.send()

    again, _ = await keys.send(body=OTHER)

    assert again.reused


@pytest.mark.parametrize(
    "change", [{"client": ClientId("other")}, {"operation": "cases.close"}, {"key": "another-key"}]
)
async def test_a_key_is_of_one_client_and_one_operation(keys: Keys, change: dict[str, ClientId]) -> None:
    await keys.send()

    claim, fresh = await keys.send(**change)  # type: ignore[arg-type] # each is what its parameter takes

    assert claim == idempotency.Claim(fresh)


async def test_after_a_day_a_key_is_new(keys: Keys) -> None:
    await keys.send()

    claim, fresh = await keys.send(body=OTHER, at=NOW + idempotency.LIFETIME)

    assert claim == idempotency.Claim(fresh)


async def test_what_was_refused_may_be_tried_again_as_it_was(keys: Keys) -> None:
    """A refusal had no effect; what has changed since may let the same request through."""
    await keys.send(refused=403)

    other, _ = await keys.send(body=OTHER)
    again, fresh = await keys.send()
    third, _ = await keys.send()

    assert other.reused
    assert again == idempotency.Claim(fresh)
    assert third == idempotency.Claim(fresh, replayed=True)


async def test_a_claim_of_a_request_that_failed_is_free(keys: Keys) -> None:
    unit = keys.database.unit(NOW)
    await idempotency.claim(unit, NGO, OPEN, KEY, BODY, uuid4())
    await unit.abort()

    claim, fresh = await keys.send()

    assert claim == idempotency.Claim(fresh)


async def test_keys_are_forgotten_when_their_day_is_over(keys: Keys) -> None:
    await keys.send(key="of-yesterday", at=NOW - idempotency.LIFETIME - timedelta(seconds=1))
    await keys.send()
    unit = keys.database.unit(NOW)

    await idempotency.sweep(unit)
    await unit.finish()

    async with keys.database.connection() as connection:
        left = await connection.fetch("SELECT key FROM exchange.idempotency_key")
    assert [row["key"] for row in left] == [KEY]


async def test_no_body_is_kept(keys: Keys) -> None:
    """A row says that, not what: the answer to a retry is rendered anew, through the gate."""
    await keys.send()

    async with keys.database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM exchange.idempotency_key")
    assert set(dict(row)) == {"client_id", "operation", "key", "fingerprint", "status", "resource_id", "expires_at"}
