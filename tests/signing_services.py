"""What every keeper of signing keys must do, whoever made it.

`CONTRACT` is run on the file by `make test`, and on a token of SoftHSM by `make test-foreign`.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from api.consent import receipts
from api.crypto import secretfile, signers
from api.crypto.dated import State
from api.crypto.signers import FileSigner
from api.oauth import signing
from api.oauth.signing import Schedule, SigningKey, SigningKeys
from api.oauth.tokens import LIFETIME, Issuer
from api.vocabulary import ClientId, Scope
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from api.crypto.signers import Signer, Workshop

FIRST: Final = ECKey.generate_key("P-256")
NOW: Final = datetime.fromtimestamp(kit.NOW, UTC)
LATER: Final = NOW + timedelta(seconds=signing.AHEAD_LEAST)
CLIENT: Final = ClientId("ngo-one")
SCOPES: Final = frozenset({Scope.CASES_READ})


class Keeper(Protocol):
    """A place for signing keys, and a file for what is written down of them."""

    file: Path

    def open(self) -> AbstractAsyncContextManager[Workshop]:
        """Reach it as a process would."""
        ...


def said(text: str, keys: list[dict[str, Any]]) -> dict[str, Any]:
    """What a JWS says, as somebody else finds it with our published keys. Raises what their library raises."""
    payload = jws.deserialize_compact(text, KeySet.import_key_set({"keys": keys}), ["ES256"]).payload
    found: dict[str, Any] = json.loads(payload)
    return found


def rotate(
    file: Path, made: Signer, begins: datetime = LATER, *, compromised: bool = False, first: ECKey = FIRST
) -> SigningKey:
    """Write a key down that was made."""
    return signing.rotate(first, file, begins, compromised=compromised, make=lambda: made)


def in_a_token(file: Path) -> None:
    """Write down a key as a token has it, begun already: nobody here can reach it."""
    rotate(file, FileSigner.new(), NOW, compromised=True)
    content = json.loads(file.read_text())
    (key,) = content["keys"]
    del key["jwk"]["d"]
    key["label"] = "ketenbrug-signing-00"
    file.unlink()
    secretfile.write(file, content)


async def _signs_what_it_is_given(keeper: Keeper) -> None:
    async with keeper.open() as workshop:
        one, two = await workshop.make(), await workshop.make()
        assert one.jwk != two.jwk
        signature = await one.sign(b"content")
        assert len(signature) == 64
        assert signers.holds(one.jwk, b"content", signature)
        assert not signers.holds(one.jwk, b"other", signature)
        assert not signers.holds(two.jwk, b"content", signature)
        assert not signers.holds(one.jwk, b"content", signature[:-1])
        assert await signers.fault(one, "kid") is None


async def _is_found_again_by_what_was_written_down(keeper: Keeper) -> None:
    async with keeper.open() as workshop:
        made = await workshop.make()
        written = json.loads(json.dumps(made.written))
    async with keeper.open() as workshop:
        again = signers.found_again(written, workshop)
        assert again.jwk == made.jwk
        assert signers.holds(made.jwk, b"content", await again.sign(b"content"))


async def _many_sign_at_once(keeper: Keeper) -> None:
    """From several event loops too: what is behind it may bear one thread only."""
    async with keeper.open() as workshop:
        key = SigningKey.by(await workshop.make())
        public = Schedule((key,)).published()

        async def some() -> list[str]:
            return await asyncio.gather(*(key.sign("test", {"number": number}) for number in range(20)))

        found = await asyncio.gather(some(), *(asyncio.to_thread(lambda: asyncio.run(some())) for _ in range(3)))
    assert [[said(text, public)["number"] for text in each] for each in found] == [list(range(20))] * 4


async def _goes_through_its_states(keeper: Keeper) -> None:
    """Published ahead, active, retired: no token is broken, and a paper verifies for years."""
    async with keeper.open() as workshop:
        issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(FIRST, keeper.file, workshop))
        paper = receipts.Signer(issuer.key)
        old = await issuer.mint(CLIENT, SCOPES, "jkt", NOW)
        new = rotate(keeper.file, await workshop.make())
        soon, just_before = NOW + timedelta(seconds=6), LATER - timedelta(seconds=1)
        assert {key["kid"] for key in issuer.jwks(soon)["keys"]} == {SigningKey.of(FIRST).kid, new.kid}
        assert [state for _, state in issuer.schedule(soon).states(soon.timestamp())] == [State.ACTIVE, State.NEXT]
        assert await issuer.schedule(soon).faults(soon.timestamp(), ahead=True) == ()
        last, fresh = [await issuer.mint(CLIENT, SCOPES, "jkt", at) for at in (just_before, LATER)]
        signed = await paper.sign({"paper": 1}, LATER)
    end, keys = just_before + timedelta(seconds=LIFETIME - 1), issuer.jwks(LATER)["keys"]
    for each in (last, fresh):
        assert issuer.verify(each.text, end).client_id == CLIENT
    kids = [jws.extract_compact(each.encode()).headers()["kid"] for each in (old.text, last.text, fresh.text, signed)]
    assert kids == [*[SigningKey.of(FIRST).kid] * 2, *[new.kid] * 2]
    assert said(signed, keys) == {"paper": 1}


async def _takes_over_from_keys_that_leaked(keeper: Keeper) -> None:
    """Also from the first day: then the key of the key file never signs anything that holds."""
    async with keeper.open() as workshop:
        rotate(keeper.file, await workshop.make(), NOW, compromised=True)
        schedule = signing.read(FIRST, keeper.file, workshop)
        assert [state for _, state in schedule.states(kit.NOW)] == [State.GONE, State.ACTIVE]
        await schedule.hold(kit.NOW)


async def _shows_no_key(keeper: Keeper) -> None:
    async with keeper.open() as workshop:
        key = SigningKey.by(await workshop.make())
        secret = str(key.signer.written["jwk"].get("d", key.signer.jwk["x"]))
        assert secret not in repr(key.signer)
        assert secret not in f"{workshop!r} {key!r}".replace(repr(key.public), "")


CONTRACT: Final[dict[str, Callable[[Keeper], Awaitable[None]]]] = {
    "signs": _signs_what_it_is_given,
    "found-again": _is_found_again_by_what_was_written_down,
    "many-at-once": _many_sign_at_once,
    "states": _goes_through_its_states,
    "leaked": _takes_over_from_keys_that_leaked,
    "shows-none": _shows_no_key,
}
