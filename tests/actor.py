"""A party that speaks HTTP by hand, with keys and proofs of `tests.oauth_kit`, on the clock of the service.

It sends what no proper client would, and shows the bare answer: what must be refused is refused to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson
from joserfc.jwk import ECKey

from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import httpx

    from api.sandbox.members import Member
    from api.vocabulary import Purpose

NONE: Final = "no idempotency key"
ANY_VERSION: Final = {"If-Match": "*"}
OCCURRENCE: Final = ("instance", "requestId")
"""What differs between two equal problems."""
OF_ONE_REQUEST: Final = frozenset({"request-id", "traceparent", "audit-receipt", "ratelimit"})
"""Headers that no two answers share; `ratelimit` counts down with each request of the client."""


@dataclass
class Actor:
    """One client of one organisation."""

    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    base: str
    member: Member
    key: kit.Key
    _tokens: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str], repr=False)

    @classmethod
    def of(cls, http: httpx.AsyncClient, clock: Callable[[], datetime], base: str, member: Member) -> Actor:
        """The actor that holds a member's key."""
        native = ECKey.import_key(dict(member.jwk)).private_key
        return cls(http, clock, base, member, kit.Key("ES256", native))

    async def token(self, scopes: Iterable[str] | None = None) -> str:
        """A token of these scopes, of all that are registered unless told otherwise; kept for some minutes."""
        at = self.clock().timestamp()
        words = " ".join(sorted(self.member.part.scopes if scopes is None else scopes))
        kept = next((key for key in self._tokens if key[0] == words and 0 <= at - key[1] < 200), (words, int(at)))
        if kept not in self._tokens:
            form = kit.form(self.key, self.member.client_id, words, at=at, aud=self.base)
            url = f"{self.base}/oauth/token"
            answer = await self._granted(url, form, at, kit.GONE)
            if answer.json().get("error") == "use_dpop_nonce":
                answer = await self._granted(url, form, at, answer.headers["dpop-nonce"])
            assert answer.status_code == 200, answer.text
            self._tokens[kept] = answer.json()["access_token"]
        return self._tokens[kept]

    async def _granted(self, url: str, form: dict[str, str], at: float, nonce: object) -> httpx.Response:
        headers = {"DPoP": kit.proof(self.key, url=url, at=at, nonce=nonce)}
        return await self.http.post(url, data=form, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        purpose: Purpose | str | None = None,
        key: str | None = None,
        token: str | None = None,
        scopes: Iterable[str] | None = None,
        headers: dict[str, str] | None = None,
        person: str | None = None,
    ) -> httpx.Response:
        """Send one request. `body`: bytes as they are, anything else as JSON. `key`: one of its own, or `NONE`."""
        token = await self.token(scopes) if token is None else token
        url = f"{self.base}/v1{path}"
        sent = dict(headers or {})
        sent["Authorization"] = f"DPoP {token}"
        acting: dict[str, Any] = {"acting_person": kit.GONE if person is None else person}
        at = self.clock().timestamp()
        sent["DPoP"] = kit.proof(self.key, method, url.partition("?")[0], token=token, at=at, **acting)
        if method == "POST" and key != NONE:
            sent["Idempotency-Key"] = key or str(uuid4())
        if purpose is not None:
            sent["Purpose"] = str(purpose)
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        return await self.http.request(method, url, content=content, headers=sent)

    async def get(self, path: str, **asked: Any) -> httpx.Response:
        """Read."""
        return await self.send("GET", path, **asked)

    async def post(self, path: str, body: Any = None, **asked: Any) -> httpx.Response:
        """Make, or ask."""
        return await self.send("POST", path, body, **asked)


def slug(answer: httpx.Response) -> str:
    """Which problem an answer is."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    kind: str = answer.json()["type"]
    return kind.rpartition("/")[2]


def refused(answer: httpx.Response, status: int, problem: str) -> dict[str, Any]:
    """Hold an answer to be this problem; its body."""
    assert (answer.status_code, slug(answer)) == (status, problem), answer.text
    body: dict[str, Any] = answer.json()
    return body


def told(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All that an answer tells, but for which occurrence it is."""
    body = {name: value for name, value in answer.json().items() if name not in OCCURRENCE}
    headers = {name: value for name, value in answer.headers.items() if name not in OF_ONE_REQUEST}
    return answer.status_code, body, headers


def reasons(answer: httpx.Response) -> dict[str, str]:
    """Why each category stays closed, as a problem tells it."""
    return {each["category"]: each["reason"] for each in answer.json().get("reasons", ())}
