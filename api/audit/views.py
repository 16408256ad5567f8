"""Three other standards' views of an entry, each made of its bytes alone. The entry stays what is hashed and proven.

    bio2    BIO2 8.15.01: action, object, result, origin, actor, instant; one for each entry
    adl     Authorization Decision Log (Logius): one for each decision, also of those that were no, none for the rest
    ldv     Logboek Dataverwerkingen (Logius): one for each person whom a processing was about, and no actor

Pure, and total: a member that is missing is missing here too. What each field is made of stands in
docs/how/audit-entry.md, with examples.

A request that was permitted and then failed has two entries (`api.audit.entry`) and is one decision and one processing:
whoever makes views knows how the requests ended (`Endings`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from uuid import UUID

from api.vocabulary import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Content: TypeAlias = "Mapping[str, Any]"
Endings: TypeAlias = "Mapping[str, frozenset[str]]"
"""By request id, the results of its entries."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_TRACE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SPAN: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LOCAL: Final = "local"
"""The zone of who has a shell on the machine: no policy was asked."""


@dataclass(frozen=True, slots=True)
class Register:
    """Where the register of processing activities stands (GDPR article 30), and what an organisation's id follows."""

    activities: str
    callers: str

    def activity(self, action: str) -> str:
        """The activity that an operation is part of."""
        return f"{self.activities}/{action}"

    @property
    def alias(self) -> str:
        """What kind of identifier an alias of the log is."""
        return f"{self.activities}#alias"


def endings(contents: Iterable[Content]) -> Endings:
    """How the requests of these entries ended."""
    found: dict[str, frozenset[str]] = {}
    for each in contents:
        request = _text(_of(each, "origin"), "requestId")
        if request:
            found[request] = found.get(request, frozenset()) | {_text(each, "result")}
    return found


def instant(content: Content) -> datetime | None:
    """When it happened; None when the entry does not tell."""
    at = _text(content, "at")
    try:
        return datetime.fromisoformat(at) if _INSTANT.fullmatch(at) else None
    except ValueError:
        return None


def request(content: Content) -> UUID | None:
    """Which request it is of; None when the entry does not tell."""
    try:
        return UUID(_text(_of(content, "origin"), "requestId"))
    except ValueError:
        return None


def bio2(content: Content) -> dict[str, str]:
    """The six fields of BIO2 8.15.01, in its words."""
    actor, thing, tally = (_of(content, name) for name in ("actor", "object", "tally"))
    result, reason = _text(content, "result"), _text(content, "reason")
    named = _text(thing, "id") or _text(thing, "digest")
    version = thing.get("version")
    parties = [_text(actor, name) for name in ("organisation", "client", "person")]
    return {
        "actie": _text(content, "action"),
        "object": "/".join(filter(None, (_text(thing, "type"), named)))
        + (f"@{version}" if version is not None else "")
        + (f" x{tally['count']}" if "count" in tally else ""),
        "resultaat": f"{result}: {reason}" if reason else result,
        "oorsprong": _text(_of(content, "origin"), "zone"),
        "actor": "/".join(filter(None, parties)),
        "tijdstempel": _text(content, "at"),
    }


def adl(content: Content, ended: Endings) -> dict[str, Any] | None:
    """The record of the decision that an entry tells of; None when it tells of none.

    None is taken at the command line, and on the callers that a tally counts: nobody knows who they are. A failure
    after a decision is none of its own; a failure before one is a decision that could not be taken (`Error`).
    """
    origin, result = _of(content, "origin"), _text(content, "result")
    if origin.get("zone") == _LOCAL or "tally" in content:
        return None
    failed = result == Result.FAILED
    if failed and ended.get(_text(origin, "requestId"), frozenset()) - {Result.FAILED}:
        return None
    body = {"adl.core.request": _request(content)}
    if not failed:
        body["adl.core.response"] = _response(content)
    return _present(
        trace_id=origin.get("traceId"),
        span_id=origin.get("spanId"),
        parent_span_id=origin.get("parentSpanId"),
        event_name="adl.access_evaluation",
        timestamp=_milliseconds(content),
        status="Error" if failed else "Unset",
        attributes=_sources(content) or None,
        body=body,
    )


def ldv(content: Content, ended: Endings, register: Register) -> list[dict[str, Any]]:
    """The records of a processing, one for each person; none when it was about nobody.

    Of several, each is a child of the entry's own span, which has a record without a person. No sampling flag counts.
    """
    origin = _of(content, "origin")
    persons = [each for each in (content.get("person"), *_list(content, "persons")) if isinstance(each, str)]
    if not (_TRACE.fullmatch(_text(origin, "traceId")) and _SPAN.fullmatch(_text(origin, "spanId"))):
        return []
    own = _present(
        trace_id=origin.get("traceId"),
        span_id=origin.get("spanId"),
        parent_span_id=origin.get("parentSpanId"),
        status=_status(content, ended),
        name=_text(content, "action").replace(".", ": ").replace("-", " "),
        start_time=_milliseconds(content),
        end_time=_milliseconds(content),
    )
    attributes = {"dpl.core.processing_activity_id": register.activity(_text(content, "action"))}
    if "parentSpanId" in origin:
        attributes["dpl.core.foreign_operation.processor"] = (
            f"{register.callers}{_text(_of(content, 'actor'), 'organisation')}"
        )
    subjects = [{"dpl.core.data_subject_id": each, "dpl.core.data_subject_id_type": register.alias} for each in persons]
    if len(subjects) <= 1:
        return [own | {"attributes": attributes | each} for each in subjects]
    within = {"dpl.core.processing_activity_id": attributes["dpl.core.processing_activity_id"]}
    children = [
        own | {"span_id": _child(content, place), "parent_span_id": origin.get("spanId"), "attributes": within | each}
        for place, each in enumerate(subjects)
    ]
    return [own | {"attributes": attributes}, *children]


def _status(content: Content, ended: Endings) -> str:
    results = ended.get(_text(_of(content, "origin"), "requestId"), frozenset()) | {_text(content, "result")}
    if Result.FAILED in results:
        return "Error"
    return "Ok" if Result.PERMITTED in results else "Unset"


def _child(content: Content, place: int) -> str:
    """A span of its own, the same whenever it is made: of the entry's random id, and of nothing about the person."""
    return hashlib.sha256(f"{_text(content, 'id')}/{place}".encode()).hexdigest()[:16]


def _request(content: Content) -> dict[str, Any]:
    """What was asked, in the form of AuthZEN."""
    actor, thing = _of(content, "actor"), _of(content, "object")
    caller = _present(organisation=actor.get("organisation"), kind=actor.get("kind"), person=actor.get("person"))
    resource = _present(
        type=thing.get("type"),
        id=thing.get("id") or thing.get("digest") or "*",
        properties=_present(version=thing.get("version")) or None,
    )
    context = _present(time=content.get("at"), purpose=content.get("purpose"), zone=_of(content, "origin").get("zone"))
    return {
        "subject": {"type": "client", "id": _text(actor, "client"), "properties": caller},
        "action": {"name": _text(content, "action")},
        "resource": resource,
        "context": context,
    }


def _response(content: Content) -> dict[str, Any]:
    """What was decided, and why. Categories are told, names of fields are not: the entry has them."""
    why = _present(
        reason=content.get("reason"),
        ground=content.get("ground"),
        disclosed=sorted(_of(content, "disclosed")) or None,
        withheld=content.get("withheld"),
    )
    decided = {"decision": content.get("result") == Result.PERMITTED}
    return decided | ({"context": why} if why else {})


def _sources(content: Content) -> dict[str, Any]:
    """Where what the decision rested on can be read again: by id and version."""
    policies = _present(
        consent_decision=content.get("policy"),
        agreements=[_source(each) for each in _list(content, "agreements")] or None,
    )
    information = _present(consents=[_source(each) for each in _list(content, "consents")] or None)
    return _present(**{"adl.core.policies": policies or None, "adl.core.information": information or None})


def _source(named: object) -> str:
    """An id in a version; of an agreement, its rule."""
    members = cast("dict[str, Any]", named) if isinstance(named, dict) else {}
    rule = f"#{members['rule']}" if "rule" in members else ""
    return f"{members.get('id')}@{members.get('version')}{rule}"


def _milliseconds(content: Content) -> int:
    """Since the epoch; 0 when the entry tells no instant, or one before it."""
    at = instant(content)
    return 0 if at is None else max(0, (at - _EPOCH) // _MILLISECOND)


def _of(content: Content, name: str) -> dict[str, Any]:
    value = content.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(content: Content, name: str) -> list[object]:
    value = content.get(name)
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(members: Content, name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _present(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    return {name: value for name, value in members.items() if value is not None}
