"""Deliver the LDV view of the log to a logbook (Logboek Dataverwerkingen): OTLP over HTTP, in its JSON form.

Laws, each held by a test:

- **At least once.** The cursor moves when the logbook has confirmed everything before it, and not earlier. What is sent
  again has the same trace and span, so that a logbook can tell.
- **Nothing is passed over.** What the logbook refuses stays the next to be sent, and is told each time, and so does an
  entry that is not there; nobody decides here that a person's processing need not be known. Only what is past its term
  is not sent any more. No sampling flag of a caller counts.
- **A record tells how the request ended.** An entry is sent when it is older than any request can last, so that a
  failure after it is in the log by then.
- **One process delivers**, by an advisory lock, and holds no transaction while it waits for the logbook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import orjson
from sqlalchemy import ARRAY, BigInteger, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.audit import lead, proofs, retention, views
from api.audit.projection import content
from api.audit.tables import delivery, projection
from api.errors import LogbookRefused
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from api.audit.proofs import Logged
    from api.audit.views import Endings, Register
    from api.outbound import Answer
    from api.storage.pool import Database
    from api.storage.unit import Unit

    Views = list[dict[str, Any]]

EVERY: Final = 2.0
"""Seconds between two looks for new entries."""
LONGEST: Final = 300.0
"""Seconds that it waits at most before it tries again."""
LOCK: Final = 0x6B65_7465_6E6C_6476  # "ketenldv"
BATCH: Final = 256
"""Entries at most in one request."""
RECORDS: Final = 1_024
"""And records: a page of a list is about many. One entry is sent whole."""

_NAME: Final = "ldv"
_OK: Final = 200
_STATUS: Final = {"Unset": 0, "Ok": 1, "Error": 2}
_SERVER: Final = 2
"""A span of kind SERVER."""
_NANOSECONDS: Final = 1_000_000

_BEGIN: Final = statement(
    upsert(delivery).values(next=0, at=func.now()).on_conflict_do_nothing().returning(delivery.c.next), "name"
)
_CURSOR: Final = statement(select(delivery.c.next).where(delivery.c.name == bindparam("of_name")))
_ADVANCE: Final = statement(
    update(delivery)
    .where(delivery.c.name == bindparam("of_name"), delivery.c.next == bindparam("before", type_=BigInteger))
    .values(next=bindparam("after", type_=BigInteger), at=func.now())
)
_ENDED: Final = statement(
    select(projection.c.request_id, projection.c.result).where(
        projection.c.request_id == func.any(bindparam("requests", type_=ARRAY(Uuid)))
    )
)


class Post(Protocol):
    """Sends bytes to a URL, and looks at where that leads."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer: ...  # noqa: D102


class Logbook:
    """Where records go. `settled` is the age from which on an entry is sent."""

    def __init__(
        self,
        database: Database,
        post: Post,
        url: str,
        register: Register,
        clock: Callable[[], datetime],
        *,
        settled: timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._database = database
        self._post = post
        self._url = url
        self._register = register
        self._clock = clock
        self._settled = settled
        self._headers = {"Content-Type": "application/json"} | dict(headers or {})

    async def deliver(self) -> int:
        """Send the next entries, and tell how many there were.

        Raises `LogbookRefused`, `LogDamaged`, or what kept it away.
        """
        first, found, ended = await self._look()
        records: Views = []
        after = first
        for each in found:
            told = content(each.leaf)
            at = views.instant(told)
            made = views.ldv(told, ended, self._register)
            if (at is not None and self._clock() - at < self._settled) or (records and len(records + made) > RECORDS):
                break
            records += made
            after = each.index + 1
        if records:
            await self._send(records)
        if after > first:
            await self._advance(first, after)
        return after - first

    async def _look(self) -> tuple[int, Sequence[Logged], Endings]:
        unit = self._unit()
        try:
            row = await unit.one(_CURSOR(of_name=_NAME))
            if row is None:
                unit.carry(_BEGIN(name=_NAME))
            first = 0 if row is None else row["next"]
            begin = max(first, await retention.below(unit))
            found = await proofs.entries(unit, begin, begin + BATCH)
            requests = [named for each in found if (named := views.request(content(each.leaf))) is not None]
            results = await unit.all(_ENDED(requests=requests))
        finally:
            await unit.finish()
        ended: dict[str, frozenset[str]] = {}
        for row in results:
            request = str(row["request_id"])
            ended[request] = ended.get(request, frozenset()) | {row["result"]}
        return first, found, ended

    async def _send(self, records: Views) -> None:
        answer = await self._post.post(self._url, otlp(records), self._headers)
        if answer.status != _OK:
            raise LogbookRefused(answer.status)
        if _rejected(answer.body):
            raise LogbookRefused(answer.status, "and rejected records")

    async def _advance(self, before: int, after: int) -> None:
        unit = self._unit()
        try:
            unit.carry(_ADVANCE(of_name=_NAME, before=before, after=after))
        finally:
            await unit.finish()

    def _unit(self) -> Unit:
        return self._database.unit(self._clock())


async def run(
    database: Database,
    logbook: Logbook,
    notice: Callable[[Exception], None],
    *,
    every: float = EVERY,
    longest: float = LONGEST,
) -> None:
    """Deliver, or wait to, until cancelled. After each fault, of which `notice` hears, it waits twice as long."""
    await lead.run(database, LOCK, logbook.deliver, notice, every=every, longest=longest)


def otlp(records: Views) -> bytes:
    """An ExportTraceServiceRequest of OTLP 1.x, in its JSON form: ids in hex, 64-bit numbers as text."""
    resource = {"attributes": _attributes({"service.name": "ketenbrug"})}
    scope = {"scope": {"name": "ketenbrug.ldv"}, "spans": [_span(each) for each in records]}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def _span(record: dict[str, Any]) -> dict[str, Any]:
    parent = {"parentSpanId": record["parent_span_id"]} if "parent_span_id" in record else {}
    return parent | {
        "traceId": record["trace_id"],
        "spanId": record["span_id"],
        "name": record["name"],
        "kind": _SERVER,
        "startTimeUnixNano": str(record["start_time"] * _NANOSECONDS),
        "endTimeUnixNano": str(record["end_time"] * _NANOSECONDS),
        "attributes": _attributes(record["attributes"]),
        "status": {"code": _STATUS[record["status"]]},
    }


def _attributes(named: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]


def _rejected(body: bytes) -> bool:
    """Whether a logbook that answered 200 left something out (OTLP partial success). What is unreadable did not."""
    partial = content(body).get("partialSuccess")
    rejected = cast("dict[str, Any]", partial).get("rejectedSpans") if isinstance(partial, dict) else None
    return str(rejected or 0) != "0"
