"""Hostile input to the guard and to the authorization server: refused as theirs, never a fault of ours.

`make fuzz` tries 100,000 inputs; `make test` some hundreds. Most inputs are almost right, because what is plainly wrong
ends early: one part of a good request is replaced, and signed by the right key where there is something to sign.

Half of the time goes into making inputs, and more with each that hypothesis remembers: so the 100,000 come in parts
that know nothing of one another, and each processor takes parts. No server stands between: the app is called directly.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from json import loads as json_of
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.oauth.limits import Quota
from api.storage.pool import Database
from tests import oauth_kit as kit
from tests.oauth_world import PROBE, World, native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import servers

Changes: TypeAlias = "dict[str, Any]"
Headers: TypeAlias = "list[tuple[bytes, bytes]]"

BY: Final = kit.key("es256")
OTHER: Final = kit.key("ed25519")
SERVER: Final = kit.key("es256-fuzzed-server")
PLENTY: Final = 1_000_000_000
CLIENT: Final = "ngo-one"
PATH: Final = PROBE.removeprefix(kit.ISSUER)
PARTS: Final = 10
"""Of each test, in `make fuzz`: the profile says how many inputs there are in one."""

scalars: Final = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=True)
    | st.sampled_from((0, -1, 2**53, 2**63, 2**64, 10**400, 1e308, kit.NOW, kit.NOW + 60, str(kit.NOW), "", "x" * 300))
    | st.text(max_size=40)
    | st.sampled_from(('x"y', "\\", "\0", "\ud800", "ngo-one", "ES256", "none", kit.ISSUER, kit.AUDIENCE, PROBE))
)
json: Final = (
    scalars
    | st.lists(scalars, max_size=3)
    | st.dictionaries(st.text(max_size=8), scalars | st.lists(scalars, max_size=2), max_size=3)
)
"""What JSON can hold, and what Python's writer calls JSON; what is nested deeply is `deep`."""


_OURS: Final = frozenset({"at", "by", "client_id", "header", "jkt", "kid", "method", "token", "url"})
"""Arguments of the kit, which a member of their name would take the place of."""


def changed(*names: str) -> st.SearchStrategy[Changes]:
    """One or two of these members replaced or left out, or a member that nobody knows."""
    one = st.tuples(
        st.sampled_from(names) | st.text(max_size=8).filter(lambda name: name not in _OURS), json | st.just(kit.GONE)
    )
    return st.lists(one, max_size=2).map(dict)


raw: Final = st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass"))
deep: Final = st.integers(1, 2_000).map(lambda depth: kit.b64(b"[" * depth + b"]" * depth))
keys: Final = st.sampled_from((BY, OTHER, kit.key("ps256"), kit.key("p384"), kit.key("rsa2048")))
headers: Final = changed("typ", "alg", "kid", "jwk", "crit", "b64", "x5c", "jku")
proofs: Final = st.tuples(keys, headers, changed("jti", "htm", "htu", "iat", "ath", "nonce", "acting_person"))
assertions: Final = st.tuples(keys, headers, changed("iss", "sub", "aud", "iat", "nbf", "exp", "jti", "jwks"))
forms: Final = changed(
    "grant_type", "scope", "client_assertion_type", "client_assertion", "client_id", "resource", "token", "proofs"
)
tokens: Final = st.tuples(
    st.sampled_from((SERVER, BY)),
    headers,
    changed("iss", "sub", "aud", "client_id", "iat", "nbf", "exp", "jti", "scope", "cnf"),
)


@pytest.fixture(scope="module", autouse=True)
def part() -> int:
    """Which part of the run this is: the only one, but for the long run."""
    return 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cut the long run into parts."""
    if metafunc.config.getoption("--hypothesis-profile") == "fuzz":
        metafunc.parametrize("part", range(PARTS), scope="module")


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    body: bytes = b""


class Fuzzed:
    """The service, on a loop of its own, so that hypothesis can call it."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        self.runner = runner
        database = runner.run(Database.open(url, size=4))
        self.world = World(database, key=native(SERVER))
        for each in ("requests", "lookups", "same_person", "tokens", "introspections"):
            setattr(self.world, each, Quota(each, PLENTY, 3_600))
        self.world.use(database)
        runner.run(self.world.client(BY))

    def send(self, method: str, path: str, sent: Headers, body: bytes = b"") -> Answer:
        """Send it. Whatever it is, it is not our fault, and the answer is one of ours."""
        answer = self.runner.run(self._sent(method, path, sent, body))
        assert 100 <= answer.status < 500, answer
        if answer.status >= 400:
            told = json_of(answer.body)
            assert set(told) == {"error", "error_description"} or told["nextStep"], told
        return answer

    async def _sent(self, method: str, path: str, sent: Headers, body: bytes) -> Answer:
        """Call the app as a server would."""
        length = (b"content-length", str(len(body)).encode())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"ketenbrug.test"), length, *sent],
            "client": ("127.0.0.1", 1),
            "server": ("ketenbrug.test", 443),
        }
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            answer.status = message.get("status", answer.status)
            answer.body += message.get("body", b"")

        await self.world.app(scope, receive, send)
        return answer

    def close(self) -> None:
        """Close every connection."""
        self.runner.run(self.world.http.aclose())
        self.runner.run(self.world.database.close())


@pytest.fixture(scope="module")
def fuzzed(module_database: servers.Database) -> Iterator[Fuzzed]:
    with asyncio.Runner() as runner:
        made = Fuzzed(runner, module_database.app_url)
        try:
            yield made
        finally:
            made.close()


def proof(made: tuple[kit.Key, Changes, Changes], method: str, url: str, token: str | None = None) -> bytes:
    by, header, claims = made
    return kit.proof(by, method, url, token=token, header=header, **claims).encode()


def encoded(form: dict[str, Any]) -> bytes:
    """As a form, whatever its values are."""
    return urlencode({name: str(value) for name, value in kit.without(form).items()}, errors="surrogatepass").encode()


FORM: Final = (b"content-type", b"application/x-www-form-urlencoded")


@given(
    assertion=assertions,
    form=forms,
    proved=proofs,
    path=st.sampled_from(("token", "revoke", "introspect", "client-keys")),
)
def test_an_almost_good_request_to_an_endpoint(
    fuzzed: Fuzzed,
    assertion: tuple[kit.Key, Changes, Changes],
    form: Changes,
    proved: tuple[kit.Key, Changes, Changes],
    path: str,
) -> None:
    by, header, claims = assertion
    signed = kit.assertion(by, CLIENT, header=header, **claims)
    good = kit.form(BY, CLIENT, "dossiers:read") | {"client_assertion": signed, "token": "x"}
    sent = [FORM, (b"dpop", proof(proved, "POST", kit.TOKEN_URL))]
    fuzzed.send("POST", f"/oauth/{path}", sent, encoded(good | form))


@given(body=raw | forms.map(encoded), kind=st.sampled_from((FORM[1], b"application/json", b"")) | raw, dpop=raw)
def test_anything_to_the_token_endpoint(fuzzed: Fuzzed, body: bytes, kind: bytes, dpop: bytes) -> None:
    fuzzed.send("POST", "/oauth/token", [(b"content-type", kind), (b"dpop", dpop)], body)


@given(token=tokens, proved=proofs)
def test_an_almost_good_request_to_the_api(
    fuzzed: Fuzzed, token: tuple[kit.Key, Changes, Changes], proved: tuple[kit.Key, Changes, Changes]
) -> None:
    """The token is signed with the server's own key: only what it says is wrong."""
    by, header, claims = token
    text = kit.access_token(by, kid=SERVER.thumbprint, jkt=BY.thumbprint, header=header, **claims)
    sent = [(b"authorization", b"DPoP " + text.encode()), (b"dpop", proof(proved, "GET", PROBE, text))]
    fuzzed.send("GET", PATH, sent)


@given(authorization=raw, dpop=raw | st.tuples(deep, deep).map(lambda parts: ".".join((*parts, "AAAA")).encode()))
def test_anything_to_the_api(fuzzed: Fuzzed, authorization: bytes, dpop: bytes) -> None:
    sent = [(b"authorization", b"DPoP " + authorization), (b"dpop", dpop)]
    assert fuzzed.send("GET", PATH, sent).status == 401


def test_the_good_request_is_let_in(fuzzed: Fuzzed) -> None:
    """Else the others would prove nothing."""
    nothing: tuple[kit.Key, Changes, Changes] = (BY, {}, {})
    body = encoded(kit.form(BY, CLIENT, "dossiers:read"))
    answer = fuzzed.send("POST", "/oauth/token", [FORM, (b"dpop", proof(nothing, "POST", kit.TOKEN_URL))], body)
    assert answer.status == 200
    text = kit.access_token(SERVER, kid=SERVER.thumbprint, jkt=BY.thumbprint)
    sent = [(b"authorization", b"DPoP " + text.encode()), (b"dpop", proof(nothing, "GET", PROBE, text))]
    assert fuzzed.send("GET", PATH, sent).status == 200
