"""An answer: the value, and what came with it in the headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A value that the API answered with. Its repr shows no value: it may be personal data.

    `request_id`: name it when you ask for help. `receipt`: the signed receipt of the audit entry (`Audit-Receipt`).
    `etag`: the version; give the answer back as `known` to read it again only if it changed. `unchanged`: the value is
    that of `known`, because it has not changed since; the reading was audited all the same. `replayed`: the effect was
    there already, from an earlier request with the same idempotency key.
    """

    value: T = field(repr=False)
    status: int
    request_id: str | None = None
    receipt: str | None = field(default=None, repr=False)
    etag: str | None = field(default=None, repr=False)
    unchanged: bool = False
    replayed: bool = False
