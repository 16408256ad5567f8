"""What each client offers: its rooms, their operations, and the request that each of them describes. No I/O."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from api.schemas.base import Wire
from api.vocabulary import CHAIN, DocumentType, Party, Purpose
from clients._rooms import Listing, Operation, Room, Series
from clients.auditor import AsyncAuditorClient, AuditorClient
from clients.chain import AsyncChainClient, ChainClient
from clients.documents import Content
from clients.municipality import AsyncMunicipalityClient, MunicipalityClient
from clients.ngo import AsyncNgoClient, NgoClient
from clients.operator import AsyncOperatorClient, OperatorClient
from tests.clients_kit import CLIENT_ID, ORIGIN, private_jwk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients._messages import Call
    from clients._parts import AwaitingClient, BlockingClient

    Kind: TypeAlias = type[BlockingClient | AwaitingClient]

PARTIES: Final[dict[type[BlockingClient], frozenset[Party]]] = {
    NgoClient: frozenset({Party.NGO}),
    ChainClient: CHAIN,
    MunicipalityClient: frozenset({Party.MUNICIPALITY}),
    AuditorClient: frozenset({Party.AUDITOR}),
    OperatorClient: frozenset({Party.OPERATOR}),
}
TWINS: Final[dict[type[BlockingClient], type[AwaitingClient]]] = {
    NgoClient: AsyncNgoClient,
    ChainClient: AsyncChainClient,
    MunicipalityClient: AsyncMunicipalityClient,
    AuditorClient: AsyncAuditorClient,
    OperatorClient: AsyncOperatorClient,
}

_SOME: Final = UUID(int=0)
_INDEX: Final = 7


class _Filled(Wire):
    """Stands for whatever is sent."""

    purpose: Purpose = Purpose.LEGAL_SCREENING


@dataclass(frozen=True)
class Offer:
    """An operation of a client: where it is found, its name in the audit log, its sentence, and what it sends."""

    place: str
    name: str
    sentence: str
    call: Call[Any]

    @property
    def path(self) -> str:
        """The path, with `{}` for each id."""
        return re.sub(rf"{_SOME}|(?<=/){_INDEX}(?=/|$)", "{}", self.call.path)

    def __str__(self) -> str:
        call = self.call
        told = [f"{self.place:<28} {call.method:<4} {self.path}"]
        told += [f"?{'&'.join(name for name, _ in call.query)}"] if call.query else []
        told += ["purpose"] if call.purpose else []
        told += ["key"] if call.key else []
        return " ".join(told).replace(" ?", "?")


def offered(kind: Kind) -> Iterator[Offer]:
    """The operations of a client, each with the least that it takes."""
    client = kind(
        f"{ORIGIN}/v1", issuer=ORIGIN, client_id=CLIENT_ID, key=private_jwk(), scope="cases:read", transport=_Nowhere()
    )
    for place in sorted(dir(kind)):
        room = getattr(client, place) if isinstance(getattr(kind, place), property) else None
        if isinstance(room, Room):
            for name in sorted(dir(type(room))):
                described = getattr(type(room), name)
                if isinstance(described, Operation | Listing):
                    yield Offer(f"{place}.{name}", described.name, described.__doc__ or "", _call(room, described))


def _call(room: Room[Any], described: Operation[Any, Any] | Listing[Any, Any, Any]) -> Call[Any]:
    taken = list(inspect.signature(described.describe).parameters.values())[1:]
    needed = {each.name: _sample(each.name) for each in taken if each.default is inspect.Parameter.empty}
    call = described.describe(room, **needed)
    return call.first if isinstance(call, Series) else call


def _sample(name: str) -> object:
    if name.endswith("_id"):
        return _SOME
    if name == "content":
        return Content.of(b"%PDF-1.7", DocumentType.PDF)
    named = {"reference_date": date(2019, 12, 31), "purpose": Purpose.ADMISSION, "index": _INDEX, "hashed": _INDEX}
    return named.get(name, _INDEX if name in {"first", "second"} else _Filled())


class _Nowhere:
    """A transport that is never used."""

    def send(self, request: Any, /) -> Any:
        raise AssertionError(request)

    def close(self) -> Any:
        """Nothing to close."""
