"""What the endpoints of the authorization server share: what is sent to them, who sends it, and how they decline.

A caller is proven by a client assertion of one use (RFC 7523), or by the certificate of its connection (RFC 8705).
What is declined has an error code of an RFC and a sentence of ours, constant whatever was sent: RFC 6749 section 5.2
forbids quotation marks in it, and nothing of the input belongs in an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import TooManyRequests
from api.oauth import jose, model, registry
from api.oauth.copies import Admission
from api.principal import Principal
from api.vocabulary import ClientId, Reason, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from api.oauth.certificate import Certificate
    from api.oauth.client_keys import ClientKeys
    from api.oauth.grants import Assertion
    from api.oauth.limits import Limits, Quota
    from api.oauth.model import Client
    from api.principal import Origin
    from api.storage.unit import Unit

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

DISABLED: Final = "this client is disabled: ask the operator of the exchange"
"""What a client is told that proved to be it. Nobody else learns that it exists."""

_NO_CERTIFICATE: Final = (
    "no certificate came with this request: connect to an address of mtls_endpoint_aliases with yours, "
    "or sign an assertion (private_key_jwt)"
)
_NOT_VALID: Final = "the certificate has expired, or does not hold yet: connect with one that is valid"
_NO_OIN: Final = "the subject of the certificate has no OIN as its serialNumber: connect with one of PKIoverheid"
_NOT_REGISTERED: Final = "this certificate is not one by which this client is registered: ask the operator"

_DESCRIPTIONS: Final = {
    "invalid_request": "send each parameter once, as application/x-www-form-urlencoded",
    "invalid_client": "client authentication failed: sign a new assertion (private_key_jwt) with a registered key",
    "unauthorized_client": "this client may not do this",
    "unsupported_grant_type": "the grant type is client_credentials",
    "invalid_scope": "ask for one or more scopes that are registered for this client",
    "invalid_target": "the resource is not one of this server",
    "invalid_client_metadata": "name one to four public keys in the claim jwks, and prove each new one",
    "invalid_dpop_proof": "this proof was used before: make a new one for each request",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was sent: parameters in order, the DPoP headers, and where it came from.

    `certificate`: of its connection, as the pinned hop passed it on.
    """

    form: Sequence[tuple[str, str]] = field(repr=False)
    origin: Origin
    proofs: Sequence[str] = field(default=(), repr=False)
    certificate: Certificate | None = None

    def single(self, needed: str) -> dict[str, str] | None:
        """Each parameter once; an empty one counts as omitted (RFC 6749 section 3.2). None when one comes twice.

        None too when the `needed` one is missing.
        """
        sent = [(name, value) for name, value in self.form if value]
        form = dict(sent)
        return form if len(form) == len(sent) and needed in form else None


@dataclass(frozen=True, slots=True)
class Declined:
    """No: an error code of RFC 6749 section 5.2, RFC 7009 section 2.2.1 or RFC 9449 section 5, and a sentence.

    `proven`: the caller is a client that stands, and its refusal is an entry.
    """

    error: str
    description: str
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A client as it was read, and the assertion that proves it. `token_id`: of the token that its request is about."""

    client: Client
    assertion: Assertion
    origin: Origin
    token_id: str = field(default="", repr=False)
    person: str | None = None

    def principal(self) -> Principal:
        """Who acts, for the entry."""
        client = self.client
        return Principal(client.id, client.organisation, client.scopes, self.origin, self.token_id, self.person)


def declined(error: str, *, proven: bool = False, because: str = "") -> Declined:
    """Decline with this error. `because`: in place of its usual sentence."""
    return Declined(error, because or _DESCRIPTIONS[error], proven)


def unproven(asked: Asked, form: Mapping[str, str], now: datetime) -> Declined:
    """Decline who did not prove to be a client. What is wrong with a certificate is its holder's to know."""
    shown = asked.certificate
    if "client_assertion" in form or "client_id" not in form:
        return declined("invalid_client")
    if shown is None:
        return declined("invalid_client", because=_NO_CERTIFICATE)
    if not shown.holds(now):
        return declined("invalid_client", because=_NOT_VALID)
    return declined("invalid_client", because=_NO_OIN if shown.oin is None else _NOT_REGISTERED)


async def claimed(unit: Unit, form: Mapping[str, str], keys: ClientKeys, asked: Asked) -> Client | None:
    """The client that the assertion claims to be of, as it is now: never from memory, because its keys decide.

    Without an assertion, the one that `client_id` names beside a certificate (RFC 8705 section 2). Raises `Unavailable`
    when it publishes its keys and there are none to be had.
    """
    if "client_assertion" not in form and asked.certificate is not None:
        client_id = form.get("client_id", "")
        return await registry.read(unit, ClientId(client_id)) if model.CLIENT_ID.fullmatch(client_id) else None
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return None
    try:
        unverified = jose.peek(form.get("client_assertion", ""))
    except jose.Unreadable:
        return None
    named, kid = unverified.claims.get("sub"), unverified.header.get("kid")
    if not isinstance(named, str) or not model.CLIENT_ID.fullmatch(named):
        return None
    client = await registry.read(unit, ClientId(named))
    if client is None or not client.enabled:
        return client
    return await keys.current(unit, client, kid if isinstance(kid, str) else "", asked.origin)


async def admit(unit: Unit, limits: Limits, quota: Quota, action: str, who: Proven) -> Admission | None:
    """Count what a proven client asks of an endpoint: each is an entry, so there is a limit to them.

    A copy of an assertion that was counted is not counted again; None when there were too many of them. Raises
    `TooManyRequests`; the first one in a window is an entry, the others are not.
    """
    await unit.finish()  # the connection is given back: counting may borrow one
    client_id, key = who.client.id, (who.client.id, who.assertion.jti)
    if (once := limits.assertions.find(key, unit.now)) is not None:
        return Admission(once, client_id, unit.now) if once.again() else None
    standing = await limits.take(quota, client_id, unit.now)
    if standing.admitted:
        return Admission(limits.assertions.note(key, unit.now), client_id, unit.now, (quota,))
    if standing.is_first:
        record(unit, action, who.principal(), str(Reason.TOO_MANY_REQUESTS))
    raise TooManyRequests(standing.reset)


def record(unit: Unit, action: str, who: Principal, error: str | None, by: Assertion | None = None) -> None:
    """Carry the entry of what a proven client asked of an endpoint, and of what it was told.

    `by`: what proved it. Where that was a certificate, the entry has its digest.
    """
    entry = Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=action,
        result=Result.PERMITTED if error is None else Result.REFUSED,
        actor=who,
        thing=Thing("access-token", digest=None if by is None or by.certificate is None else by.certificate.digest),
        reason=error,
    )
    log.append(unit, entry)
