"""The guard: who calls, proven on every request, before anything else happens.

A route says with `may(operation)` what it is; it gets the `Principal` and nothing runs without one:

    caller: Annotated[Principal, may(authority.READ_DOSSIER)]

Only what is proven is remembered, and only for a minute (`tokens.Issuer`). Whether the client still stands, and whether
the proof is new, is asked of the database in the statement that the request writes anyway (`api.oauth.replay`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2

from api.disclosure.authority import LOOKUPS, Operation
from api.edge import eyes, passage, routing, state
from api.edge.posts import Sealed
from api.edge.routing import Proof
from api.edge.unit import USED, Acting, UnitOfWork, act
from api.errors import Refused, TooManyRequests, Unauthenticated
from api.oauth import dpop, replay
from api.oauth.certificate import Certificate
from api.oauth.copies import Admission
from api.oauth.model import Client
from api.oauth.replay import Kind
from api.oauth.tokens import Token
from api.principal import Origin, Principal
from api.storage.unit import Unit
from api.vocabulary import Reason, Scope

SCHEME: Final = OAuth2(
    scheme_name="oauth2",
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/oauth/token",
            scopes={str(scope): " ".join(reversed(scope.replace("-", " ").split(":"))) for scope in Scope},
        )
    ),
    description=(
        "OAuth 2.0 client credentials with `private_key_jwt` or `tls_client_auth`. Access tokens are bound to a key "
        "(RFC 9449): send them as `Authorization: DPoP …`, with a new proof in the header `DPoP` on every request."
    ),
    auto_error=False,
)


def may(operation: Operation) -> Any:  # noqa: ANN401 - what FastAPI takes as metadata of a parameter
    """Let an operation be asked only by a proven client that holds its scope. The gate decides the rest."""
    return Security(Guard(operation), scopes=[str(operation.scope)])


@dataclass(frozen=True, slots=True)
class Guard(Proof):
    """The guard of one operation."""

    operation: Operation

    @property
    def seals(self) -> bool:
        """Whether the answer is for the eyes of its recipient, where that registered a key."""
        return not self.operation.clear

    async def __call__(
        self, request: Request, unit: UnitOfWork, _scheme: Annotated[str | None, Depends(SCHEME)]
    ) -> Principal:
        """Prove who calls. Raises `Unauthenticated`; to who is proven, what is wrong before an operation is reached."""
        here, way = state.of(request), passage.of(request.scope)
        # (1) one token, in the header, with the DPoP scheme (RFC 9449 section 7.1)
        text = _token(request)
        # (2) the token (RFC 9068 section 4)
        token = await here.issuers.verify(text, unit.now)
        # (3) the proof (RFC 9449 section 4.3) and, if the token has one, the certificate (RFC 8705 section 3)
        proof = dpop.verify(
            request.headers.getlist("dpop"), method=way.method, url=_url(request), now=unit.now, token=text
        )
        if not hmac.compare_digest(proof.jkt.encode(), token.jkt.encode()):
            raise _invalid("the proof is by another key than the one that the token is bound to")
        _hold_certificate(token, way.certificate, unit.now)
        # (4) the limits of the client, while this request holds no connection
        admission = await self._admitted(request, unit, token, proof)
        # (5) the client, as remembered; it holds no more than what it and its token both have
        client = await here.clients.find(unit, token.client_id)
        if client is None:
            raise _invalid("this client is not registered")
        caller = _caller(client, token, way.origin, proof.person)
        _hold_standing(client, token)
        # (6) the mark: from here on, what this request writes tells whether the proof is new and the client stands
        act(request, Acting(caller, self.operation, admission))
        replay.mark(unit, Kind.PROOF, proof.jkt, proof.jti, proof.forget_at, client.id, client.epoch, token_id=token.id)
        # (7) the scope (RFC 6750 section 3.1)
        if self.operation.scope not in caller.scopes:
            raise Refused(Reason.INSUFFICIENT_SCOPE)
        # (8) the request as it came in; whose eyes its answer is for; opened if it is sealed to us
        self.raise_objection(request)
        eyes.hold(request, self.operation, caller, routing.produced(request))
        if isinstance(request, Sealed):
            at = unit.now.timestamp()
            request.open(here.inbox.at(at), at)
        return caller

    async def _admitted(self, request: Request, unit: Unit, token: Token, proof: dpop.Proof) -> Admission:
        """Count the request, unless it is a copy of one that was counted.

        Raises `Unauthenticated` when there were too many copies. Raises `TooManyRequests` beyond a limit: the first in
        a window is an entry, the rest is summarised.
        """
        here, way = state.of(request), passage.of(request.scope)
        limits, key = here.limits, (proof.jkt, proof.jti)
        if (once := limits.proofs.find(key, unit.now)) is not None:
            if not once.again():
                raise Unauthenticated(Reason.INVALID_PROOF, "invalid_dpop_proof", detail=USED)
            return Admission(once, token.client_id, unit.now)
        quotas = limits.quotas
        asked = (quotas.requests, quotas.lookups) if self.operation in LOOKUPS else (quotas.requests,)
        for quota in asked:
            standing = await limits.take(quota, token.client_id, unit.now)
            way.told += ((b"ratelimit-policy", quota.policy.encode()), (b"ratelimit", standing.limit.encode()))
            if standing.admitted:
                continue
            client = await here.clients.find(unit, token.client_id) if standing.is_first else None
            if client is not None:
                caller = Principal(client.id, client.organisation, client.scopes, way.origin, token.id)
                act(request, Acting(caller, self.operation))
            raise TooManyRequests(standing.reset)
        return Admission(limits.proofs.note(key, unit.now), token.client_id, unit.now, asked)


def _caller(client: Client, token: Token, origin: Origin, person: str | None) -> Principal:
    """The client as it acts here: it holds no more than what it and its token both have."""
    scopes, keys = token.scopes & client.scopes, (client.encryption_jwk, client.payload_jwks)
    return Principal(client.id, client.organisation, scopes, origin, token.id, person, *keys)


def _token(request: Request) -> str:
    sent = request.headers.getlist("authorization")
    if "access_token" in request.query_params:
        raise Unauthenticated(Reason.UNAUTHENTICATED, "invalid_request", detail="never send a token in an address")
    if not sent:
        raise Unauthenticated(Reason.UNAUTHENTICATED, "")
    scheme, _, text = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "dpop" or not text:
        raise Unauthenticated(
            Reason.UNAUTHENTICATED, "invalid_request", detail="send one Authorization header, with the DPoP scheme"
        )
    return text


def _url(request: Request) -> str:
    """The address as the outside knows it: our base and the path, never what `Host` says."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return passage.of(request.scope).called_at + raw.decode("latin-1")


def _hold_certificate(token: Token, shown: Certificate | None, now: datetime) -> None:
    """Hold a token that is bound to a certificate to that of the connection. Raises `Unauthenticated`."""
    if token.x5t is None:
        return
    if shown is None:
        raise _invalid("this token is bound to a certificate: connect with it, at an address of mtls_endpoint_aliases")
    if not hmac.compare_digest(shown.thumbprint.encode(), token.x5t.encode()):
        raise _invalid("the connection is by another certificate than the one that the token is bound to")
    if not shown.holds(now):
        raise _invalid("the certificate has expired, or does not hold yet")


def _hold_standing(client: Client, token: Token) -> None:
    """Hold a token to what its client is now, as far as it is remembered. Raises `Unauthenticated`."""
    if not client.enabled:
        raise _invalid("this client is disabled")
    if not client.is_held_to(token.x5t):
        raise _invalid("the certificate is not one that this client is held to any more")


def _invalid(detail: str) -> Unauthenticated:
    return Unauthenticated(Reason.INVALID_TOKEN, "invalid_token", detail=detail)
