"""What tests of documents share: a dossier that takes documents, and each step of one, by hand."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from api.vocabulary import DataCategory, Purpose
from tests import oauth_kit as kit
from tests.dealings import Dealings

if TYPE_CHECKING:
    from uuid import UUID

    import httpx

    from tests.actor import Actor
    from tests.exchange import Exchange

SCREENING: Final = Purpose.LEGAL_SCREENING
TITLE: Final = "Invented decision on VOORBEELD"


def pdf(length: int) -> bytes:
    """Bytes that begin as a PDF does, no two blocks of them alike."""
    counted = b"".join(b"%08d" % number for number in range(length // 8 + 1))
    return (b"%PDF-1.7 " + counted)[:length]


def announced(content: bytes, kind: str = "application/pdf", **headers: str) -> dict[str, str]:
    """What is said of a content in the head of its request."""
    digest = b64encode(sha256(content).digest()).decode()
    return {"Content-Type": kind, "Content-Digest": f"sha-256=:{digest}:", **headers}


async def proven(actor: Actor, method: str, at: str) -> dict[str, str]:
    """What a request that is made by hand has in its head to prove who calls."""
    token = await actor.token()
    proof = kit.proof(actor.key, method, f"{actor.base}/v1{at}", token=token, at=actor.clock().timestamp())
    return {"Authorization": f"DPoP {token}", "DPoP": proof}


async def scope(actor: Actor, method: str, at: str, headers: dict[str, str]) -> dict[str, Any]:
    """A request as the server hands it to the application."""
    sent = headers | await proven(actor, method, at)
    return {
        "type": "http",
        "method": method,
        "path": f"/v1{at}",
        "raw_path": f"/v1{at}".encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 9),
        "root_path": "",
    }


@dataclass(frozen=True)
class Attached:
    """A dossier that takes documents, and who may do what with it."""

    exchange: Exchange
    dealings: Dealings
    request: UUID
    dossier: UUID

    @classmethod
    async def to(cls, exchange: Exchange, *, consented: bool = True) -> Attached:
        """A dossier of which a part was delivered."""
        dealings = await Dealings.begin(exchange)
        return await cls.of(exchange, await dealings.consented() if consented else dealings)

    @classmethod
    async def of(cls, exchange: Exchange, dealings: Dealings) -> Attached:
        """The same, of a case that is there."""
        request = await dealings.requested()
        made = await dealings.delivered(request, [DataCategory.IDENTITY], complete=False)
        assert made.dossier_id is not None
        return cls(exchange, dealings, request.id, made.dossier_id)

    @property
    def path(self) -> str:
        """Where its documents are."""
        return f"/dossiers/{self.dossier}/documents"

    async def announce(
        self, category: str = "decisions", kind: str = "application/pdf", **asked: Any
    ) -> httpx.Response:
        """The IND announces a document."""
        body = {"category": category, "mediaType": kind, "title": TITLE}
        return await self.exchange.actor("ind").post(self.path, body, **asked)

    async def awaited(self, category: str = "decisions", kind: str = "application/pdf") -> str:
        """The address of a document whose content is awaited."""
        answer = await self.announce(category, kind)
        assert (answer.status_code, answer.json()["state"]) == (201, "awaited"), answer.text
        return answer.headers["location"].removeprefix("/v1")

    async def send(self, at: str, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """The IND sends a content."""
        said = announced(content) if headers is None else headers
        return await self.exchange.actor("ind").send("PUT", at, content, headers=said)

    async def stored(self, content: bytes, category: str = "decisions") -> str:
        """The address of a document that is there."""
        at = await self.awaited(category)
        answer = await self.send(at, content)
        assert answer.status_code == 204, answer.text
        return at

    async def read(self, at: str, **headers: str) -> httpx.Response:
        """The NGO reads it."""
        return await self.exchange.actor("ngo").get(at, purpose=SCREENING, headers=headers)
