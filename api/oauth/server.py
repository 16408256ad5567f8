"""The token endpoint: read, decide, write, in that order, and commit before the token leaves.

A request ends in one of three ways. Unproven callers get an OAuth error and leave no trace in the database. A proven
client that may not have what it asks gets one too, with an audit entry and its assertion used up. A token leaves only
when its assertion, its proof and its entry are committed in one statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import uuid_utils.compat as uuid_utils

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Overloaded, Replayed, StaleStanding, Unauthenticated
from api.oauth import dpop, grants, jose, model, registry, replay
from api.oauth.grants import Attempt, Denied, Granted
from api.oauth.replay import Kind
from api.oauth.tokens import LIFETIME
from api.principal import Principal
from api.vocabulary import ClientId, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.oauth.dpop import Proof
    from api.oauth.grants import Assertion, Outcome
    from api.oauth.model import Client
    from api.oauth.tokens import Issuer
    from api.principal import Origin
    from api.storage.unit import Unit
    from api.vocabulary import Scope

ISSUE: Final = "oauth.issue-token"
"""The action, in the audit log."""

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_DESCRIPTIONS: Final = {
    "invalid_request": "send each parameter once, as application/x-www-form-urlencoded",
    "invalid_client": "client authentication failed: sign a new assertion (private_key_jwt) with a registered key",
    "unauthorized_client": "this client may not use this grant type",
    "unsupported_grant_type": "the grant type is client_credentials",
    "invalid_scope": "ask for one or more scopes that are registered for this client",
    "invalid_target": "the resource is not one of this server",
    "invalid_dpop_proof": "this proof was used before: make a new one for each request",
}
"""Constant, whatever was sent (RFC 6749 section 5.2 forbids quotation marks in them)."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request as it was sent: parameters in order, the DPoP headers, and where it came from."""

    form: Sequence[tuple[str, str]] = field(repr=False)
    proofs: Sequence[str] = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, once its entry is committed."""

    token: str = field(repr=False)
    scopes: frozenset[Scope]
    expires_in: int = LIFETIME


@dataclass(frozen=True, slots=True)
class Declined:
    """No token: an error code of RFC 6749 section 5.2 or RFC 9449 section 5, and a sentence of ours."""

    error: str
    description: str


Answer: TypeAlias = Issued | Declined


class TokenEndpoint:
    """The token endpoint at `url`, for one issuer."""

    __slots__ = ("_issuer", "url")

    def __init__(self, issuer: Issuer, url: str) -> None:
        self._issuer = issuer
        self.url: Final = url

    async def answer(self, unit: Unit, request: TokenRequest) -> Answer:
        """Answer, with everything committed. Raises `Overloaded` when the client changed in between."""
        # (1) each parameter once; an empty one counts as omitted (RFC 6749 section 3.2)
        sent = [(name, value) for name, value in request.form if value]
        form = dict(sent)
        if len(form) != len(sent) or "grant_type" not in form:
            return _declined("invalid_request")
        # (2) the proof (RFC 9449 section 5), before anything is read
        try:
            proof = dpop.verify(request.proofs, method="POST", url=self.url, now=unit.now)
        except Unauthenticated as refused:
            return Declined(refused.error, refused.detail)
        # (3) read the client that the assertion claims to be of; never from memory, because its keys decide
        client = await _claimed(unit, form)
        # (4) decide
        outcome = grants.decide(Attempt(form, client, proof.jkt, self._issuer, unit.now), self.url)
        # (5) write, commit, answer
        if client is not None and outcome.assertion is not None:
            return await _settle(unit, _Proven(client, proof, outcome.assertion, request.origin), outcome)
        await unit.finish()
        return _declined(outcome.error if isinstance(outcome, Denied) else "invalid_client")


@dataclass(frozen=True, slots=True)
class _Proven:
    """Who asks, once the assertion and the proof hold."""

    client: Client
    proof: Proof
    assertion: Assertion
    origin: Origin

    def principal(self, token_id: str = "") -> Principal:
        client = self.client
        return Principal(client.id, client.organisation, client.scopes, self.origin, token_id, self.proof.person)


async def _settle(unit: Unit, proven: _Proven, outcome: Outcome) -> Answer:
    """Mark the assertion and the proof as used, record the outcome, commit."""
    if isinstance(outcome, Granted):
        _record(unit, proven.principal(outcome.minted.id), None)
    else:
        _record(unit, proven.principal(), outcome.error)
    client, proof, assertion = proven.client, proven.proof, proven.assertion
    if client.enabled:
        replay.mark(unit, Kind.PROOF, proof.jkt, proof.jti, proof.forget_at, client.id, client.epoch)
        replay.mark(unit, Kind.ASSERTION, client.id, assertion.jti, assertion.forget_at, client.id, client.epoch)
    try:
        await unit.finish()
    except Replayed:
        return await _replayed(unit, proven)
    except StaleStanding:
        raise Overloaded from None
    if isinstance(outcome, Granted):
        return Issued(outcome.minted.text, outcome.scopes)
    return _declined(outcome.error)


async def _replayed(unit: Unit, proven: _Proven) -> Declined:
    """Say which of the two was used before; this refusal is an entry too."""
    used = await replay.was_seen(unit, Kind.ASSERTION, proven.client.id, proven.assertion.jti)
    error = "invalid_client" if used else "invalid_dpop_proof"
    _record(unit, proven.principal(), error)
    await unit.finish()
    return _declined(error)


async def _claimed(unit: Unit, form: Mapping[str, str]) -> Client | None:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return None
    try:
        claimed: object = jose.peek(form.get("client_assertion", "")).claims.get("sub")
    except jose.Unreadable:
        return None
    if not isinstance(claimed, str) or not model.CLIENT_ID.fullmatch(claimed):
        return None
    return await registry.read(unit, ClientId(claimed))


def _record(unit: Unit, who: Principal, error: str | None) -> None:
    """Carry the entry of an issuance or of its refusal."""
    entry = Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=ISSUE,
        result=Result.PERMITTED if error is None else Result.REFUSED,
        actor=who,
        thing=Thing("access-token"),
        reason=error,
    )
    log.append(unit, entry)


def _declined(error: str) -> Declined:
    return Declined(error, _DESCRIPTIONS[error])
