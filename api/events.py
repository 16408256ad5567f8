"""The outbox: what happened, for whom, in the transaction of the deed. Thin: types and ids, never personal data.

The feed's cursor is `(xid, position)` below the oldest transaction still running, not an identity alone: identities
commit out of order, and a reader that skips a late committer never sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import uuid_utils.compat as uuid_utils
from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    select,
    text,
    tuple_,
)

from api.storage.base import Xid8, instant, metadata
from api.storage.statement import statement

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.storage.unit import Unit
    from api.vocabulary import OrganisationId


class EventType(StrEnum):
    """The event words. An end by unknown destination (MOB) is never an event to AVIM or DT&V: closures are not told."""

    CASE_ASSIGNED = "case.assigned"
    ADMISSION_ASKED = "admission-check.asked"
    ADMISSION_ANSWERED = "admission-check.answered"
    ADMISSION_DECIDED = "admission-check.decided"
    DOSSIER_REQUESTED = "dossier-request.requested"
    DOSSIER_ACKNOWLEDGED = "dossier-request.acknowledged"
    DOSSIER_DELIVERED = "dossier-request.delivered"
    DOSSIER_COMPLETED = "dossier-request.completed"
    DOCUMENT_STORED = "dossier.document-stored"
    DOCUMENT_WITHDRAWN = "dossier.document-withdrawn"
    DOSSIER_REFUSED = "dossier-request.refused"
    DOSSIER_CANCELLED = "dossier-request.cancelled"
    OUTCOME_SHARED = "screening-outcome.shared"
    ADVICE_REQUESTED = "advice-request.requested"
    ADVICE_GIVEN = "advice.given"
    AGREEMENT_ADDED = "agreement.added"
    AGREEMENT_SIGNED = "agreement.signed"


outbox: Final = Table(
    "event",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("id", Uuid, nullable=False, unique=True),
    Column("organisation_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    instant("recorded_at"),
    Index("ix_event_organisation_id_xid_position", "organisation_id", "xid", "position"),
    schema="exchange",
)

_TELL: Final = statement(insert(outbox), "id", "organisation_id", "type", "subject_type", "subject_id", "recorded_at")
_READ: Final = statement(
    select(outbox)
    .where(outbox.c.organisation_id == bindparam("organisation_id"))
    .where(
        tuple_(outbox.c.xid, outbox.c.position)
        > tuple_(text("cast(cast(:after_xid as text) as xid8)"), bindparam("after_position", type_=BigInteger))
    )
    .where(outbox.c.xid < func.pg_snapshot_xmin(func.pg_current_snapshot()))
    .order_by(outbox.c.xid, outbox.c.position)
    .limit(bindparam("most"))
)


class Position(NamedTuple):
    """Where a reader of the feed is."""

    xid: int = 0
    position: int = 0

    def __str__(self) -> str:
        """As a cursor holds it."""
        return f"{self.xid}.{self.position}"

    @classmethod
    def read(cls, text: str | None) -> Position:
        """From a cursor; the beginning when there is none."""
        if text is None:
            return cls()
        xid, _, position = text.partition(".")
        return cls(int(xid), int(position))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `type` is an `EventType`, or a word of a later release that wrote it."""

    at: Position
    id: UUID
    type: str
    subject_type: str
    subject_id: UUID
    recorded_at: datetime


def tell(unit: Unit, recipient: OrganisationId, what: EventType, subject_type: str, subject_id: UUID) -> None:
    """Carry an event to an organisation: it is told if, and only if, the deed is committed."""
    unit.carry(
        _TELL(
            id=uuid_utils.uuid7(),
            organisation_id=recipient,
            type=str(what),
            subject_type=subject_type,
            subject_id=subject_id,
            recorded_at=unit.now,
        )
    )


async def after(unit: Unit, recipient: OrganisationId, position: Position, most: int) -> list[Event]:
    """At most `most` events after a position, oldest first."""
    rows = await unit.all(
        _READ(organisation_id=recipient, after_xid=str(position.xid), after_position=position.position, most=most)
    )
    return [
        Event(
            Position(int(row["xid"]), row["position"]),
            row["id"],
            row["type"],
            row["subject_type"],
            row["subject_id"],
            row["recorded_at"],
        )
        for row in rows
    ]
