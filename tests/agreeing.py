"""Agreements that tests make: documents of parties of their own, taken in and signed over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from joserfc.jwk import ECKey

from api.consent import document, signatures
from api.sandbox import agreements as shipped
from api.vocabulary import Municipality

if TYPE_CHECKING:
    import httpx

    from tests.exchange import Exchange


def drafted(exchange: Exchange, municipality: Municipality, *keys: str, **changes: Any) -> dict[str, Any]:
    """What was agreed in Rotterdam on legal screening, made anew for these parties of the exchange."""
    (base,) = (each for each in shipped.documents("2026") if each["municipality"] == Municipality.ROTTERDAM)
    kinds = [str(exchange.members[key].part.kind) for key in keys]
    rules = [
        rule
        for rule in base["rules"]
        if {rule["from"], rule["to"]} <= set(kinds) and (rule["from"] != rule["to"] or kinds.count(rule["from"]) > 1)
    ]
    spoken = {slot for rule in rules for slot in (rule["from"], rule["to"])}
    parties = [
        {"slot": kind, "name": exchange.members[key].part.name, "organisationId": str(exchange.id_of(key))}
        for key, kind in zip(keys, kinds, strict=True)
    ]
    return (
        base
        | {
            "id": str(uuid4()),
            "version": 1,
            "municipality": str(municipality),
            "parties": parties,
            "controllers": [{"slot": slot, "responsibleFor": "What it holds."} for slot in sorted(spoken)],
            "rules": rules,
        }
        | changes
    )


def signed(exchange: Exchange, raw: dict[str, Any], key: str) -> dict[str, Any]:
    """A party's signature of a document, as it is sent."""
    signing = ECKey.import_key(dict(exchange.members[key].signing_jwk))
    made = signatures.make(document.canonical(raw), signing, signing.thumbprint(), "ES256")
    return {"version": raw["version"], "signature": made}


async def sign(exchange: Exchange, raw: dict[str, Any], key: str) -> httpx.Response:
    """A party signs."""
    return await exchange.actor(key).post(f"/agreements/{raw['id']}/signatures", signed(exchange, raw, key))


async def in_force(exchange: Exchange, raw: dict[str, Any], *keys: str) -> None:
    """The operator takes a document in, and these parties sign it."""
    added = await exchange.actor("operator").post("/agreements", {"document": raw})
    assert added.status_code == 201, added.text
    for key in keys:
        answer = await sign(exchange, raw, key)
        assert answer.status_code == 201, answer.text
