"""Two operators agree before somebody is let in: one proposes, another one confirms, each with a key of their own.

    enrol      the first two operators, by whoever sets the exchange up; every later one is proposed like all else
    propose    what is to be registered is written down, signed by one operator; nothing is registered
    confirm    another operator signs the same, having heard it by telephone; then it is registered, at once

What is signed names the proposal, the digest of its content and what is done about it, so that neither signature serves
for anything else. Both stay in the database, and both acts are entries that hold the digest. It holds against a mistake
and against one operator; it cannot hold against whoever may write the database by hand, but they leave no entry.

To disable a client needs one operator: taking away must not wait.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never
from uuid import UUID

import orjson
import uuid_utils.compat as uuid_utils
from sqlalchemy import DateTime, Text, Uuid, bindparam, insert, null, select, update

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth import deeds, jose, operator, payload_keys, pins, registry
from api.oauth.deeds import Content, Deed
from api.oauth.people import providers
from api.oauth.tables import operator as operators
from api.oauth.tables import proposal
from api.storage.statement import statement
from api.vocabulary import ClientId, OrganisationId, Result, Signable

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.storage.unit import Record, Unit

ENROL: Final = "oauth.enrol-operator"
PROPOSE: Final = "oauth.propose"
CONFIRM: Final = "oauth.confirm"
"""The actions, in the audit log; what is confirmed is an entry of its own beside it."""

SIGNED_TYPE: Final = "ketenbrug-proposal+jwt"
OPEN_FOR: Final = timedelta(days=7)

Sign: TypeAlias = "Callable[[Content], str]"
"""Signs claims with the key of an operator, as a compact JWS of the type `SIGNED_TYPE`."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one operator proposed."""

    id: UUID
    deed: Deed
    content: Content
    by: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of its content, as canonical JSON."""
        return hashlib.sha256(orjson.dumps([self.deed, self.content], option=orjson.OPT_SORT_KEYS)).digest()


_OPERATORS: Final = statement(select(operators.c.name, operators.c.jwk).order_by(operators.c.name))
_ENROL: Final = statement(insert(operators), "name", "jwk", "created_at")
_PROPOSE: Final = statement(
    insert(proposal), "id", "deed", "content", "proposed_by", "proposed_signature", "proposed_at"
)
_OPEN: Final = statement(
    select(proposal)
    .where(
        proposal.c.confirmed_by == null(),
        proposal.c.proposed_at > bindparam("since", type_=DateTime(timezone=True)),
    )
    .order_by(proposal.c.id)
)
_CONFIRM: Final = statement(
    update(proposal)
    .where(proposal.c.id == bindparam("of_proposal", type_=Uuid), proposal.c.confirmed_by == null())
    .values(
        confirmed_by=bindparam("by", type_=Text),
        confirmed_signature=bindparam("signature", type_=Text),
        confirmed_at=bindparam("at", type_=DateTime(timezone=True)),
    )
    .returning(proposal.c.id)
)


async def open_proposals(unit: Unit) -> list[Proposal]:
    """What waits for a second operator."""
    return [_proposal(row) for row in await unit.all(_OPEN(since=unit.now - OPEN_FOR))]


async def enrol(unit: Unit, name: str, jwk: Content) -> None:
    """Enrol one of the first two operators. Raises `Misconfigured` when there are two: then it is proposed."""
    if len(await unit.all(_OPERATORS())) >= 2:  # noqa: PLR2004 - two, as everything here
        raise Misconfigured(("there are two operators: they propose and confirm the next one",))
    await _enrolled(unit, name, jwk)


async def propose(unit: Unit, deed: Deed, content: Content, by: str, sign: Sign) -> Proposal:
    """Write down what is to be registered. Raises `Misconfigured`."""
    if faults := deeds.faults(deed, content):
        raise Misconfigured(faults)
    made = Proposal(uuid_utils.uuid7(), deed, content, by)
    signature = await _signed(unit, made, by, sign, PROPOSE)
    _record(unit, PROPOSE, made, by)
    await unit.run(
        _PROPOSE(
            id=made.id,
            deed=str(deed),
            content=content,
            proposed_by=by,
            proposed_signature=signature,
            proposed_at=unit.now,
        )
    )
    return made


async def confirm(unit: Unit, proposal_id: UUID, by: str, sign: Sign, heard: frozenset[str]) -> Proposal:
    """Register what another operator proposed. `heard`: what the organisation read out by telephone.

    Raises `Misconfigured`.
    """
    rows = [row for row in await unit.all(_OPEN(since=unit.now - OPEN_FOR)) if row["id"] == proposal_id]
    if not rows:
        raise Misconfigured(("no proposal of this id waits: it was confirmed, or is older than seven days",))
    found = _proposal(rows[0])
    if found.by == by:
        raise Misconfigured(("another operator than the one who proposed it confirms it",))
    await _held(unit, found, rows[0]["proposed_signature"])
    if deeds.heard(found.deed, found.content) != heard:
        raise Misconfigured(
            ("what was heard is not what is proposed: call the organisation, and never copy it from here",)
        )
    signature = await _signed(unit, found, by, sign, CONFIRM)
    if not await unit.run(_CONFIRM(of_proposal=found.id, by=by, signature=signature, at=unit.now)):
        raise Misconfigured(("another operator confirmed it a moment ago",))
    _record(unit, CONFIRM, found, by)
    await carry_out(unit, found.deed, found.content, by)
    return found


async def carry_out(unit: Unit, deed: Deed, content: Content, by: str | None = None) -> None:
    """Register it; in a sandbox, without more. `by`: whose deed it is, in the entry. Raises `Misconfigured`."""
    actor = replace(operator.local(), person=by)
    match deed:
        case Deed.ORGANISATION:
            await registry.register_organisation(unit, actor, deeds.organisation(content))
        case Deed.CLIENT:
            await registry.register_client(unit, actor, deeds.client(content))
        case Deed.DESIGNATION:
            found, of = deeds.designation(content), OrganisationId(UUID(content["organisation"]))
            await registry.record_designation(unit, actor, of, found)
        case Deed.CERTIFICATES:
            await pins.replace(unit, actor, ClientId(content["client"]), deeds.certificates(content))
        case Deed.PROVIDER:
            await providers.register(unit, actor, deeds.provider(content))
        case Deed.OPERATOR:
            await _enrolled(unit, content["name"], content["jwks"][0], by)
        case Deed.PAYLOAD_KEYS:
            await payload_keys.register(unit, actor, ClientId(content["client"]), content["jwks"])
        case Deed.PAYLOAD_SIGNATURES:
            of, signs = OrganisationId(UUID(content["organisation"])), frozenset(map(Signable, content["operations"]))
            await payload_keys.require(unit, actor, of, signs)
        case _:
            assert_never(deed)


async def _enrolled(unit: Unit, name: str, jwk: Content, by: str | None = None) -> None:
    if faults := deeds.operator_faults(name, jwk):
        raise Misconfigured(faults)
    key = jose.public_key(jwk)
    for row in await unit.all(_OPERATORS()):
        if row["name"] == name or jose.public_key(row["jwk"]).thumbprint == key.thumbprint:
            raise Misconfigured(("an operator of this name, or with this key, is enrolled already",))
    entry = Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=ENROL,
        result=Result.PERMITTED,
        actor=replace(operator.local(), person=by),
        thing=Thing("operator", digest=hashlib.sha256(key.thumbprint.encode()).digest()),
    )
    log.append(unit, entry)
    await unit.run(_ENROL(name=name, jwk=jose.KeyRing({"": key}).as_jwks()[0], created_at=unit.now))


async def _signed(unit: Unit, about: Proposal, by: str, sign: Sign, verb: str) -> str:
    text = sign({"sub": str(about.id), "digest": about.digest.hex(), "act": verb, "iat": int(unit.now.timestamp())})
    await _verified(unit, about, by, text, verb)
    return text


async def _held(unit: Unit, about: Proposal, signature: str) -> None:
    """Hold what is in the database against what its proposer signed: somebody may have changed it since."""
    await _verified(unit, about, about.by, signature, PROPOSE)


async def attest(unit: Unit, by: str, sign: Sign, act: str, about: UUID) -> None:
    """Hold that whoever types has the key of this operator: they sign what they are doing now. Raises `Misconfigured`.

    For what takes one operator.
    """
    text = sign({"sub": str(about), "act": act, "iat": int(unit.now.timestamp())})
    await _signed_by(unit, by, text)


async def _verified(unit: Unit, about: Proposal, by: str, text: str, verb: str) -> None:
    header, claims = await _signed_by(unit, by, text)
    said = (header.get("typ"), claims.get("sub"), claims.get("digest"), claims.get("act"))
    if said != (SIGNED_TYPE, str(about.id), about.digest.hex(), verb):
        raise Misconfigured(("what is proposed is not what was signed: it was changed since",))


async def _signed_by(unit: Unit, by: str, text: str) -> tuple[Content, Content]:
    """The header and the claims that this operator signed."""
    enrolled = {row["name"]: row["jwk"] for row in await unit.all(_OPERATORS())}
    if by not in enrolled:
        raise Misconfigured(("no operator of this name is enrolled: `ketenbrug register operator`",))
    try:
        unverified = jose.peek(text)
        claims = jose.verify(unverified, jose.public_key(enrolled[by]))
    except jose.Unreadable:
        raise Misconfigured(("the signature is not by the key that this operator enrolled",)) from None
    return unverified.header, claims


def _proposal(row: Record) -> Proposal:
    return Proposal(row["id"], Deed(row["deed"]), row["content"], row["proposed_by"])


def _record(unit: Unit, action: str, about: Proposal, by: str) -> None:
    entry = Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=action,
        result=Result.PERMITTED,
        actor=replace(operator.local(), person=by),
        thing=Thing(f"proposal:{about.deed}", about.id, digest=about.digest),
    )
    log.append(unit, entry)
