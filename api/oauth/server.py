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
from api.oauth.metadata import TOKEN_PATH
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
    certificate_by: date | None = None
    """The same of the certificate that it showed."""
    expires_in: int = LIFETIME


Answer: TypeAlias = Issued | Declined


class TokenEndpoint:
    """The token endpoint of one issuer. Proofs for it hold one of `nonces`.

    `mtls_url`: where it is for who connects with a certificate (RFC 8705 section 5); empty when nobody does.
    """

    __slots__ = ("_guesses", "_issuer", "_keys", "_limits", "mtls_url", "nonces")

    def __init__(self, issuer: Issuer, nonces: Nonces, limits: Limits, keys: ClientKeys, mtls_url: str = "") -> None:
        self._guesses = Guesses()
        self._issuer = issuer
        self._keys = keys
        self._limits = limits
        self.nonces: Final = nonces
        self.mtls_url: Final = mtls_url

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
        url = ((self.mtls_url if request.certificate else "") or self._issuer.url) + TOKEN_PATH
        try:
            proof = dpop.verify(request.proofs, method="POST", url=url, now=unit.now, nonces=self.nonces)
        except Unauthenticated as refused:
            return Declined(refused.error, refused.detail)
        # (3) read the client that the assertion claims to be of, or `client_id` beside a certificate
        client = await endpoint.claimed(unit, form, self._keys, request)
        # (4) decide
        attempt = Attempt(form, client, self._issuer, unit.now, request.certificate)
        outcome = grants.decide(attempt, url)
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
        if isinstance(outcome, Denied) and outcome.error != "invalid_client":
            return declined(outcome.error)
        return endpoint.unproven(request, form, unit.now)

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
        shown = proven.assertion.certificate
        x5t = None if shown is None else shown.thumbprint
        minted = await self._issuer.mint(proven.client.id, outcome.scopes, proven.proof.jkt, unit.now, x5t)
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
        told = replace(proven, token_id=outcome.minted.id).principal()
        endpoint.record(unit, ISSUE, told, None, proven.assertion)
    else:
        endpoint.record(unit, ISSUE, proven.principal(), outcome.error, proven.assertion)
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
        return _issued(outcome, proven, unit.now)
    return declined(outcome.error, proven=True)


def _issued(ready: _Ready, proven: _Applying, now: datetime) -> Issued:
    """The token, and by when its client is to renew what proved it."""
    shown = proven.assertion.certificate
    ends = proven.client.keys_since + model.KEYS_LAST if shown is None else shown.ends
    due = ends.date() if ends - model.KEYS_WARNED <= now else None
    keys, certificate = (due, None) if shown is None else (None, due)
    return Issued(ready.minted.text, ready.scopes, keys, certificate)


async def _replayed(unit: Unit, proven: _Applying, limits: Limits, admission: Admission) -> Declined:
    """Say which of the two was used before; this refusal is an entry too.

    A new assertion with a used proof is the client's own mistake, and counts as such.
    """
    used = await replay.was_seen(unit, Kind.ASSERTION, proven.client.id, proven.assertion.jti)
    if used:
        limits.replayed(admission)
    error = "invalid_client" if used else "invalid_dpop_proof"
    endpoint.record(unit, ISSUE, proven.principal(), error, proven.assertion)
    await unit.finish()
    return declined(error, proven=True)
