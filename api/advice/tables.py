"""Tables of advice requests and advice."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Integer, Table, Uuid

from api.cases.tables import case
from api.crypto.rows import SealedRow
from api.storage.base import instant, key, metadata, seal, sealed, words
from api.vocabulary import AdviceAnswer, Purpose

advice_request: Final = Table(
    "advice_request",
    metadata,
    key(),
    Column("case_id", Uuid, ForeignKey(case.c.id), nullable=False, index=True),
    Column("person_id", Uuid, nullable=False),
    Column("requester", Uuid, nullable=False, index=True),
    Column("addressee", Uuid, nullable=False, index=True),
    *words("purpose", Purpose),
    *sealed("question"),
    *seal(),
    Column("outcome_id", Uuid, comment="A screening outcome that goes with it; that room knows nothing of this one."),
    instant("requested_at"),
    Column("working_days", Integer),
    CheckConstraint("working_days BETWEEN 1 AND 366", name="working_days"),
    Column("due_on", Date),
    instant("answered_at", nullable=True),
    Column("version", Integer, nullable=False),
    schema="exchange",
)
ADVICE_REQUEST: Final = SealedRow(advice_request, "case_id", "requester", "addressee", "purpose")

advice: Final = Table(
    "advice",
    metadata,
    key(),
    Column("request_id", Uuid, ForeignKey(advice_request.c.id), nullable=False, index=True),
    Column("author", Uuid, nullable=False),
    *words("answer", AdviceAnswer),
    *sealed("content"),
    *seal(),
    Column("valid_until", Date),
    instant("given_at"),
    schema="exchange",
)
ADVICE: Final = SealedRow(advice, "request_id", "author", "answer", through=(advice.c.request_id,))
