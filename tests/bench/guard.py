"""What the guard costs: its own work for one request, on the CPU, without network and database."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from joserfc.jwk import ECKey

from api.oauth import dpop
from api.oauth.copies import Copies
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer
from api.vocabulary import ClientId, Scope
from clients._keys import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ISSUER: Final = "https://ketenbrug.example"
URL: Final = f"{ISSUER}/v1/dossiers/1"
TIMES: Final = 1_000


def report() -> None:
    """Print the figures: microseconds, median of so many."""
    now = datetime.now(UTC)  # noqa: TID251 - proofs are for now
    key = ECKey.generate_key("P-256")
    client = Signer(key.as_dict(private=True))
    issuer = Issuer(ISSUER, f"{ISSUER}/v1", SigningKeys(ECKey.generate_key("P-256")))
    tokens = asyncio.run(_tokens(issuer, client.thumbprint, now))
    proofs = [client.proof("GET", URL, now.timestamp(), token=tokens[0]) for _ in range(TIMES)]
    copies = Copies(120)

    def proven(text: str) -> None:
        proof = dpop.verify([text], method="GET", url=URL, now=now, token=tokens[0])
        if copies.find((proof.jkt, proof.jti), now) is None:
            copies.note((proof.jkt, proof.jti), now)

    first = _median(tokens, lambda text: issuer.verify(text, now))
    known = _median(tokens[:1] * TIMES, lambda text: issuer.verify(text, now))
    proof = _median(proofs, proven)
    print(f"  guard, one request: {known + proof:.0f} us (proof {proof:.0f}, token known {known:.0f}, new {first:.0f})")


async def _tokens(issuer: Issuer, jkt: str, now: datetime) -> list[str]:
    scopes = frozenset({Scope.DOSSIERS_READ})
    return [(await issuer.mint(ClientId("bench"), scopes, jkt, now)).text for _ in range(TIMES)]


def _median(texts: Sequence[str], act: Callable[[str], object]) -> float:
    times: list[float] = []
    for text in texts:
        began = time.perf_counter()
        act(text)
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1e6


if __name__ == "__main__":
    report()
