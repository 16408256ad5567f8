"""Signatures over a body, made by hand with the keys of `tests.oauth_kit`: also those that no proper signer makes."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import orjson

from api.oauth import operator, payload_keys
from api.vocabulary import ClientId, Signable
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from api.storage.unit import Unit
    from tests.exchange import Exchange
    from tests.oauth_kit import Key

SIG_D: Final = {"mId": "http://uri.etsi.org/19182/HttpHeaders", "pars": ["digest"]}
KID: Final = "payload-1"
KINDS: Final = {"ind": "ps256-payloads-of-ind", "ngo": "es256-payloads-of-ngo"}
"""Whose payloads are signed by which key, by its name in `tests.oauth_kit`."""


def digest(body: bytes, name: str = "SHA-256") -> str:
    """The value of the header field Digest."""
    hashed = hashlib.new(name.replace("-", "").lower(), body).digest()
    return f"{name}={base64.b64encode(hashed).decode()}"


def said(by: Key, at: float, **changes: Any) -> dict[str, Any]:
    """The protected header, with changes; `GONE` removes."""
    header = {"alg": by.alg, "kid": KID, "b64": False, "crit": ["b64", "sigD"], "sigD": SIG_D, "iat": int(at)}
    return kit.without(header | changes)


def signature(by: Key, over: str, header: dict[str, Any] | str) -> str:
    """The value of the header field Payload-Signature, over this value of Digest."""
    shown = kit.b64((header if isinstance(header, str) else json.dumps(header)).encode())
    return f"{shown}..{kit.b64(by.signature(f'{shown}.digest: {over}'.encode(), by.alg))}"


def signed(by: Key, body: bytes, at: float, **changes: Any) -> dict[str, str]:
    """The two header fields of a body."""
    over = digest(body)
    return {"Digest": over, "Payload-Signature": signature(by, over, said(by, at, **changes))}


async def change(exchange: Exchange, work: Callable[[Unit], Awaitable[None]]) -> None:
    """Change a registration. A process that remembered a client asks whoever comes first to come again."""
    unit = exchange.unit()
    await work(unit)
    await unit.finish()
    for member in KINDS:
        assert (await exchange.actor(member).get("/organisations")).status_code in {200, 503}


async def register(exchange: Exchange, member: str, *keys: dict[str, Any]) -> None:
    """Register the public keys that sign the payloads of a member."""
    client = ClientId(exchange.members[member].client_id)
    await change(exchange, lambda unit: payload_keys.register(unit, operator.local(), client, keys))


async def registered(exchange: Exchange) -> None:
    """Register what signs for each member."""
    for member, kind in KINDS.items():
        await register(exchange, member, kit.key(kind).public | {"kid": KID})


async def require(exchange: Exchange, member: str, *operations: Signable) -> None:
    """Have a member sign these, and no others."""
    mine = exchange.id_of(member)
    await change(exchange, lambda unit: payload_keys.require(unit, operator.local(), mine, frozenset(operations)))


async def posted(exchange: Exchange, member: str, path: str, body: Any, **changes: Any) -> httpx.Response:
    """A member sends a body, bytes as they are, signed."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = signed(kit.key(KINDS[member]), raw, exchange.clock().timestamp(), **changes)
    return await exchange.actor(member).post(path, raw, headers=headers)
