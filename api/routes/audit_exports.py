"""Exports of the audit log (uitvoer): for auditors, with a reason. They stream."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Request
from starlette.responses import Response

from api import problems
from api.audit import bundle, sheet
from api.audit.query import Unreadable
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import eyes, replies, state
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.routing import router
from api.routes import asked
from api.schemas import audit as wire
from api.supervision import exports
from api.supervision.exports import Export, Wanted
from api.vocabulary import ExportFormat

routes = router(tags=["audit"])

_NDJSON: Final = "application/x-ndjson"
_TYPES: Final = {
    ExportFormat.NDJSON: (_NDJSON, "ndjson"),
    ExportFormat.CSV: (sheet.MEDIA_TYPE, "csv"),
    ExportFormat.EVIDENCE: (bundle.MEDIA_TYPE, "tar"),
}
_TEXT: Final[dict[str, Any]] = {"schema": {"type": "string"}}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The entries, as a file. It is whole when the body came to its end.",
        "content": {kind: _TEXT for kind, _ in _TYPES.values()},
        "headers": {"Content-Disposition": {"description": "A file name.", "schema": {"type": "string"}}},
    }
}


@routes.post(
    "/audit/entries/_export",
    operation_id="exportAudit",
    response_model=None,
    response_class=Response,
    responses=_FILE | told(problems.NOT_FOUND, problems.WRONG_PARTY, problems.TOO_MUCH, problems.RETENTION_OVER),
)
async def export_audit(
    request: Request, body: wire.AuditExport, call: Annotated[Call, calls(authority.EXPORT_AUDIT)]
) -> Response:
    """Take entries out of the log as it stands, oldest first: at most 100,000, or 10,000 as evidence.

    Query, reason and count are an entry of their own, written before the first byte leaves.
    """
    kind, ending = _TYPES[body.format]
    eyes.check(request, kind)
    wanted = Wanted(asked.terms(body), body.format, body.reason, body.reference, body.sample_from)
    try:
        outcome = await exports.begin(call, wanted)
    except Unreadable as error:
        raise asked.unreadable("Term", error) from None
    return replies.streamed(outcome, lambda export: _parts(request, call, export), kind, f"audit-log.{ending}")


def _parts(request: Request, call: Call, export: Export) -> AsyncIterator[bytes]:
    database, now = state.of(request).database, call.unit.now
    match export.format:
        case ExportFormat.CSV:
            return export.sheet(database, now)
        case ExportFormat.EVIDENCE:
            return export.evidence(database, now)
        case ExportFormat.NDJSON:
            return _lines(request, call, export)


async def _lines(request: Request, call: Call, export: Export) -> AsyncIterator[bytes]:
    async for some in export.entries(state.of(request).database, call.unit.now):
        yield b"".join(replies.body(asked.entry(each)) + b"\n" for each in some)
