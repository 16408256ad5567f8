"""Clients that prove themselves by a certificate (RFC 8705), over HTTP and a database; the hop is simulated.

The certificates are real. A real proxy before the whole service is in `tests/foreign/test_mtls_proxies.py`.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api.oauth import certificate, operator, pins, registry
from api.oauth.model import NewClient
from api.vocabulary import ClientId, Party, Scope
from tests import mtls_kit
from tests import oauth_kit as kit
from tests.mtls_kit import OIN, Certificate
from tests.oauth_world import World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests import servers

ISSUED = "oauth.issue-token"
BY = kit.key("es256")
GOOD = mtls_kit.certificate("good")
RENEWED = mtls_kit.certificate("renewed")
PROBE = f"{mtls_kit.URL}/v1/probe"


@dataclass
class Connection:
    """A client with a certificate, as its requests come out of the hop."""

    world: World
    shown: Certificate | None = GOOD
    by: kit.Key = BY

    @property
    def fields(self) -> dict[str, str]:
        """What the hop adds."""
        return {} if self.shown is None else self.shown.fields

    async def ask(self, url: str = mtls_kit.TOKEN_URL, **form: str) -> httpx.Response:
        """Ask for a token."""
        sent = {"grant_type": "client_credentials", "scope": "dossiers:read", "client_id": "mtls-one"} | form
        headers = {"DPoP": kit.proof(self.by, url=url, at=self.world.at)} | self.fields
        return await self.world.http.post("/oauth/token", data=sent, headers=headers)

    async def token(self, **form: str) -> str:
        """A token that was issued."""
        answer = await self.ask(**form)
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["access_token"]
        return text

    async def read(self, token: str, url: str = PROBE) -> httpx.Response:
        """Make a protected request."""
        headers = self.world.headers(self.by, token, url=url)
        return await self.world.http.get("/v1/probe", headers=headers | self.fields)

    async def manage(self, path: str, token: str) -> httpx.Response:
        """Revoke a token, or ask about it."""
        form = {"token": token, "client_id": "mtls-one"}
        return await self.world.http.post(path, data=form, headers=self.fields)


async def registered(
    world: World, client_id: str, oin: str | None, *held_to: Certificate, kind: Party = Party.NGO
) -> None:
    of = await world.organisation(client_id, kind, oin)
    unit = world.database.unit(world.clock())
    certificates = tuple(certificate.read(each.der) for each in held_to)
    scopes = frozenset({Scope.DOSSIERS_READ, Scope.CASES_READ})
    new = NewClient(ClientId(client_id), of, (), scopes, certificates=certificates)
    await registry.register_client(unit, operator.local(), new)
    await unit.finish()


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.app_url) as made:
        await registered(made, "mtls-one", OIN)
        yield made


@pytest.fixture
async def shared(module_database: servers.Database) -> AsyncIterator[World]:
    """For tests that leave nothing behind that another would see."""
    async with opened(module_database.app_url) as made:
        unit = made.database.unit(made.clock())
        known = await registry.read(unit, ClientId("mtls-one"))
        await unit.finish()
        if known is None:
            await registered(made, "mtls-one", OIN)
            await registered(made, "pinned", "00000099000000003000", mtls_kit.certificate("p", "00000099000000003000"))
            await made.client(BY, "with-keys")
        yield made


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error"], body["error_description"]


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    said: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return said


async def test_a_certificate_proves_a_client_and_binds_its_token(shared: World) -> None:
    """RFC 8705 sections 2 and 3, beside RFC 9449: neither the key nor the certificate alone opens anything."""
    connection = Connection(shared)
    token = await connection.token()
    assert claims(token)["cnf"] == {"jkt": BY.thumbprint, "x5t#S256": GOOD.thumbprint}
    read = await connection.read(token)
    assert (read.status_code, read.json()["client"]) == (200, "mtls-one")
    entry = (await shared.entries(ISSUED))[-1]
    assert (entry["result"], entry["actor"]["client"]) == ("permitted", "mtls-one")
    assert entry["object"]["digest"] == certificate.read(GOOD.der).digest.hex()


async def test_a_renewed_certificate_of_the_organisation_serves_without_a_word(shared: World) -> None:
    """The authority vouches for the OIN; the token of the old one does not serve with the new one."""
    token = await Connection(shared).token()
    renewed = Connection(shared, RENEWED)
    assert (await renewed.read(token)).status_code == 401
    assert (await renewed.read(await renewed.token())).status_code == 200


@pytest.mark.parametrize(
    ("shown", "form", "sentence"),
    [
        (None, {}, "no certificate came"),
        (mtls_kit.certificate("expired", days=(-30, -1)), {}, "has expired"),
        (mtls_kit.certificate("early", days=(1, 30)), {}, "does not hold yet"),
        (mtls_kit.certificate("without", ""), {}, "no OIN"),
        (mtls_kit.certificate("twice", (OIN, OIN)), {}, "no OIN"),
        (mtls_kit.certificate("other", "00000099000000002000"), {}, "not one by which this client"),
        (GOOD, {"client_id": "pinned"}, "not one by which this client"),
        (mtls_kit.certificate("unpinned", "00000099000000003000"), {"client_id": "pinned"}, "not one by which"),
        (GOOD, {"client_id": "with-keys"}, "not one by which this client"),
        (GOOD, {"client_id": "nobody-here"}, "not one by which this client"),
        (GOOD, {"client_id": "No Id"}, "not one by which this client"),
        (GOOD, {"client_id": ""}, "client authentication failed"),
        (GOOD, {"client_assertion": "x"}, "client authentication failed"),
        (GOOD, {"client_assertion": "x", "client_assertion_type": kit.ASSERTION_TYPE}, "client authentication failed"),
    ],
    ids=str,
)
async def test_no_token_for(shared: World, shown: Certificate | None, form: dict[str, str], sentence: str) -> None:
    """What is wrong with a certificate is told its holder; of the client no more than that it is not theirs."""
    url = kit.TOKEN_URL if shown is None else mtls_kit.TOKEN_URL
    status, error, description = refusal(await Connection(shared, shown).ask(url, **form))
    assert (status, error) == (401, "invalid_client")
    assert sentence in description
    assert not {'"', "\\"} & set(description)


async def test_an_assertion_does_not_prove_a_client_that_has_a_certificate(shared: World) -> None:
    """One method per client, as it was registered: not even on its own connection."""
    form = kit.form(BY, "mtls-one", "dossiers:read")
    assert refusal(await Connection(shared).ask(**form))[:2] == (401, "invalid_client")


async def test_a_client_with_keys_gets_its_token_over_such_a_connection_too(shared: World) -> None:
    """It is not bound to a certificate that nobody registered, nor asked for it."""
    form = kit.form(BY, "with-keys", "dossiers:read")
    token = await Connection(shared).token(**form | {"client_id": "with-keys"})
    assert set(claims(token)["cnf"]) == {"jkt"}
    assert (await Connection(shared, None).read(token, f"{kit.ISSUER}/v1/probe")).status_code == 200


async def test_a_proof_is_for_the_address_at_which_the_hop_was_reached(shared: World) -> None:
    """RFC 9449 section 4.3: the proof of one address serves at no other one."""
    assert refusal(await Connection(shared).ask(kit.TOKEN_URL))[:2] == (400, "invalid_dpop_proof")
    token = await Connection(shared).token()
    assert (await Connection(shared).read(token, f"{kit.ISSUER}/v1/probe")).status_code == 401


@pytest.mark.parametrize(
    ("shown", "detail"),
    [
        (None, "bound to a certificate"),
        (RENEWED, "another certificate"),
        (mtls_kit.certificate("other", "00000099000000002000"), "another certificate"),
    ],
    ids=str,
)
async def test_a_token_opens_nothing_on_another_connection(
    shared: World, shown: Certificate | None, detail: str
) -> None:
    """RFC 8705 section 3: 401, invalid_token. The thief has the token and even the key of the proofs."""
    token = await Connection(shared).token()
    url = f"{kit.ISSUER}/v1/probe" if shown is None else PROBE
    answer = await Connection(shared, shown).read(token, url)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (401, "invalid-token")
    assert detail in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_the_key_of_the_proof_is_needed_beside_the_certificate(shared: World) -> None:
    token = await Connection(shared).token()
    assert (await Connection(shared, by=kit.key("es256-mallory")).read(token)).status_code == 401


async def test_a_connection_does_not_outlive_its_certificate(shared: World) -> None:
    """The hop looked at it when the connection began; we look at each request."""
    short = Connection(shared, mtls_kit.certificate("short", days=(-30, 60 / 86_400)))
    token = await short.token()
    assert (await short.read(token)).status_code == 200
    shared.clock.forward(61)
    answer = await short.read(token)
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (401, True)


async def test_a_proof_is_used_once_beside_a_certificate_too(shared: World) -> None:
    headers = {"DPoP": kit.proof(BY, url=mtls_kit.TOKEN_URL)} | GOOD.fields
    form = {"grant_type": "client_credentials", "scope": "dossiers:read", "client_id": "mtls-one"}
    answers = [await shared.http.post("/oauth/token", data=form, headers=headers) for _ in range(2)]
    assert answers[0].status_code == 200
    assert refusal(answers[1])[:2] == (400, "invalid_dpop_proof")


async def test_what_a_proven_client_may_not_have_is_an_entry_with_its_certificate(shared: World) -> None:
    assert refusal(await Connection(shared).ask(scope="cases:write"))[:2] == (400, "invalid_scope")
    entry = (await shared.entries(ISSUED))[-1]
    assert (entry["result"], entry["reason"]) == ("refused", "invalid_scope")
    assert entry["object"]["digest"] == certificate.read(GOOD.der).digest.hex()


async def test_a_disabled_client_is_told_so_and_its_token_is_dead(world: World) -> None:
    connection = Connection(world)
    token = await connection.token()
    await world.disable("mtls-one")
    assert (await connection.read(token)).status_code == 401
    assert "disabled" in refusal(await connection.ask())[2]


async def test_tokens_are_revoked_and_asked_about_by_certificate(shared: World) -> None:
    """RFC 7009, RFC 7662, and RFC 8705 section 3.2: what a token is bound to is told."""
    connection = Connection(shared)
    token = await connection.token()
    assert refusal(await connection.manage("/oauth/introspect", token))[1] == "unauthorized_client"
    oin = "00000099000000004000"
    await registered(shared, "resource", oin, kind=Party.OPERATOR)
    resource = mtls_kit.certificate("resource", oin)
    form = {"token": token, "client_id": "resource"}
    told = (await shared.http.post("/oauth/introspect", data=form, headers=resource.fields)).json()
    assert told["cnf"] == {"jkt": BY.thumbprint, "x5t#S256": GOOD.thumbprint}
    assert (await connection.manage("/oauth/revoke", token)).status_code == 200
    assert (await connection.read(token)).status_code == 401
    assert refusal(await Connection(shared, None).manage("/oauth/revoke", token))[2].startswith("no certificate came")


async def test_the_operators_hold_a_client_to_other_certificates_at_once(world: World) -> None:
    """Also for tokens that were issued before: a certificate that is lost is closed like a client that is."""
    lost, held = Connection(world), Connection(world, RENEWED)
    token = await lost.token()
    assert (await lost.read(token)).status_code == 200
    await pin(world, "mtls-one", RENEWED)
    answer = await lost.read(token)
    assert (answer.status_code, "held to" in answer.json()["detail"]) == (401, True)
    assert refusal(await lost.ask())[2].startswith("this certificate is not one")
    assert (await held.read(await held.token())).status_code == 200
    (entry,) = await world.entries(pins.PIN)
    assert entry["object"]["type"] == "client:mtls-one"
    await pin(world, "mtls-one")
    assert (await lost.ask()).status_code == 200


async def pin(world: World, client_id: str, *those: Certificate) -> None:
    unit = world.database.unit(world.clock())
    certificates = [certificate.read(each.der) for each in those]
    await pins.replace(unit, operator.local(), ClientId(client_id), certificates)
    await unit.finish()


async def test_a_client_is_told_in_time_that_its_certificate_expires(shared: World) -> None:
    """As it is told of its keys; the day is that of the certificate itself."""
    assert "client_certificate_renew_by" not in (await Connection(shared).ask()).json()
    near = mtls_kit.certificate("near", days=(-30, 29))
    told = (await Connection(shared, near).ask()).json()
    assert told["client_certificate_renew_by"] == near.made.not_valid_after_utc.date().isoformat()
    assert "client_keys_renew_by" not in told


async def test_a_client_with_a_certificate_has_no_keys_to_replace(shared: World) -> None:
    form = {"client_id": "mtls-one", "client_assertion": kit.assertion(BY, "mtls-one")}
    answer = await shared.http.post("/oauth/client-keys", data=form, headers=GOOD.fields)
    assert refusal(answer)[:2] == (401, "invalid_client")


@pytest.mark.parametrize(
    ("headers", "name", "code"),
    [
        ({"Client-Cert": GOOD.fields["Client-Cert"]}, "Client-Cert", "not-the-hop"),
        (GOOD.fields | {"Client-Cert-Hop-Key": "guessed"}, "Client-Cert", "not-the-hop"),
        (GOOD.fields | {"Client-Cert": GOOD.pem.replace("\n", "%0A")}, "Client-Cert", "unreadable"),
        ({"Client-Cert-Chain": ":AAAA:", "Client-Cert-Hop-Key": mtls_kit.HOP_KEY}, "Client-Cert-Chain", "alone"),
    ],
)
@pytest.mark.parametrize("path", ["/oauth/token", "/v1/probe", "/.well-known/jwks.json"])
async def test_a_certificate_that_nobody_vouches_for_ends_the_request(
    shared: World, path: str, headers: dict[str, str], name: str, code: str
) -> None:
    """RFC 9440 section 4. Everywhere, before anything else: 400, and nothing of what was sent in the answer."""
    answer = await shared.http.get(path, headers=headers)
    assert answer.status_code == 400
    (told,) = answer.json()["errors"]
    assert (told["in"], told["name"], told["code"]) == ("header", name, code)
    assert headers.get("Client-Cert", "x" * 99)[:40] not in answer.text


async def test_the_documents_say_where_and_how(shared: World) -> None:
    """RFC 8705 sections 3.3 and 5, RFC 9728 section 2."""
    document = (await shared.http.get("/.well-known/oauth-authorization-server")).json()
    assert document["tls_client_certificate_bound_access_tokens"] is True
    assert document["mtls_endpoint_aliases"] == {
        "token_endpoint": mtls_kit.TOKEN_URL,
        "revocation_endpoint": f"{mtls_kit.URL}/oauth/revoke",
        "introspection_endpoint": f"{mtls_kit.URL}/oauth/introspect",
    }
    assert (await shared.http.get(document["jwks_uri"])).status_code == 200
    resource = (await shared.http.get("/.well-known/oauth-protected-resource/v1")).json()
    assert resource["tls_client_certificate_bound_access_tokens"] is True
