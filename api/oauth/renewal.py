"""A client replaces its keys: the old key says which are the new ones, and each new key says that it is there.

    client_assertion   a client assertion (RFC 7523) by a key that is registered, with the claim `jwks`: all keys that
                       are to be registered from now on. The old key signs the new ones, so that no assertion that was
                       made for something else replaces a key
    proofs             for each key that is new: a JWS by it (`typ` of `PROOF_TYPE`) with the same `iss`, `aud` and
                       `jti` as the assertion. Nobody registers a key that is another's, or that they lost already

Several keys live at once, so that a client changes over at its leisure: first it adds the new one, then it uses that,
then it leaves out the old one. What left the list gets no token any more.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from api.errors import Overloaded, Replayed, StaleStanding
from api.oauth import endpoint, grants, jose, registry, replay
from api.oauth.endpoint import Declined, Proven, declined
from api.oauth.grants import Attempt
from api.oauth.model import KEYS_MOST, renew_by
from api.oauth.replay import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.oauth.client_keys import ClientKeys
    from api.oauth.copies import Admission
    from api.oauth.endpoint import Asked
    from api.oauth.grants import Assertion
    from api.oauth.jose import KeyRing
    from api.oauth.limits import Limits
    from api.oauth.model import Client
    from api.oauth.tokens import Issuer
    from api.storage.unit import Unit

PROOF_TYPE: Final = "ketenbrug-key-proof+jwt"


@dataclass(frozen=True, slots=True)
class Renewed:
    """The keys that are registered now."""

    members: dict[str, Any]


class KeyRenewal:
    """The endpoint, for one issuer."""

    __slots__ = ("_issuer", "_keys", "_limits")

    def __init__(self, issuer: Issuer, limits: Limits, keys: ClientKeys) -> None:
        self._issuer = issuer
        self._limits = limits
        self._keys = keys

    async def answer(self, unit: Unit, asked: Asked) -> Renewed | Declined:
        """Replace the keys of the caller. Raises `TooManyRequests`, and `Overloaded` when it changed in between."""
        # (1) each parameter once
        form = asked.single("client_assertion")
        if form is None:
            return declined("invalid_request")
        # (2) who asks, by a key that is registered
        client = await endpoint.claimed(unit, form, self._keys, asked)
        assertion = grants.authenticate(Attempt(form, client, self._issuer, unit.now), self._issuer.url)
        if client is None or not client.enabled or assertion is None:
            await unit.finish()
            return declined("invalid_client")
        proven = Proven(client=client, assertion=assertion, origin=asked.origin)
        admission = await endpoint.admit(unit, self._limits, self._limits.quotas.tokens, registry.RENEW_KEYS, proven)
        if admission is None:
            return declined("invalid_client")
        # (3) the new keys, each of which proves that it is there
        error: str | None = None
        ring = None if client.jwks_uri is None else client.keys
        if ring is not None:
            error = "unauthorized_client"  # whoever publishes its keys changes them there
        else:
            ring = self._asked_for(form, client, assertion)
            error = "invalid_client_metadata" if ring is None else None
        # (4) write, commit, answer
        return await self._settle(unit, proven, admission, ring, error)

    def _asked_for(self, form: Mapping[str, str], client: Client, assertion: Assertion) -> KeyRing | None:
        """The keys that the assertion names, if every new one proved itself."""
        try:
            named: object = jose.peek(form["client_assertion"]).claims.get("jwks")
            jwks: object = cast("dict[str, object]", named).get("keys") if isinstance(named, dict) else None
            ring = jose.key_ring(cast("list[object]", jwks) if isinstance(jwks, list) else [])
            if len(ring.keys) > KEYS_MOST:
                return None
            proved = {self._proved(text, ring, client, assertion) for text in form.get("proofs", "").split()}
        except jose.Unreadable:
            return None
        return ring if ring.thumbprints - client.keys.thumbprints <= proved else None

    def _proved(self, text: str, ring: KeyRing, client: Client, assertion: Assertion) -> str:
        unverified = jose.peek(text)
        key = ring.choose(unverified.header)
        claims = jose.verify(unverified, key)
        said = (unverified.header.get("typ"), claims.get("iss"), claims.get("aud"), claims.get("jti"))
        if said != (PROOF_TYPE, client.id, self._issuer.url, assertion.jti):
            raise jose.Unreadable("a proof of a key is made for one assertion")
        return key.thumbprint

    async def _settle(
        self, unit: Unit, proven: Proven, admission: Admission, ring: KeyRing | None, error: str | None
    ) -> Renewed | Declined:
        client, assertion, actor = proven.client, proven.assertion, proven.principal()
        replay.mark(unit, Kind.ASSERTION, client.id, assertion.jti, assertion.forget_at, client.id, client.epoch)
        try:
            if ring is None or error is not None:
                endpoint.record(unit, registry.RENEW_KEYS, actor, error)
                await unit.finish()
            elif await registry.replace_keys(unit, actor, client, ring):
                await unit.finish()
            else:
                raise StaleStanding  # noqa: TRY301 - it changed after it was marked: the same as before
        except Replayed:
            await unit.abort()
            self._limits.replayed(admission)
            endpoint.record(unit, registry.RENEW_KEYS, actor, "invalid_client")
            await unit.finish()
            return declined("invalid_client", proven=True)
        except StaleStanding:
            with suppress(StaleStanding):  # the mark is refused as well, and nobody needs it: nothing was done
                await unit.abort()
            raise Overloaded from None
        if ring is None or error is not None:
            return declined(error or "invalid_client_metadata", proven=True)
        return Renewed({"keys": ring.as_jwks(), "client_keys_renew_by": renew_by(unit.now).isoformat()})
