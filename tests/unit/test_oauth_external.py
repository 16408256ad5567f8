"""Tokens of other issuers: whom they stand for, and what happens when the issuer changes its keys or is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from api.errors import Unauthenticated, Unavailable
from api.oauth import remote
from api.oauth.external import ExternalIssuer, Issuers, Trust
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer, Token
from api.outbound import Fetcher
from api.vocabulary import ClientId
from tests import oauth_kit as kit

NOW = datetime.fromtimestamp(kit.NOW, UTC)
THERE = "https://idp.example/realms/chain"
KEY = kit.key("es256-elsewhere")
BY = kit.key("es256")


class Elsewhere(httpx.AsyncBaseTransport):
    """Another authorization server, as far as we see it: two documents."""

    def __init__(self) -> None:
        self.keys: list[Any] = [KEY.public | {"kid": "one", "use": "sig", "alg": "ES256"}]
        self.metadata: dict[str, Any] = {"issuer": THERE, "jwks_uri": "https://idp.example/realms/chain/keys"}
        self.well_known = "/.well-known/oauth-authorization-server/realms/chain"
        self.away = False
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as it does now."""
        self.asked.append(request.url.path)
        await asyncio.sleep(0)
        if self.away:
            raise httpx.ConnectError("away")
        if request.url.path == self.well_known:
            return httpx.Response(200, json=self.metadata)
        if request.url.path == "/realms/chain/keys":
            return httpx.Response(200, json={"keys": self.keys})
        return httpx.Response(404)

    @property
    def fetches(self) -> int:
        """How often the keys were asked for."""
        return self.asked.count("/realms/chain/keys")


async def _resolve(_host: str, _port: int) -> list[str]:
    return ["93.184.215.14"]


@pytest.fixture
def there() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def issuers(there: Elsewhere) -> Issuers:
    own = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(ECKey.generate_key("P-256")))
    return Issuers(own, {THERE: made(there)})


def made(there: Elsewhere, **trust: Any) -> ExternalIssuer:
    given: dict[str, Any] = {"clients": {"their-name": ClientId("ngo-one")}} | trust
    return ExternalIssuer(Trust(THERE, kit.AUDIENCE, **given), Fetcher(resolve=_resolve, inner=there))


def token(by: kit.Key = KEY, *, kid: Any = "one", **changes: Any) -> str:
    said = {"iss": THERE, "sub": "their-name", "client_id": "their-name", "jti": "an-id-of-theirs"}
    return kit.access_token(by, kid=kid, jkt=BY.thumbprint, **(said | changes))


async def refused(issuers: Issuers, text: str, now: datetime = NOW) -> None:
    with pytest.raises(Unauthenticated):
        await issuers.verify(text, now)


async def test_a_token_of_another_issuer_stands_for_the_registered_client(issuers: Issuers) -> None:
    text = token(scope="cases:read words:unknown")
    found = await issuers.verify(text, NOW)
    assert found == Token(ClientId("ngo-one"), found.scopes, BY.thumbprint, f"{THERE} an-id-of-theirs", kit.NOW + 300)
    assert found.scopes == {"cases:read"}
    assert await issuers.verify(text, NOW) is found, "verified once in a minute"


async def test_our_own_tokens_hold_beside_them(there: Elsewhere) -> None:
    own = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(ECKey.generate_key("P-256")))
    minted = await own.mint(ClientId("ngo-one"), frozenset(), "jkt", NOW)
    assert (await Issuers(own, {THERE: made(there)}).verify(minted.text, NOW)).jkt == "jkt"
    assert (await Issuers(own, {}).verify(minted.text, NOW)).jkt == "jkt"
    assert there.asked == []


async def test_with_our_own_server_switched_off_its_tokens_hold_no_longer(there: Elsewhere) -> None:
    own = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(ECKey.generate_key("P-256")))
    minted = await own.mint(ClientId("ngo-one"), frozenset(), "jkt", NOW)
    issuers = Issuers(None, {THERE: made(there)})
    await refused(issuers, minted.text)
    assert issuers.urls == (THERE,)
    assert Issuers(own, {THERE: made(there)}).urls == (kit.ISSUER, THERE)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "ngo-one", "sub": "ngo-one"},
        {"client_id": kit.GONE},
        {"client_id": 7},
        {"sub": "a-person"},
        {"aud": "https://elsewhere.example"},
        {"exp": kit.NOW},
        {"iat": kit.NOW + 60},
        {"cnf": kit.GONE},
        {"cnf": {"x5t#S256": "A" * 43}},
        {"jti": kit.GONE},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": kit.GONE}},
        {"header": {"alg": "none"}},
        {"kid": "two"},
        {"kid": ["one"]},
        {"kid": kit.GONE},
        {"iss": "https://idp.example"},
        {"iss": 7},
        {"by": kit.key("es256-mallory")},
    ],
    ids=kit.name,
)
async def test_what_is_demanded_of_our_tokens_is_demanded_of_theirs(issuers: Issuers, changes: dict[str, Any]) -> None:
    """A client id is somebody only together with its issuer; a person's token is not a client's."""
    await issuers.verify(token(), NOW)
    await refused(issuers, token(**changes))


async def test_what_is_no_token_is_nobodys(issuers: Issuers) -> None:
    await refused(issuers, "x")


async def test_other_claims_and_types_hold_where_the_operator_said_so(there: Elsewhere) -> None:
    kept = made(there, client_claim="azp", types=frozenset({"jwt"}))
    text = token(azp="their-name", client_id=kit.GONE, header={"typ": "JWT"})
    assert (await Issuers(None, {THERE: kept}).verify(text, NOW)).client_id == "ngo-one"
    await refused(Issuers(None, {THERE: kept}), token(azp="their-name"))


async def test_the_path_of_openid_connect_serves_too(issuers: Issuers, there: Elsewhere) -> None:
    there.well_known = "/realms/chain/.well-known/openid-configuration"
    await issuers.verify(token(), NOW)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://idp.example"},
        {"jwks_uri": "https://elsewhere.example/keys"},
        {"jwks_uri": "https://idp.example:8443/keys"},
        {"jwks_uri": 7},
    ],
    ids=kit.name,
)
async def test_metadata_that_lead_elsewhere_are_not_followed(
    issuers: Issuers, there: Elsewhere, metadata: dict[str, Any]
) -> None:
    """RFC 8414 section 3.3: else another server could pose as this issuer."""
    there.metadata |= metadata
    with pytest.raises(Unavailable):
        await issuers.verify(token(), NOW)


async def test_many_at_once_ask_the_issuer_once(issuers: Issuers, there: Elsewhere) -> None:
    await asyncio.gather(*(issuers.verify(token(jti=f"a-token-{each}"), NOW) for each in range(20)))
    assert there.fetches == 1


async def test_new_keys_are_found_but_nobody_makes_us_ask_without_end(issuers: Issuers, there: Elsewhere) -> None:
    await issuers.verify(token(), NOW)
    new = kit.key("es256-elsewhere-next")
    there.keys = [new.public | {"kid": "next"}]
    for each in range(10):
        await refused(issuers, token(new, kid=f"unknown-{each}"), NOW + timedelta(seconds=remote.COOLDOWN - 1))
    assert there.fetches == 1
    later = NOW + timedelta(seconds=remote.COOLDOWN)
    await issuers.verify(token(new, kid="next"), later)
    assert there.fetches == 2
    await refused(issuers, token(), later)


async def test_keys_are_asked_for_again_in_time(issuers: Issuers, there: Elsewhere) -> None:
    """What was verified with a key that was taken away is forgotten with it."""
    await issuers.verify(token(), NOW)
    there.keys = [kit.key("es256-elsewhere-next").public | {"kid": "next"}]
    await issuers.verify(token(), NOW + timedelta(seconds=30))
    await refused(issuers, token(exp=kit.NOW + 900), NOW + timedelta(seconds=remote.FRESH))


async def test_an_issuer_that_is_away_does_not_stop_those_whose_keys_are_known(
    issuers: Issuers, there: Elsewhere
) -> None:
    await issuers.verify(token(), NOW)
    there.away = True
    still = NOW + timedelta(seconds=remote.STALE)
    await issuers.verify(token(iat=kit.NOW, exp=kit.NOW + remote.STALE + 60), still)
    with pytest.raises(Unavailable):
        await issuers.verify(token(exp=kit.NOW + 10 * remote.STALE), still + timedelta(seconds=remote.COOLDOWN + 1))


async def test_without_any_key_the_token_is_not_called_bad(issuers: Issuers, there: Elsewhere) -> None:
    """503 and `Retry-After`: a client that threw its good token away would only ask for the next one."""
    there.away = True
    with pytest.raises(Unavailable) as found:
        await issuers.verify(token(), NOW)
    assert found.value.retry_after == remote.COOLDOWN
    there.away = False
    with pytest.raises(Unavailable):
        await issuers.verify(token(), NOW + timedelta(seconds=1))
    await issuers.verify(token(), NOW + timedelta(seconds=remote.COOLDOWN))


@pytest.mark.parametrize(
    "keys", [None, "x", [], [7, {}, {"kid": 1}], [KEY.public | {"kid": "one", "use": "enc"}]], ids=kit.name
)
async def test_a_set_without_a_key_of_ours_is_none(issuers: Issuers, there: Elsewhere, keys: Any) -> None:
    there.keys = keys
    with pytest.raises(Unavailable):
        await issuers.verify(token(), NOW)


async def test_keys_of_other_kinds_are_left_alone(issuers: Issuers, there: Elsewhere) -> None:
    there.keys += [kit.key("rsa2048").public | {"kid": "rs"}, kit.key("p384").public | {"kid": "p384"}]
    await issuers.verify(token(), NOW)
