"""The provider of an organisation, as strict as a real one, and a browser: what tests of signing in talk to.

It shares nothing with `api.oauth.people`: it checks our client assertion, PKCE and redirect address itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from api.outbound import Fetcher
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ISSUER: Final = "https://idp.example/realms/ngo"
CLIENT_ID: Final = "ketenbrug-at-the-ngo"
SUBJECT: Final = "8f14e45f@ngo.example"
CLAIMS: Final = {"sub": SUBJECT, "name": "Noor <Voorbeeld>", "roles": ["lvv-team", "staff"]}


@dataclass
class Elsewhere(httpx.AsyncBaseTransport):
    """The provider. `us`: gives our published keys. The rest is how it behaves at the moment."""

    us: Callable[[], dict[str, Any]]
    now: Callable[[], float]
    key: kit.Key = field(default_factory=lambda: kit.key("es256-people"))
    pushes: bool = True
    names_itself: bool = True
    ends: bool = True
    away: frozenset[str] = frozenset()
    says: dict[str, Any] = field(default_factory=dict[str, Any])
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    answers: dict[str, httpx.Response] = field(default_factory=dict[str, httpx.Response])
    asked: list[str] = field(default_factory=list[str])
    pushed: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    asks_anew: bool = False
    before_token: Callable[[], Awaitable[None]] | None = None
    assertions: set[str] = field(default_factory=set[str])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as it does now."""
        word = request.url.path.removeprefix("/realms/ngo/")
        self.asked.append(word)
        if word in self.away:
            raise httpx.ConnectError("away")
        if word in self.answers:
            return self.answers[word]
        if word == "token" and self.before_token is not None:
            await self.before_token()
        form = dict(parse_qsl(request.content.decode(), strict_parsing=True)) if request.content else {}
        match word:
            case ".well-known/openid-configuration":
                return httpx.Response(200, json=self._metadata())
            case "keys":
                return httpx.Response(200, json={"keys": [self.key.public | {"kid": "one", "use": "sig"}]})
            case "par" if self._is_us(form):
                uri = f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(8)}"
                self.pushed[uri] = form
                return httpx.Response(201, json={"request_uri": uri, "expires_in": 60})
            case "token" if self._is_us(form) and self._is_answered(form):
                asked = self.codes.pop(form["code"])
                return httpx.Response(200, json={"id_token": self.id_token(asked), "access_token": "not for us"})
            case _:
                return httpx.Response(400, json={"error": "invalid_request"})

    def signs_in(self, url: str, **changes: Any) -> str:
        """What the provider answers once somebody signed in there: path and query of the address back."""
        assert url.startswith(f"{ISSUER}/authorize?")
        sent = {name: value for name, (value,) in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        if self.pushes:
            assert set(sent) == {"client_id", "request_uri"}, "nothing else passes through the browser"
            sent = self.pushed.pop(sent["request_uri"])
        assert sent["response_type"] == "code"
        assert sent["code_challenge_method"] == "S256"
        assert sent["scope"] == "openid profile"
        assert sent["max_age"] == "28800"
        self.asks_anew = sent.get("prompt") == "login"
        code = secrets.token_urlsafe(16)
        self.codes[code] = sent
        answer = kit.without({"code": code, "state": sent["state"], "iss": ISSUER} | changes)
        return f"{urlsplit(sent['redirect_uri']).path}?{urlencode(answer)}"

    def id_token(self, asked: dict[str, str]) -> str:
        """An ID token for this request."""
        at = int(self.now())
        said = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "iat": at,
            "exp": at + 300,
            "auth_time": at,
            "nonce": asked["nonce"],
        } | CLAIMS
        return self.key.jws({"kid": "one"} | self.header, kit.without(said | self.says))

    def _metadata(self) -> dict[str, Any]:
        optional = {
            "pushed_authorization_request_endpoint": f"{ISSUER}/par" if self.pushes else kit.GONE,
            "end_session_endpoint": f"{ISSUER}/end" if self.ends else kit.GONE,
            "authorization_response_iss_parameter_supported": self.names_itself or kit.GONE,
        }
        named = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        fixed = {"issuer": ISSUER} | {member: f"{ISSUER}/{path}" for member, path in named.items()}
        return kit.without(fixed | optional | self.metadata)

    def _is_us(self, form: dict[str, str]) -> bool:
        """`private_key_jwt`, with a key that we publish, for this provider alone, and never twice."""
        assert form["client_assertion_type"] == kit.ASSERTION_TYPE
        assertion = form["client_assertion"]
        header, claims = (json.loads(_decoded(part)) for part in assertion.split(".")[:2])
        published = {each["kid"]: each for each in self.us()["keys"]}
        assert header == {"alg": "ES256", "typ": "JWT", "kid": header["kid"]}
        assert header["kid"] in published
        assert _verifies(assertion, published[header["kid"]])
        assert (claims["iss"], claims["sub"], claims["aud"]) == (CLIENT_ID, CLIENT_ID, ISSUER)
        assert claims["exp"] - claims["iat"] == 60
        assert claims["jti"] not in self.assertions
        self.assertions.add(claims["jti"])
        return form["client_id"] == CLIENT_ID

    def _is_answered(self, form: dict[str, str]) -> bool:
        asked = self.codes.get(form["code"], {})
        challenge = kit.b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        return (
            form["grant_type"] == "authorization_code"
            and re.fullmatch(r"[A-Za-z0-9_-]{43,128}", form["code_verifier"]) is not None
            and asked.get("code_challenge") == challenge
            and asked.get("redirect_uri") == form["redirect_uri"]
        )

    def fetcher(self) -> Fetcher:
        """A way to it."""

        async def resolve(_host: str, _port: int) -> list[str]:
            return ["93.184.215.14"]

        return Fetcher(resolve=resolve, inner=self)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _verifies(text: str, jwk: dict[str, Any]) -> bool:
    x, y = (int.from_bytes(_decoded(jwk[name]), "big") for name in ("x", "y"))
    raw = _decoded(text.rpartition(".")[2])
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(signature, text.rpartition(".")[0].encode(), ec.ECDSA(hashes.SHA256()))
    return True
