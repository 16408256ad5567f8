"""Signing keys in a token of SoftHSM (PKCS#11): the contract, the command, and each way in which a token can fail."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pkcs11
import pytest
from typer.testing import CliRunner

from api import settings
from api.cli import checks, keys
from api.crypto import keyfile, pkcs11_session, signing_choice
from api.crypto.signers import FileWorkshop, KeyServiceAway
from api.crypto.signing_choice import SigningChoice, SigningKind
from api.errors import Misconfigured
from api.oauth import metadata, signing
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer
from tests import oauth_kit as kit
from tests import oauth_world
from tests.signing_services import CONTRACT, FIRST, NOW, rotate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from api.crypto.choice import Choice
    from api.crypto.signers import Workshop
    from tests import servers

PIN = "1234"


@dataclass
class InToken:
    """Keys in a token."""

    file: Path
    chosen: SigningChoice

    @asynccontextmanager
    async def open(self, **changes: Any) -> AsyncGenerator[Workshop]:
        """Reach it."""
        async with signing_choice.opened(self.chosen.model_copy(update=changes)) as workshop:
            yield workshop

    async def begun(self) -> str:
        """With a key that signs; its label."""
        async with self.open() as workshop:
            made = await workshop.make()
        rotate(self.file, made, NOW, compromised=True)
        label: str = made.written["label"]
        return label

    async def fault(self, **changes: Any) -> str:
        """Why the key does not sign."""
        async with self.open(**changes) as workshop:
            (found,) = await signing.read(FIRST, self.file, workshop).faults(kit.NOW)
        assert PIN not in found
        return found


@pytest.fixture
def keeper(hsm: Choice, tmp_path: Path) -> InToken:
    chosen = SigningChoice(
        signing_service=SigningKind.PKCS11,
        signing_module=hsm.module,
        signing_token=hsm.token,
        signing_credentials=hsm.credentials,
    )
    return InToken(tmp_path / "keys.signing", chosen)


async def within(keeper: InToken, call: Callable[[Any], Any]) -> Any:
    """Do it with the library's session."""
    chosen = keeper.chosen
    assert chosen.signing_module is not None
    assert chosen.signing_credentials is not None
    session = pkcs11_session.session(chosen.signing_module, chosen.signing_token, chosen.signing_credentials)
    return await session.do(call)


def labelled(opened: Any, label: str, kind: pkcs11.ObjectClass = pkcs11.ObjectClass.PRIVATE_KEY) -> Any:
    (found,) = opened.get_objects({pkcs11.Attribute.LABEL: label, pkcs11.Attribute.CLASS: kind})
    return found


@pytest.mark.parametrize("name", CONTRACT)
async def test_keys_in_a_token_keep_the_contract(name: str, keeper: InToken) -> None:
    await CONTRACT[name](keeper)


async def test_a_key_never_leaves_the_token(keeper: InToken) -> None:
    label = await keeper.begun()
    assert "d" not in json.loads(keeper.file.read_text())["keys"][0]["jwk"]

    def looked_at(opened: Any) -> None:
        key = labelled(opened, label)
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]
        for fixed in (pkcs11.Attribute.EXTRACTABLE, pkcs11.Attribute.MODIFIABLE, pkcs11.Attribute.DERIVE):
            assert key[fixed] is False
        assert key[pkcs11.Attribute.NEVER_EXTRACTABLE] is True

    await within(keeper, looked_at)


async def test_each_way_to_fail_is_said_with_what_to_look_at(keeper: InToken, tmp_path: Path) -> None:
    """None of them says the PIN."""
    label = await keeper.begun()
    (tmp_path / "pin").write_text("9999")
    assert "does not take the PIN in" in await keeper.fault(signing_credentials=tmp_path / "pin")
    assert "the file with the PIN" in await keeper.fault(signing_credentials=tmp_path / "none")
    assert "has no token none" in await keeper.fault(signing_token="none")
    assert "cannot be loaded" in await keeper.fault(signing_module=tmp_path / "none.so")
    assert "names no token" in await keeper.fault(signing_service=SigningKind.FILE)
    other = await keeper.begun()
    content = json.loads(keeper.file.read_text())
    content["keys"][-1]["label"] = label
    keeper.file.unlink()
    keeper.file.write_text(json.dumps(content))
    keeper.file.chmod(0o400)
    assert "is not the one that was made there" in await keeper.fault()
    await within(keeper, lambda opened: labelled(opened, label).destroy())
    assert f"no key {label}" in await keeper.fault()
    assert other != label


async def test_a_key_that_is_destroyed_signs_no_more_and_says_so(keeper: InToken) -> None:
    """Also in a process that has used it: fail closed, at once."""
    label = await keeper.begun()
    async with keeper.open() as workshop:
        key = signing.read(FIRST, keeper.file, workshop).active(kit.NOW)
        await key.sign("test", {})
        await within(keeper, lambda opened: labelled(opened, label).destroy())
        for _ in range(2):
            with pytest.raises(KeyServiceAway):
                await key.sign("test", {})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library's, of its closed session
async def test_who_wraps_and_who_signs_share_one_login(keeper: InToken, hsm: Choice, tmp_path: Path) -> None:
    """A token knows one login for each process: the second would be refused, and a logout ends both."""
    async with keeper.open() as workshop, signing_choice.opened(keeper.chosen) as other:
        made = await workshop.make()
        await (await other.make()).sign(b"content")
        await within(keeper, lambda opened: opened.close())  # the module restarted
        with pytest.raises(KeyServiceAway):
            await made.sign(b"content")
        await made.sign(b"content")
        assert hsm.credentials is not None
        (tmp_path / "pin").write_text(hsm.credentials.read_text())
        async with keeper.open(signing_credentials=tmp_path / "pin") as twice:
            with pytest.raises(KeyServiceAway) as away:
                await twice.make()
        assert "name the same one twice" in away.value.why


async def test_the_event_loop_goes_on_while_a_token_signs(keeper: InToken) -> None:
    async with keeper.open() as workshop:
        signer = await workshop.make()
        await signer.sign(b"first")
        waits: list[float] = []

        async def beat() -> None:
            while True:
                began = time.perf_counter()
                await asyncio.sleep(0)
                waits.append(time.perf_counter() - began)

        beating = asyncio.create_task(beat())
        began = time.perf_counter()
        for _ in range(200):
            await signer.sign(b"content")
        each = (time.perf_counter() - began) / 200
        beating.cancel()
    assert sorted(waits)[len(waits) // 2] < each / 2, "the loop turned while the token signed"


async def test_a_token_of_oauth_is_signed_in_the_token_and_read_by_the_guard(
    keeper: InToken, database: servers.Database
) -> None:
    """From the token endpoint to a protected request."""
    by = kit.key("es256")
    await keeper.begun()
    async with oauth_world.opened(database.app_url) as world, keeper.open() as workshop:
        world.issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(FIRST, keeper.file, workshop))
        world.use(world.database)
        await world.client(by)
        token = await world.token(by)
        assert (await world.call(by, token)).status_code == 200
        published = (await world.http.get(metadata.JWKS_PATH)).json()["keys"]
    active = signing.read(FIRST, keeper.file, FileWorkshop()).active(kit.NOW)
    assert [key["kid"] for key in published] == [active.kid]


def test_the_command_makes_the_next_key_in_the_token(
    keeper: InToken, database: servers.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the service starts with it; without the token it does not, and says why."""
    keyfile.create(tmp_path / "keys")
    chosen = keeper.chosen
    known = {
        "KETENBRUG_KEY_FILE": str(tmp_path / "keys"),
        "KETENBRUG_DATABASE_URL": database.owner_url,
        "KETENBRUG_PUBLIC_URL": "https://ketenbrug.example",
        "KETENBRUG_SIGNING_SERVICE": "pkcs11",
        "KETENBRUG_SIGNING_MODULE": str(chosen.signing_module),
        "KETENBRUG_SIGNING_TOKEN": chosen.signing_token,
        "KETENBRUG_SIGNING_CREDENTIALS": str(chosen.signing_credentials),
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)

    def typed(*words: str) -> str:
        result = CliRunner().invoke(keys.app, list(words))
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    typed("rotate-signing", "--compromised")
    typed("rotate-signing")
    listed = typed("signing-keys")
    assert [line.split()[0] for line in listed.splitlines()] == ["gone", "active", "next"]
    assert listed.count("ketenbrug-signing-") == 2
    assert '"d"' not in keeper.file.read_text()
    found = settings.serving()
    schedule, faults = asyncio.run(checks._signing(keyfile.load(found.key_file), found))
    assert (len(schedule.keys), faults) == (3, ())
    monkeypatch.setenv("KETENBRUG_SIGNING_TOKEN", "none")
    with pytest.raises(Misconfigured, match="has no token none"):
        checks.may_serve()
    refused = CliRunner().invoke(keys.app, ["rotate-signing", "--compromised"]).exception
    assert isinstance(refused, Misconfigured)
    assert "has no token none" in str(refused)
    later = settings.now() + timedelta(hours=2)
    assert len(signing.read(keyfile.load(found.key_file).token, keeper.file).states(later.timestamp())) == 3
