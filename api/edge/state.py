"""What the app holds for its requests: put there once by `api.app`, read by the edge's dependencies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from api.crypto.honey import Eye
from api.edge import metrics
from api.edge.narrow import Narrow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from uuid import UUID

    from fastapi import FastAPI, Request

    from api.audit import receipt
    from api.audit.delay import MergeDelay
    from api.consent.evidence import Texts
    from api.consent.receipts import Signer
    from api.crypto.blind import BlindIndex
    from api.crypto.inbox import InboxKeys
    from api.crypto.mac import Mac
    from api.crypto.pseudonyms import Pseudonyms
    from api.crypto.wrappers import KeyWrapper
    from api.oauth.external import Issuers
    from api.oauth.limits import Limits
    from api.oauth.management import TokenManagement
    from api.oauth.people.door import Door
    from api.oauth.registry import Clients
    from api.oauth.renewal import KeyRenewal
    from api.oauth.server import TokenEndpoint
    from api.oauth.tokens import Issuer
    from api.oauth.unproven import Tally
    from api.storage.pool import Database


@dataclass(frozen=True, slots=True)
class State:
    """The parts. `clock` gives aware UTC; it is read once per request, for `Unit.now`."""

    database: Database
    clock: Callable[[], datetime]
    issuer: Issuer
    issuers: Issuers
    clients: Clients
    limits: Limits
    token_endpoint: TokenEndpoint
    token_management: TokenManagement
    key_renewal: KeyRenewal
    door: Door
    wrapper: KeyWrapper
    inbox: InboxKeys
    index: BlindIndex
    pseudonyms: Pseudonyms
    fingerprints: Mac
    texts: Texts
    receipts: Signer
    log_receipts: receipt.Signer
    delay: MergeDelay
    unproven: Tally
    published: Narrow = field(default_factory=Narrow)
    eye: Eye = field(default_factory=Eye)

    def watching(self, honey: Collection[UUID]) -> State:
        """The same, with an eye on planted records: of each request, through its `call`."""
        return replace(self, eye=Eye(frozenset(honey), metrics.honey))


def install(app: FastAPI, state: State) -> None:
    """Give the app its state."""
    app.state.ketenbrug = state


def of(request: Request) -> State:
    """The state of the app that serves this request."""
    state: State = request.app.state.ketenbrug
    return state
