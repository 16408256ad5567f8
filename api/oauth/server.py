"""The token endpoint: read, decide, write, in that order, and commit before the token leaves.

A request ends in one of three ways. Unproven callers, and clients that are disabled, get an OAuth error and are counted
(`api.oauth.unproven`). A proven client that may not have what it asks gets one too, with an audit entry and its
assertion used up. A token leaves only
when its assertion, its proof and its entry are committed in one statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from api.errors import Overloaded, Replayed, StaleStanding, TooManyRequests, Unauthenticated
from api.oauth import dpop, endpoint, grants, model, replay
from api.oauth.endpoint import DISABLED, Declined, Proven, declined
from api.oauth.grants import Attempt, Denied
from api.oauth.limits import Guesses
from api.oauth.replay import Kind
from api.oauth.tokens import LIFETIME

if TYPE_CHECKING:
    from datetime import date, datetime

    from api.oauth.client_keys import ClientKeys
    from api.oauth.copies import Admission
    from api.oauth.dpop import Proof
    from api.oauth.endpoint import Asked
    from api.oauth.grants import Outcome
    from api.oauth.limits import Limits
    from api.oauth.model import Client
    from api.oauth.nonces import Nonces
    from api.oauth.tokens import Issuer, Minted
    from api.storage.unit import Unit
    from api.vocabulary import Scope

ISSUE: Final = "oauth.issue-token"
"""The action, in the audit log."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, once its entry is committed."""

    token: str = field(repr=False)
    scopes: frozenset[Scope]
    renew_by: date | None = None
    """The day by which the client is to replace its keys, once that is near."""
    expires_in: int = LIFETIME


Answer: TypeAlias = Issued | Declined


class TokenEndpoint:
    """The token endpoint at `url`, for one issuer. Proofs for it hold one of `nonces`."""

    __slots__ = ("_guesses", "_issuer", "_keys", "_limits", "nonces", "url")

    def __init__(self, issuer: Issuer, url: str, nonces: Nonces, limits: Limits, keys: ClientKeys) -> None:
        self._guesses = Guesses()
        self._issuer = issuer
        self._keys = keys
        self._limits = limits
        self.nonces: Final = nonces
        self.url: Final = url

    async def answer(self, unit: Unit, request: Asked) -> Answer:
        """Answer, with everything committed.

        Raises `Overloaded` when the client changed in between, `TooManyRequests` when it may not ask now, and
        `Unavailable` when nobody signs.
        """
        # (1) each parameter once
        form = request.single("grant_type")
        if form is None:
            return declined("invalid_request")
        # (2) the proof (RFC 9449 section 5), before anything is read
        try:
            proof = dpop.verify(request.proofs, method="POST", url=self.url, now=unit.now, nonces=self.nonces)
        except Unauthenticated as refused:
            return Declined(refused.error, refused.detail)
        # (3) read the client that the assertion claims to be of
        client = await endpoint.claimed(unit, form, self._keys, request.origin)
        # (4) decide
        outcome = grants.decide(Attempt(form, client, self._issuer, unit.now), self.url)
        # (5) sign, write, commit, answer
        if client is not None and client.enabled and outcome.assertion is not None:
            proven = _Applying(
                client=client,
                assertion=outcome.assertion,
                origin=request.origin,
                person=proof.person,
                proof=proof,
            )
            return await self._proven(unit, proven, outcome)
        # (6) nobody guesses for long; who proved to be the client was answered before, so guessing locks nobody out
        if client is not None and outcome.assertion is None:
            self._guessed(client, proof, unit.now)
        await unit.finish()
        if client is not None and outcome.assertion is not None:
            return declined("invalid_client", because=DISABLED)
        return declined(outcome.error if isinstance(outcome, Denied) else "invalid_client")

    async def _proven(self, unit: Unit, proven: _Applying, outcome: Outcome) -> Answer:
        """Count it, have the token signed while no connection is held, and settle it.

        Nothing is written when nobody signs (`Unavailable`): the same request may be sent again.
        """
        limits = self._limits
        admission = await endpoint.admit(unit, limits, limits.quotas.tokens, ISSUE, proven)
        if admission is None:
            return declined("invalid_client")
        if isinstance(outcome, Denied):
            return await _settle(unit, proven, outcome, limits, admission)
        minted = await self._issuer.mint(proven.client.id, outcome.scopes, proven.proof.jkt, unit.now)
        return await _settle(unit, proven, _Ready(minted, outcome.scopes), limits, admission)

    def _guessed(self, client: Client, proof: Proof, now: datetime) -> None:
        closed = self._guesses.closed_for(client.id, now)
        if closed and proof.jkt not in client.keys.thumbprints:
            raise TooManyRequests(closed)
        self._guesses.note(client.id, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Applying(Proven):
    """Who asks for a token, and the proof that holds."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class _Ready:
    """A token that is signed, and leaves when everything is committed."""

    minted: Minted
    scopes: frozenset[Scope]


async def _settle(
    unit: Unit, proven: _Applying, outcome: _Ready | Denied, limits: Limits, admission: Admission
) -> Answer:
    """Mark the assertion and the proof as used, record the outcome, commit."""
    if isinstance(outcome, _Ready):
        endpoint.record(unit, ISSUE, replace(proven, token_id=outcome.minted.id).principal(), None)
    else:
        endpoint.record(unit, ISSUE, proven.principal(), outcome.error)
    client, proof, assertion = proven.client, proven.proof, proven.assertion
    replay.mark(unit, Kind.PROOF, proof.jkt, proof.jti, proof.forget_at, client.id, client.epoch)
    replay.mark(unit, Kind.ASSERTION, client.id, assertion.jti, assertion.forget_at, client.id, client.epoch)
    try:
        await unit.finish()
    except Replayed:
        return await _replayed(unit, proven, limits, admission)
    except StaleStanding:
        raise Overloaded from None
    if isinstance(outcome, _Ready):
        near = client.keys_since + model.KEYS_LAST - model.KEYS_WARNED <= unit.now
        return Issued(outcome.minted.text, outcome.scopes, model.renew_by(client.keys_since) if near else None)
    return declined(outcome.error, proven=True)


async def _replayed(unit: Unit, proven: _Applying, limits: Limits, admission: Admission) -> Declined:
    """Say which of the two was used before; this refusal is an entry too.

    A new assertion with a used proof is the client's own mistake, and counts as such.
    """
    used = await replay.was_seen(unit, Kind.ASSERTION, proven.client.id, proven.assertion.jti)
    if used:
        limits.replayed(admission)
    error = "invalid_client" if used else "invalid_dpop_proof"
    endpoint.record(unit, ISSUE, proven.principal(), error)
    await unit.finish()
    return declined(error, proven=True)
