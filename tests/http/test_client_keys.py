"""Clients that replace their own keys, and clients that publish them: over HTTP and a real database."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api.oauth import jose, operator, registry
from api.oauth.limits import Quota
from api.oauth.model import KEYS_LAST, KEYS_WARNED, NewClient, renew_by
from api.oauth.remote import COOLDOWN, FRESH
from api.outbound import Fetcher
from api.vocabulary import ClientId, Scope
from tests import oauth_kit as kit
from tests.oauth_world import Disturbed, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests import servers

OLD = kit.key("es256")
NEW = kit.key("ed25519")
THIEF = kit.key("es256-mallory")
ID = "ngo-one"
PATH = "/oauth/client-keys"
THERE = "https://ngo.example/keys"


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.app_url) as made:
        await made.client(OLD)
        yield made


@pytest.fixture
async def shared(module_database: servers.Database) -> AsyncIterator[World]:
    """For tests that change nothing but the log."""
    async with opened(module_database.app_url) as made:
        await made.client(OLD)
        yield made


def jwks(*keys: kit.Key) -> dict[str, Any]:
    return {"keys": [each.public | {"kid": each.thumbprint} for each in keys]}


async def renew(
    world: World,
    by: kit.Key,
    named: Any,
    *proving: kit.Key,
    of: str = ID,
    header: dict[str, Any] | None = None,
    jti: str = "",
    **claims: Any,
) -> httpx.Response:
    """Ask for these keys, by this one; each of `proving` says that it is there."""
    jti = jti or secrets.token_urlsafe(16)
    assertion = kit.assertion(by, of, at=world.at, header={"kid": by.thumbprint}, jti=jti, jwks=named)
    said = {"iss": of, "aud": kit.ISSUER, "jti": jti} | claims
    proofs = [
        each.jws({"typ": "ketenbrug-key-proof+jwt", "kid": each.thumbprint} | (header or {}), said) for each in proving
    ]
    form = {
        "client_assertion_type": kit.ASSERTION_TYPE,
        "client_assertion": assertion,
        "proofs": " ".join(proofs),
    }
    return await world.http.post(PATH, data=form)


async def issued(world: World, by: kit.Key) -> int:
    form = kit.form(by, ID, "dossiers:read", at=world.at, header={"kid": by.thumbprint})
    return (await world.ask(by, form=form)).status_code


async def test_a_client_changes_over_to_a_new_key_without_a_gap(world: World) -> None:
    """It adds the new one, uses it, and leaves out the old one. Each step is an entry that names the keys."""
    assert [await issued(world, each) for each in (OLD, NEW)] == [200, 401]
    added = await renew(world, OLD, jwks(OLD, NEW), NEW)
    assert (added.status_code, {each["kid"] for each in added.json()["keys"]}) == (
        200,
        {OLD.thumbprint, NEW.thumbprint},
    )
    assert added.json()["client_keys_renew_by"] == renew_by(world.clock()).isoformat()
    assert [await issued(world, each) for each in (OLD, NEW)] == [200, 200]
    assert (await renew(world, NEW, jwks(NEW))).status_code == 200
    assert [await issued(world, each) for each in (OLD, NEW)] == [401, 200]
    entries = await world.entries(registry.RENEW_KEYS)
    assert [(each["result"], each["object"]["type"]) for each in entries] == [("permitted", f"client:{ID}")] * 2
    assert len({each["object"]["digest"] for each in entries}) == 2


async def test_a_token_goes_on_when_keys_change(world: World) -> None:
    """It is bound to its own key, and lives for five minutes."""
    token = await world.token(OLD)
    assert (await world.call(OLD, token)).status_code == 200
    assert (await renew(world, OLD, jwks(NEW), NEW)).status_code == 200
    assert (await world.call(OLD, token)).status_code == 200


@pytest.mark.parametrize(
    ("named", "proving", "changes"),
    [
        (jwks(OLD, NEW), (), {}),
        (jwks(OLD, NEW), (OLD,), {}),
        (jwks(OLD, NEW), (NEW,), {"jti": "of-another-assertion"}),
        (jwks(OLD, NEW), (NEW,), {"iss": "ngo-two"}),
        (jwks(OLD, NEW), (NEW,), {"aud": "https://elsewhere.example"}),
        (jwks(OLD, NEW), (NEW,), {"header": {"typ": "dpop+jwt"}}),
        (jwks(OLD, NEW), (NEW,), {"header": {"kid": OLD.thumbprint}}),
        (jwks(), (), {}),
        (None, (), {}),
        ([], (), {}),
        ({"keys": "x"}, (), {}),
        ({"keys": [{"kty": "oct", "k": "AA"}]}, (), {}),
        ({"keys": [OLD.public | {"d": "AA"}]}, (), {}),
        (jwks(*(kit.key(f"es256-{each}") for each in range(5))), (), {}),
    ],
    ids=[
        "a new key that proves nothing",
        "a proof by an old key",
        "a proof for another assertion",
        "a proof of another client",
        "a proof for another server",
        "a proof that is a DPoP proof",
        "a proof by a key that it does not name",
        "no keys",
        "no key set",
        "a list",
        "keys that are no list",
        "a symmetric key",
        "a private key",
        "too many",
    ],
)
async def test_no_key_is_replaced_for(
    shared: World, named: Any, proving: tuple[kit.Key, ...], changes: dict[str, Any]
) -> None:
    """The client proved who it is: its refusal is an entry, and its assertion is used up."""
    claims = {name: value for name, value in changes.items() if name not in {"jti", "header"}}
    if "jti" in changes:
        other = NEW.jws(
            {"typ": "ketenbrug-key-proof+jwt", "kid": NEW.thumbprint}, {"iss": ID, "aud": kit.ISSUER, "jti": "another"}
        )
        form = {
            "client_assertion_type": kit.ASSERTION_TYPE,
            "client_assertion": kit.assertion(OLD, ID, at=shared.at, jwks=named),
            "proofs": other,
        }
        answer = await shared.http.post(PATH, data=form)
    else:
        answer = await renew(shared, OLD, named, *proving, header=changes.get("header"), **claims)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    entry = (await shared.entries(registry.RENEW_KEYS))[-1]
    assert (entry["result"], entry["reason"]) == ("refused", "invalid_client_metadata")
    assert await issued(shared, OLD) == 200


async def test_only_who_has_the_old_key_names_new_ones(world: World) -> None:
    """Nor does an assertion that was made for a token replace a key."""
    assert (await renew(world, THIEF, jwks(THIEF), THIEF)).status_code == 401
    captured = kit.form(OLD, ID, "dossiers:read", at=world.at)
    answer = await world.http.post(PATH, data=captured | {"proofs": "x"})
    assert answer.json()["error"] == "invalid_client_metadata"
    assert (await world.http.post(PATH, data={})).json()["error"] == "invalid_request"
    await world.disable(ID)
    assert (await renew(world, OLD, jwks(NEW), NEW)).status_code == 401


async def test_a_captured_renewal_brings_no_old_key_back(world: World) -> None:
    assert (await renew(world, OLD, jwks(OLD, NEW), NEW, jti="captured-renewal")).status_code == 200
    assert (await renew(world, NEW, jwks(NEW))).status_code == 200
    again = await renew(world, OLD, jwks(OLD, NEW), NEW, jti="captured-renewal")
    assert again.status_code == 401
    assert await issued(world, OLD) == 401


async def test_the_same_renewal_twenty_times_at_once_counts_once(world: World) -> None:
    answers = await asyncio.gather(*(renew(world, OLD, jwks(OLD, NEW), NEW, jti="the-same-one") for _ in range(20)))
    assert Counter(each.status_code for each in answers)[200] == 1
    assert {each.status_code for each in answers} <= {200, 401, 503}
    again = await renew(world, OLD, jwks(OLD, NEW), NEW, jti="the-same-one")
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    permitted = [each for each in await world.entries(registry.RENEW_KEYS) if each["result"] == "permitted"]
    assert len(permitted) == 1


async def test_a_client_whose_keys_change_meanwhile_is_told_to_come_again(world: World) -> None:
    happened: list[bool] = []

    async def once() -> None:
        if not happened:
            happened.append(True)
            unit = world.database.unit(world.clock())
            known = await registry.read(unit, ClientId(ID))
            assert known is not None
            both = jose.key_ring([OLD.public | {"kid": OLD.thumbprint}, THIEF.public])
            assert await registry.replace_keys(unit, operator.local(), known, both)
            await unit.finish()

    plain = world.database
    world.use(Disturbed(plain, "UPDATE", once))
    answer = await renew(world, OLD, jwks(OLD, NEW), NEW)
    assert (answer.status_code, happened) == (503, [True])
    world.use(plain)
    assert (await renew(world, OLD, jwks(OLD, NEW), NEW, jti="another-one")).status_code == 200


async def test_a_client_that_is_disabled_meanwhile_replaces_nothing(world: World) -> None:
    plain = world.database
    world.use(Disturbed(plain, "WITH", lambda: world.disable(ID)))
    answer = await renew(world, OLD, jwks(OLD, NEW), NEW)
    assert answer.status_code == 503
    world.use(plain)
    assert (await renew(world, OLD, jwks(OLD, NEW), NEW, jti="another-one")).status_code == 401


async def test_renewals_have_the_limit_of_tokens(world: World) -> None:
    world.tokens = Quota("tokens", 1, 60)
    world.use(world.database)
    assert (await renew(world, OLD, jwks(OLD, NEW), NEW, jti="the-first-one")).status_code == 200
    for _ in range(5):
        again = await renew(world, OLD, jwks(OLD, NEW), NEW, jti="the-first-one")
        assert again.status_code == 401
    assert (await renew(world, OLD, jwks(OLD), jti="the-second-one")).status_code == 429


async def test_a_client_is_told_in_time_to_renew_its_keys(world: World) -> None:
    """In a member that who does not know it ignores; it is never stopped for that."""
    assert "client_keys_renew_by" not in (await world.ask(OLD)).json()
    world.clock.forward((KEYS_LAST - KEYS_WARNED).total_seconds())
    due = renew_by(world.clock() + KEYS_WARNED - KEYS_LAST)
    assert (await world.ask(OLD)).json()["client_keys_renew_by"] == due.isoformat()
    world.clock.forward(timedelta(days=500).total_seconds())
    assert (await world.ask(OLD)).status_code == 200
    assert (await renew(world, OLD, jwks(NEW), NEW)).status_code == 200
    form = kit.form(NEW, ID, "dossiers:read", at=world.at, header={"kid": NEW.thumbprint})
    assert "client_keys_renew_by" not in (await world.ask(NEW, form=form)).json()


class Page(httpx.AsyncBaseTransport):
    """Where a client publishes its keys."""

    def __init__(self) -> None:
        self.document: Any = jwks(OLD)
        self.away = False
        self.fetches = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as it does now."""
        self.fetches += 1
        assert request.url.path == "/keys"
        if self.away:
            raise httpx.ConnectError("away")
        return httpx.Response(200, json=self.document)


async def _resolve(_host: str, _port: int) -> list[str]:
    return ["93.184.215.14"]


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
async def published(database: servers.Database, page: Page) -> AsyncIterator[World]:
    """A world with a client that publishes its keys."""
    async with opened(database.app_url) as made:
        made.fetcher = Fetcher(resolve=_resolve, inner=page)
        made.use(made.database)
        unit = made.database.unit(made.clock())
        new = NewClient(ClientId(ID), await made.organisation(), (), frozenset({Scope.DOSSIERS_READ}), THERE)
        await registry.register_client(unit, operator.local(), new)
        await unit.finish()
        yield made


async def test_a_client_that_publishes_its_keys_changes_them_there(published: World, page: Page) -> None:
    assert [await issued(published, each) for each in (OLD, NEW)] == [200, 401]
    page.document = jwks(NEW)
    assert await issued(published, NEW) == 401, "an unknown key id asks not more often than that"
    published.clock.forward(COOLDOWN)
    assert [await issued(published, each) for each in (NEW, OLD)] == [200, 401]
    entries = await published.entries(registry.RENEW_KEYS)
    assert [each["actor"]["client"] for each in entries] == [ID] * 2
    answer = await renew(published, NEW, jwks(NEW, OLD), OLD)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_a_key_that_was_taken_off_the_page_counts_for_five_minutes_at_most(published: World, page: Page) -> None:
    assert await issued(published, OLD) == 200
    page.document = jwks(NEW)
    published.clock.forward(FRESH)
    assert await issued(published, OLD) == 401


async def test_what_was_found_serves_while_nobody_answers_also_after_a_restart(published: World, page: Page) -> None:
    assert await issued(published, OLD) == 200
    page.away = True
    published.use(published.database)  # a worker that has fetched nothing
    published.clock.forward(1)
    assert await issued(published, OLD) == 200
    published.clock.forward(COOLDOWN)
    assert await issued(published, OLD) == 200
    published.clock.forward(90_000)
    assert await issued(published, OLD) == 503


async def test_without_any_keys_the_request_is_to_be_repeated(published: World, page: Page) -> None:
    page.away = True
    assert await issued(published, OLD) == 503
    many = jwks(*(kit.key(f"es256-{each}") for each in range(5)))
    documents: list[dict[str, Any]] = [{}, {"keys": []}, many]
    for document in documents:
        page.away, page.document = False, document
        published.clock.forward(COOLDOWN)
        assert await issued(published, OLD) == 503


async def test_another_worker_finds_what_was_written_down(published: World, page: Page) -> None:
    assert await issued(published, OLD) == 200
    published.use(published.database)
    assert await issued(published, OLD) == 200
    assert page.fetches == 2
    assert len(await published.entries(registry.RENEW_KEYS)) == 1
    published.clock.forward(FRESH)
    assert await issued(published, OLD) == 200
    assert len(await published.entries(registry.RENEW_KEYS)) == 1, "nothing changed"


async def test_a_client_that_is_gone_when_its_keys_were_fetched_gets_nothing(published: World) -> None:
    await published.disable(ID)
    assert await issued(published, OLD) == 401
