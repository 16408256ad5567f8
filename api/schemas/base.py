"""What all wire types share: camelCase names, nothing unknown, strict instants, pages.

Instants are RFC 3339 with an offset; upper-case `T` and `Z`, never `-00:00` (NL API Design Rules,
/core/date-time/format). They are answered in UTC with `Z`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

_DAY: Final = r"(?:19|20|21)\d{2}-\d{2}-\d{2}"
"""1900 to 2199: a date of a person or of an agreement; what lies far outside overflows when it is turned to UTC."""
_INSTANT: Final = re.compile(_DAY + r"T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_DATE: Final = re.compile(_DAY, re.ASCII)

T = TypeVar("T")


class Wire(BaseModel):
    """A wire type. Its repr shows no values: they may be personal data."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        from_attributes=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__


def _instant(value: Any) -> Any:  # noqa: ANN401 - what came over the line
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value) or value.endswith("-00:00"):
        raise ValueError("an instant is written as 2026-11-24T10:00:00Z or with an offset such as +01:00")
    return value


def _date(value: Any) -> Any:  # noqa: ANN401 - what came over the line
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("a date is written as 2026-11-24")
    return value


def _utc(value: datetime) -> str:
    text = value.astimezone(UTC).isoformat(timespec="microseconds" if value.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"


Instant = Annotated[AwareDatetime, BeforeValidator(_instant), PlainSerializer(_utc, when_used="json")]
Day = Annotated[date, BeforeValidator(_date)]

_CONTROL: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_CONTROL)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=_CONTROL)]
VNumber = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{10}$"),
    Field(description="V-number (vreemdelingennummer): ten digits, kept as text.", examples=["0000000042"]),
]


class Page(Wire, Generic[T]):
    """A page of a list. Follow `nextCursor` until it is null; a cursor is opaque and bound to its list and client."""

    items: tuple[T, ...]
    next_cursor: Annotated[str | None, Field(description="Opaque; null on the last page.")] = None
