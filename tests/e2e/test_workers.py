"""Two processes of the service on one database: what one of them takes or is told counts for the other at once.

Each is `ketenbrug serve` with one worker, so that a test knows which of them it asks. To the outside both are one
address: that of the first.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey

from api.crypto import keyfile
from api.sandbox.service import Service
from tests import live
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from api.sandbox.members import Member
    from tests import servers
    from tests.exchange import Furnished

TWENTY: Final = 20
PATH: Final = "/v1/organisations"
SCOPE: Final = "agreements:read"


@pytest.fixture(scope="module")
def database(furnished: Furnished) -> Iterator[servers.Database]:
    with furnished.clone() as made:
        yield made


@pytest.fixture(scope="module")
def addresses(database: servers.Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Where each of the two listens."""
    folder = tmp_path_factory.mktemp("workers")
    keyfile.create(folder / "keys")
    found = [f"http://127.0.0.1:{live.free_port()}" for _ in range(2)]
    running: list[Service] = []
    try:
        for each in found:
            settings = {
                "database_url": database.app_url,
                "work_database_url": database.work_url,
                "key_file": folder / "keys",
                "log_guard": folder / "guard",
                "public_url": found[0],
                "port": each.rpartition(":")[2],
            }
            running.append(Service.start(live.environment(**settings), each, folder / "said"))
        yield found
    finally:
        for service in running:
            service.stop()


@dataclass
class Client:
    """A client of both, by hand."""

    http: httpx.AsyncClient
    addresses: list[str]
    id: str
    key: kit.Key

    @property
    def issuer(self) -> str:
        """As the outside knows both."""
        return self.addresses[0]

    def form(self, **more: str) -> dict[str, str]:
        """What proves the client at any endpoint of the authorization server."""
        signed = kit.assertion(self.key, self.id, at=time.time(), aud=self.issuer)
        return {"client_assertion_type": kit.ASSERTION_TYPE, "client_assertion": signed} | more

    def asking(self) -> dict[str, str]:
        """The form of a token request."""
        return self.form(grant_type="client_credentials", scope=SCOPE)

    async def nonce(self) -> str:
        """From the second, to be taken by both."""
        proof = kit.proof(self.key, url=f"{self.issuer}/oauth/token", at=time.time(), nonce=kit.GONE)
        answer = await self.http.post(f"{self.addresses[1]}/oauth/token", data=self.asking(), headers={"DPoP": proof})
        assert answer.json()["error"] == "use_dpop_nonce"
        found: str = answer.headers["dpop-nonce"]
        return found

    def proof(self, nonce: str) -> str:
        """For the token endpoint."""
        return kit.proof(self.key, url=f"{self.issuer}/oauth/token", at=time.time(), nonce=nonce)

    async def ask(self, of: int, form: dict[str, str], proof: str) -> httpx.Response:
        """Ask one of them for a token."""
        return await self.http.post(f"{self.addresses[of]}/oauth/token", data=form, headers={"DPoP": proof})

    async def token(self) -> str:
        """A token of the first."""
        answer = await self.ask(0, self.asking(), self.proof(await self.nonce()))
        found: str = answer.json()["access_token"]
        return found

    def headers(self, token: str) -> dict[str, str]:
        """Of one read."""
        proof = kit.proof(self.key, "GET", self.issuer + PATH, token=token, at=time.time())
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    async def read(self, of: int, headers: dict[str, str]) -> httpx.Response:
        """Read at one of them."""
        return await self.http.get(self.addresses[of] + PATH, headers=headers)


@pytest_asyncio.fixture
async def client(furnished: Furnished, addresses: list[str]) -> AsyncGenerator[Client]:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=TWENTY), timeout=30) as http:
        yield _client(http, addresses, furnished.members["ngo"])


def _client(http: httpx.AsyncClient, addresses: list[str], member: Member) -> Client:
    return Client(http, addresses, member.client_id, kit.Key("ES256", ECKey.import_key(dict(member.jwk)).private_key))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(each.status_code for each in answers)


async def test_of_twenty_equal_proofs_at_two_processes_one_gets_in(client: Client) -> None:
    """RFC 9449 section 11.1."""
    token = await client.token()
    for each in (0, 1):
        assert (await client.read(each, client.headers(token))).status_code == 200, "both have seen the token by now"
    headers = client.headers(token)
    answers = await asyncio.gather(*(client.read(number % 2, headers) for number in range(TWENTY)))
    assert statuses(answers) == {200: 1, 401: TWENTY - 1}


async def test_of_twenty_equal_assertions_at_two_processes_one_gets_a_token(client: Client) -> None:
    """RFC 7523 section 3. Each comes with a proof of its own."""
    nonce, form = await client.nonce(), client.asking()
    proofs = [client.proof(nonce) for _ in range(TWENTY)]
    answers = await asyncio.gather(*(client.ask(at % 2, form, proof) for at, proof in enumerate(proofs)))
    assert statuses(answers) == {200: 1, 401: TWENTY - 1}


async def test_of_twenty_equal_token_proofs_at_two_processes_one_gets_a_token(client: Client) -> None:
    nonce = await client.nonce()
    proof, forms = client.proof(nonce), [client.asking() for _ in range(TWENTY)]
    answers = await asyncio.gather(*(client.ask(at % 2, form, proof) for at, form in enumerate(forms)))
    assert statuses(answers) == {200: 1, 400: TWENTY - 1}


async def test_a_token_revoked_at_one_process_is_out_at_the_other_from_the_next_request(client: Client) -> None:
    token = await client.token()
    for each in (0, 1):
        assert (await client.read(each, client.headers(token))).status_code == 200
    form = client.form(token=token)
    assert (await client.http.post(f"{client.addresses[0]}/oauth/revoke", data=form)).status_code == 200
    for each in (1, 0):
        answer = await client.read(each, client.headers(token))
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def _typed(*words: str) -> tuple[int, str]:
    ended = await asyncio.to_thread(live.command, "client", *words)
    return ended.returncode, ended.stdout + ended.stderr


async def test_an_organisation_is_told_what_is_wrong_with_its_connection_and_renews_its_key(
    client: Client, furnished: Furnished, tmp_path: Path
) -> None:
    """As it types it: the check, a new key, the old one dropped, and what is heard of each."""
    member = furnished.members["ind"]
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.touch(0o600)
    old.write_text(json.dumps(dict(member.jwk)))
    asked = ("--issuer", client.issuer, "--client-id", member.client_id, "--scope", SCOPE)

    ended, said = await _typed("check", *asked, "--key", str(old))
    assert (ended, said.count("ok  "), "NO" in said) == (0, 6, False), said
    assert (await _typed("keygen", str(new)))[0] == 0
    ended, said = await _typed("check", *asked, "--key", str(new))
    assert (ended, "by telephone" in said) == (1, True), said
    renewal = (*asked[:4], "--key", str(old), "--new", str(new))
    ended, said = await _typed("renew", *renewal)
    assert (ended, "and the old one too" in said) == (0, True), said
    ended, said = await _typed("check", *asked, "--key", str(new))
    assert ended == 0, said
    ended, said = await _typed("renew", *renewal, "--drop-old")
    assert ended == 0, said
    ended, said = await _typed("check", *asked, "--key", str(old))
    assert (ended, "use the newest one" in said) == (1, True), said
    ended, said = await _typed("renew", *renewal)
    assert (ended, "invalid_client" in said) == (2, True), said


async def test_a_client_disabled_by_the_operator_is_out_at_both_from_the_next_request(
    client: Client, furnished: Furnished, database: servers.Database
) -> None:
    """By the command line, which tells no process anything."""
    other = _client(client.http, client.addresses, furnished.members["otherNgo"])
    token = await other.token()
    for each in (0, 1):
        assert (await other.read(each, other.headers(token))).status_code == 200
    ended = await asyncio.to_thread(live.command, "register", "disable", other.id, database_url=database.app_url)
    assert ended.returncode == 0, ended.stderr
    for each in (1, 0):
        answer = await other.read(each, other.headers(token))
        assert (answer.status_code, _slug(answer)) == (401, "invalid-token")
    refused = await other.ask(0, other.asking(), other.proof(await other.nonce()))
    assert (refused.status_code, "disabled" in refused.json()["error_description"]) == (401, True)


def _slug(answer: httpx.Response) -> Any:
    return json.loads(answer.content)["type"].rpartition("/")[2]
