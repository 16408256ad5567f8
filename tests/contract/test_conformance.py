"""Every answer is one that the description foresees: status, media type, headers, schema; and never a fault of ours."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api import app as assembly
from api.vocabulary import Purpose
from clients._keys import Signer
from tests import conformance, edge_kit, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from api.sandbox.members import Member
    from tests import servers

DEMO = edge_kit.demo().openapi()


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


@pytest.fixture(scope="module")
def demo() -> dict[str, list[Any]]:
    """Requests for the demonstration. Made here, not at import: every worker of a run imports this file."""
    return conformance.cases(DEMO, examples=30)


@pytest.mark.parametrize("name", [each["operationId"] for each in _operations(DEMO)])
async def test_every_shape_of_operation_answers_as_described(demo: dict[str, list[Any]], name: str) -> None:
    async with edge_kit.client(edge_kit.enclosed()) as client:
        seen = await conformance.assert_conforms(client, name, demo[name])
    assert min(seen) < 300 or name in {"readThing", "changeThing"}


async def test_an_answer_that_is_not_as_described_is_found() -> None:
    """Else the tests around it would prove nothing."""
    document = edge_kit.demo().openapi()
    document["components"]["schemas"]["Thing"]["required"].append("surplus")
    document["paths"] = {"/things": document["paths"]["/things"]}
    cases = conformance.cases(document, examples=5)["makeThing"]
    async with edge_kit.client(edge_kit.enclosed()) as client:
        with pytest.raises(BaseExceptionGroup, match="schema"):
            await conformance.assert_conforms(client, "makeThing", cases)


async def test_every_operation_answers_as_described(database: servers.Database, tmp_path: Path) -> None:
    """As a proven client that holds the scope; most of what is asked is not there, which is part of it."""
    real = assembly.described().openapi()
    async with exchange.running(database, tmp_path) as running:
        prove = _Proofs(running, real)
        total: Counter[int] = Counter()
        for name, some in conformance.cases(real, examples=3).items():
            seen = await conformance.assert_conforms(running.http, name, some, prove)
            assert 401 not in seen, name
            total += seen
    assert {200, 201, 400, 404} <= set(total)


class _Proofs:
    """The headers of a proven client, one that holds the scope; a new key each time, so that creating is tried."""

    def __init__(self, running: exchange.Exchange, document: dict[str, Any]) -> None:
        self._running = running
        self._tokens: dict[str, str] = {}
        self._scopes = {
            operation["operationId"]: next(iter(operation["security"][0].values()))[0]
            for operation in _operations(document)
        }

    async def __call__(self, name: str, method: str, url: str) -> Mapping[str, str]:
        member = next(
            each for each in self._running.members.values() if self._scopes[name] in {str(s) for s in each.part.scopes}
        )
        signer = Signer(member.jwk)
        token = self._tokens.get(member.client_id) or await self._granted(member, signer)
        return {
            "authorization": f"DPoP {token}",
            "dpop": signer.proof(method, url, time.time(), token=token),
            "idempotency-key": uuid4().hex,
            "purpose": Purpose.LEGAL_SCREENING,
        }

    async def _granted(self, member: Member, signer: Signer) -> str:
        url = f"{exchange.BASE}/oauth/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": member.client_id,
            "scope": " ".join(member.part.scopes),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signer.assertion(member.client_id, exchange.BASE, time.time()),
        }
        nonce = None
        for _ in range(2):
            headers = {"dpop": signer.proof("POST", url, time.time(), nonce=nonce)}
            answer = await self._running.http.post(url, data=form, headers=headers)
            nonce = answer.headers["dpop-nonce"]
        token: str = answer.json()["access_token"]
        self._tokens[member.client_id] = token
        return token
