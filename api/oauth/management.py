"""What may be done about a token that was issued: revoke it (RFC 7009), ask about it (RFC 7662).

Both endpoints prove the client as the token endpoint does, by a client assertion of one use or by a certificate; no
proof of possession goes with it, because nothing is issued. What a proven client asks is an audit entry, and so is its
refusal. Revoking is counted with the tokens that a client asks for; asking about tokens has a limit of its own, because
a resource server asks as often as it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from api.errors import Overloaded, Replayed, StaleStanding, Unauthenticated
from api.oauth import endpoint, grants, registry, replay, revocation
from api.oauth.endpoint import Declined, Proven, declined
from api.oauth.grants import Attempt
from api.oauth.replay import Kind
from api.vocabulary import Party

if TYPE_CHECKING:
    from api.oauth.client_keys import ClientKeys
    from api.oauth.copies import Admission
    from api.oauth.endpoint import Asked
    from api.oauth.limits import Limits
    from api.oauth.tokens import Issuer, Token
    from api.storage.unit import Unit

REVOKE: Final = "oauth.revoke-token"
INTROSPECT: Final = "oauth.introspect-token"
"""The actions, in the audit log."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """It no longer holds, whatever it was (RFC 7009 section 2.2)."""


@dataclass(frozen=True, slots=True)
class Introspected:
    """What a token means now (RFC 7662 section 2.2)."""

    members: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking(Proven):
    """Who asks about which token. `token` is None when it is none of ours, or has expired."""

    token: Token | None
    admission: Admission | None = None


Found: TypeAlias = _Asking | Declined


class TokenManagement:
    """The two endpoints, for one issuer."""

    __slots__ = ("_issuer", "_keys", "_limits")

    def __init__(self, issuer: Issuer, limits: Limits, keys: ClientKeys) -> None:
        self._issuer = issuer
        self._keys = keys
        self._limits = limits

    async def revoke(self, unit: Unit, asked: Asked) -> Revoked | Declined:
        """Revoke a token of the caller's own; one that holds no longer is revoked already.

        Raises `TooManyRequests`.
        """
        found = await self._proven(unit, asked, REVOKE)
        if isinstance(found, Declined):
            return found
        token = found.token
        # RFC 7009 section 2.1: whoever holds the token of another must not end that client's work.
        error = _objection(foreign=token is not None and token.client_id != found.client.id)
        if error is None and token is not None:
            revocation.revoke(unit, token.id, datetime.fromtimestamp(token.expires_at, UTC))
        return await self._settled(unit, found, REVOKE, error) or Revoked()

    async def introspect(self, unit: Unit, asked: Asked) -> Introspected | Declined:
        """Tell a resource server of the operator's what a token means now; of what does not hold, nothing more.

        Raises `TooManyRequests`.
        """
        found = await self._proven(unit, asked, INTROSPECT)
        if isinstance(found, Declined):
            return found
        error = _objection(foreign=found.client.organisation.kind is not Party.OPERATOR)
        members = {} if error is not None else await self._meaning(unit, found.token)
        return await self._settled(unit, found, INTROSPECT, error) or Introspected(members)

    async def _proven(self, unit: Unit, asked: Asked, action: str) -> Found:
        form = asked.single("token")
        if form is None:
            return declined("invalid_request")
        client = await endpoint.claimed(unit, form, self._keys, asked)
        attempt = Attempt(form, client, self._issuer, unit.now, asked.certificate)
        assertion = grants.authenticate(attempt, self._issuer.url)
        if client is None or not client.enabled or assertion is None:
            await unit.finish()
            return endpoint.unproven(asked, form, unit.now)
        try:
            token = self._issuer.verify(form["token"], unit.now)
        except Unauthenticated:
            token = None
        token_id = "" if token is None else token.id
        proven = _Asking(client=client, assertion=assertion, origin=asked.origin, token_id=token_id, token=token)
        quotas = self._limits.quotas
        quota = quotas.introspections if action == INTROSPECT else quotas.tokens
        admission = await endpoint.admit(unit, self._limits, quota, action, proven)
        return declined("invalid_client") if admission is None else replace(proven, admission=admission)

    async def _meaning(self, unit: Unit, token: Token | None) -> dict[str, Any]:
        client = None if token is None else await registry.read(unit, token.client_id)
        if token is None or client is None or not client.enabled or await revocation.is_revoked(unit, token.id):
            return {"active": False}
        return {
            "active": True,
            "iss": self._issuer.url,
            "aud": self._issuer.audience,
            "sub": token.client_id,
            "client_id": token.client_id,
            "scope": " ".join(sorted(token.scopes & client.scopes)),
            "token_type": "DPoP",
            "exp": int(token.expires_at),
            "jti": token.id,
            "cnf": token.confirmation,
        }

    async def _settled(self, unit: Unit, proven: _Asking, action: str, error: str | None) -> Declined | None:
        """Mark the assertion as used, record what was asked, commit. None when it is done, else what to say instead."""
        client, assertion = proven.client, proven.assertion
        endpoint.record(unit, action, proven.principal(), error, assertion)
        replay.mark(unit, Kind.ASSERTION, client.id, assertion.jti, assertion.forget_at, client.id, client.epoch)
        try:
            await unit.finish()
        except Replayed:
            self._limits.replayed(cast("Admission", proven.admission))  # whoever comes here was admitted
            endpoint.record(unit, action, proven.principal(), "invalid_client")
            await unit.finish()
            return declined("invalid_client", proven=True)
        except StaleStanding:
            raise Overloaded from None
        return None if error is None else declined(error, proven=True)


def _objection(*, foreign: bool) -> str | None:
    return "unauthorized_client" if foreign else None
