"""Signing keys in a file keep the contract. One of a token, where no token can be reached, signs nothing."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api.crypto import pkcs11_session, signers, signing_choice
from api.crypto.signers import FileSigner, FileWorkshop, KeyServiceAway
from api.crypto.signing_choice import SigningChoice, SigningKind
from api.errors import Misconfigured
from api.oauth import signing
from tests import oauth_kit as kit
from tests.signing_services import CONTRACT, FIRST, in_a_token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from api.crypto.signers import Workshop


@dataclass
class Filed:
    """Keys in a file."""

    file: Path

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Workshop]:
        """Reach it."""
        async with signing_choice.opened(SigningChoice()) as workshop:
            yield workshop


@pytest.fixture
def keeper(tmp_path: Path) -> Filed:
    return Filed(tmp_path / "keys.signing")


@pytest.mark.parametrize("name", CONTRACT)
async def test_keys_in_a_file_keep_the_contract(name: str, keeper: Filed) -> None:
    await CONTRACT[name](keeper)


def token_of(folder: Path, **given: Any) -> SigningChoice:
    told = {"signing_module": folder / "none.so", "signing_token": "t", "signing_credentials": folder / "pin"} | given
    return SigningChoice.model_validate({"signing_service": SigningKind.PKCS11, **told})


async def test_without_its_token_a_key_is_published_and_signs_nothing(keeper: Filed) -> None:
    in_a_token(keeper.file)
    async with keeper.open() as workshop:
        schedule = signing.read(FIRST, keeper.file, workshop)
    key = schedule.active(kit.NOW)
    assert [each["kid"] for each in schedule.published()] == [key.kid]
    (fault,) = await schedule.faults(kit.NOW)
    assert "KETENBRUG_SIGNING_SERVICE: names no token" in fault
    with pytest.raises(Misconfigured, match="names no token"):
        await schedule.hold(kit.NOW)
    with pytest.raises(KeyServiceAway):
        await key.sign("at+jwt", {})
    assert key.signer.written["label"] == "ketenbrug-signing-00"


async def test_a_module_that_cannot_be_loaded_is_said_and_its_pin_is_not(keeper: Filed, tmp_path: Path) -> None:
    """What it does once it is loaded is for `make test-foreign`: it needs a package of the system."""
    in_a_token(keeper.file)
    chosen = token_of(tmp_path)
    async with signing_choice.opened(chosen) as workshop:
        schedule = signing.read(FIRST, keeper.file, workshop)
        (fault,) = await schedule.faults(kit.NOW)
        assert "the file with the PIN" in fault
        (tmp_path / "pin").write_text("271828\n")
        (fault,) = await schedule.faults(kit.NOW)
        assert "none.so cannot be loaded" in fault
        with pytest.raises(KeyServiceAway) as away:
            await workshop.make()
        for each in (fault, away.value.why, repr(workshop), repr(schedule), repr(chosen)):
            assert "271828" not in each


class Liar:
    """Signs with another key than the one that it shows."""

    def __init__(self) -> None:
        self._shown, self._used = FileSigner.new(), FileSigner.new()
        self.jwk, self.written = self._shown.jwk, self._shown.written

    async def sign(self, content: bytes) -> bytes:
        """Sign it."""
        return await self._used.sign(content)


async def test_who_signs_as_another_is_found_out() -> None:
    assert await signers.fault(Liar(), "one") == "signing key one: it signs as another"


@pytest.mark.parametrize(
    "jwk", [{}, {"kty": "EC", "crv": "P-384", "x": "a", "y": "b"}, {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}]
)
def test_what_is_no_key_of_ours_is_not_taken_for_one(keeper: Filed, jwk: dict[str, str]) -> None:
    in_a_token(keeper.file)
    content = json.loads(keeper.file.read_text())
    content["keys"][0]["jwk"] = jwk
    keeper.file.chmod(0o600)
    keeper.file.write_text(json.dumps(content))
    keeper.file.chmod(0o400)
    with pytest.raises(Misconfigured, match="damaged"):
        signing.read(FIRST, keeper.file, FileWorkshop())


def test_a_key_is_not_serialised() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(FileSigner.new())


def test_what_a_token_needs_is_told_at_once(tmp_path: Path) -> None:
    assert SigningChoice().signing_faults() == []
    assert token_of(tmp_path).signing_faults() == []
    assert token_of(tmp_path, signing_token="", signing_module=None).signing_faults() == [
        "KETENBRUG_SIGNING_MODULE: pkcs11 needs it",
        "KETENBRUG_SIGNING_TOKEN: pkcs11 needs it",
    ]


HUNG = """
import asyncio, contextlib, threading
from pathlib import Path
from api.crypto import pkcs11_session

async def given_up() -> None:
    session = pkcs11_session.session(Path("none.so"), "t", Path("pin"))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(session.do(lambda _: threading.Event().wait(), login=False), 0.1)
    print("over")

asyncio.run(given_up())
"""


def test_a_process_ends_while_its_module_hangs() -> None:
    words = (sys.executable, "-c", HUNG)
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)  # noqa: S603 - our own words
    assert ended.stdout == "over\n"


async def test_who_gave_up_waiting_for_a_module_takes_no_turn(tmp_path: Path) -> None:
    session = pkcs11_session.session(tmp_path / "none.so", "t", tmp_path / "pin")
    free, taken = threading.Event(), list[str]()
    held = asyncio.create_task(session.do(lambda _: free.wait(20), login=False))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.do(lambda _: taken.append("late"), login=False), 0.05)
    free.set()
    assert await held
    await session.do(lambda _: taken.append("next"), login=False)
    assert taken == ["next"]


async def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "api.crypto.pkcs11_signer", None)
    with pytest.raises(Misconfigured, match=r"ketenbrug\[pkcs11\]"):
        async with signing_choice.opened(token_of(tmp_path)):
            pytest.fail("opened")
