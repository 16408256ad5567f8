"""Documents of a dossier (stukken). They stream."""

from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Refusal
from api.dossiers import documents
from api.dossiers.contents import Content
from api.dossiers.model import Announced, DocumentFacts, Listed, NewDocument
from api.edge import downloads, eyes, replies, state, uploads
from api.edge.call import AskedPurpose, calls, creates
from api.edge.downloads import File
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.edge.uploads import ContentDigest, ReprDigest
from api.routes.dossiers import DossierIdPath
from api.schemas import documents as wire
from api.schemas.base import Page
from api.storage.unit import Unit
from api.vocabulary import DOCUMENT_MOST, DocumentId, DocumentType, DossierId

routes = router(tags=["documents"])

DocumentIdPath = Annotated[UUID, Path(alias="documentId", description="Id of a document (stuk).")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY, problems.NOT_PERMITTED)
_SENT = (problems.NOT_FOUND, problems.WRONG_PARTY, problems.NO_AGREEMENT, problems.WRONG_STATE)
_ENDINGS: Final = {
    DocumentType.PDF: "pdf",
    DocumentType.JPEG: "jpg",
    DocumentType.PNG: "png",
    DocumentType.TIFF: "tiff",
    DocumentType.TEXT: "txt",
}
_BYTES: Final[dict[str, Any]] = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_KINDS: Final[dict[str, Any]] = {str(kind): _BYTES for kind in DocumentType}
_FIELDS: Final[dict[str, Any]] = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "ETag": "Of the content, which never changes. For `If-Range` and `If-None-Match`.",
        "Accept-Ranges": "`bytes`; `content`, of the bytes within, where it is sealed.",
        "Content-Disposition": "`attachment`, with a file name that says nothing.",
    }.items()
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The content. It is whole when the body came to its end: one that breaks off is not.",
        "content": _KINDS,
        "headers": _FIELDS,
    },
    206: {
        "description": "The range that was asked for.",
        "content": _KINDS,
        "headers": _FIELDS | {"Content-Range": {"description": "Which it is.", "schema": {"type": "string"}}},
    },
    304: {"description": "Not changed since `If-None-Match`."},
}
_RANGED: Final[dict[str, Any]] = {
    "parameters": [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in {
            "Range": "One range of bytes (RFC 9110 section 14.2); sealed `content=…`, of the bytes within.",
            "If-Range": "The entity tag that the range is of; of another one all of it comes.",
            "If-None-Match": "The `ETag` that you have.",
        }.items()
    ]
}


@routes.post(
    "/dossiers/{dossierId}/documents",
    operation_id="attachDocument",
    status_code=201,
    response_model=wire.Document,
    responses=told(*_SENT, problems.NOT_ASKED),
)
async def attach_document(
    dossier_id: DossierIdPath, body: wire.NewDocument, call: Annotated[Call, creates(authority.ATTACH_DOCUMENT)]
) -> Response:
    """Announce a document (stuk) to a dossier that you supply. Then send its content to the address in `Location`."""
    where, made = DossierId(dossier_id), DocumentId(call.made)
    new = NewDocument(body.category, body.media_type, body.title)
    outcome = await (documents.found(call, where, made) if call.replayed else documents.attach(call, where, made, new))
    return _made(call, outcome)


@routes.put(
    "/dossiers/{dossierId}/documents/{documentId}",
    operation_id="storeDocument",
    status_code=204,
    response_model=None,
    response_class=Response,
    responses=told(*_SENT, problems.NOT_AS_DECLARED, problems.NOT_SEALED_TO_US, problems.PAYLOAD_TOO_LARGE),
    openapi_extra={"requestBody": {"required": True, "content": _KINDS | eyes.STREAMED}},
)
async def store_document(
    request: Request,
    dossier_id: DossierIdPath,
    document_id: DocumentIdPath,
    call: Annotated[Call, calls(authority.STORE_DOCUMENT)],
    content_digest: ContentDigest = None,
    repr_digest: ReprDigest = None,
) -> Response:
    """Send the content of a document, 50 MiB at most. It is there once all of it came as announced, or not at all.

    The same content may be sent again, and has one effect. A content is never replaced. Sealed, it is a JWE to a key of
    `/.well-known/encryption-keys` with `cipher`, `key`, `mediaType`, `digest` and `documentId`, a line feed, and the
    stream of sealed chunks under that key.
    """
    coming = uploads.coming(request, DOCUMENT_MOST, document_id, content_digest, repr_digest)
    fingerprint = state.of(request).fingerprints.tag(b"document", document_id.bytes, coming.digest)
    announced = Announced(coming.media_type, coming.length, coming.digest, fingerprint)
    outcome = await documents.send(
        call, DossierId(dossier_id), DocumentId(document_id), announced, coming.blocks, partial(_unit, request)
    )
    return replies.done(outcome)


@routes.post(
    "/dossiers/{dossierId}/documents/{documentId}/withdrawals",
    operation_id="withdrawDocument",
    status_code=201,
    response_model=wire.Document,
    responses=told(problems.NOT_FOUND, problems.WRONG_PARTY),
)
async def withdraw_document(
    dossier_id: DossierIdPath,
    document_id: DocumentIdPath,
    body: wire.NewDocumentWithdrawal,
    call: Annotated[Call, creates(authority.WITHDRAW_DOCUMENT)],
) -> Response:
    """Take back a document that you supplied, at any time: its content and its title are destroyed.

    While a legal hold (bewaarplicht) stands they are kept, and nobody can read them. Who asked for the dossier, or
    read it in an emergency, is told by an event, and has to delete what it has of it.
    """
    where, which = DossierId(dossier_id), DocumentId(document_id)
    if call.replayed:
        outcome = await documents.withdrawn(call, where, which)
    else:
        outcome = await documents.withdraw(call, where, which, body.reason)
    return replies.made(call, outcome, partial(_withdrawn, dossier_id), f"/dossiers/{dossier_id}/documents")


@routes.get(
    "/dossiers/{dossierId}/documents",
    operation_id="listDocuments",
    response_model=Page[wire.ListedDocument],
    responses=told(*_SEEN),
)
async def list_documents(
    request: Request,
    dossier_id: DossierIdPath,
    call: Annotated[Call, calls(authority.LIST_DOCUMENTS)],
    page: Paging,
    purpose: AskedPurpose = None,
) -> Response:
    """The documents of the sections that you may see, newest first; their supplier also sees what is awaited."""
    outcome = await documents.listed(call, DossierId(dossier_id), purpose, page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, partial(_listed, dossier_id)))


@routes.get(
    "/dossiers/{dossierId}/documents/{documentId}",
    operation_id="readDocument",
    response_model=None,
    response_class=Response,
    responses=_FILE | told(*_SEEN, problems.RANGE_NOT_SATISFIABLE),
    openapi_extra=_RANGED,
)
async def read_document(
    request: Request,
    dossier_id: DossierIdPath,
    document_id: DocumentIdPath,
    call: Annotated[Call, calls(authority.READ_DOCUMENT)],
    purpose: AskedPurpose = None,
) -> Response:
    """The content of a document, or one range of it. Each request is decided and written down by itself."""
    outcome = await documents.read(call, DossierId(dossier_id), DocumentId(document_id), purpose)
    return replies.refused(outcome) if isinstance(outcome, Refusal) else _sent(request, call, outcome)


def _unit(request: Request) -> Unit:
    here = state.of(request)
    return here.database.unit(here.clock())


def _sent(request: Request, call: Call, content: Content) -> Response:
    file = File(
        content.length,
        str(content.kind),
        f'"{content.upload}"',
        f"document-{content.facts.id}.{_ENDINGS[content.kind]}",
        content.facts.id,
        partial(content.read, partial(_unit, request)),
    )
    return downloads.sent(request, call, file)


def _made(call: Call, outcome: DocumentFacts | Refusal) -> Response:
    location = "" if isinstance(outcome, Refusal) else f"/dossiers/{outcome.dossier_id}/documents/{outcome.id}"
    return replies.made(call, outcome, _document, location)


def _document(facts: DocumentFacts) -> wire.Document:
    return wire.Document(**_told(facts.dossier_id, facts))


def _withdrawn(dossier_id: UUID, document: Listed) -> wire.Document:
    return wire.Document(**_told(dossier_id, document), withdrawal=_withdrawal(document))


def _listed(dossier_id: UUID, document: Listed) -> wire.ListedDocument:
    return wire.ListedDocument(**_told(dossier_id, document), withdrawal=_withdrawal(document), title=document.title)


def _told(dossier_id: UUID, document: DocumentFacts | Listed) -> dict[str, Any]:
    return {
        "id": document.id,
        "dossier_id": dossier_id,
        "category": document.category,
        "media_type": document.media_type,
        "state": document.state,
        "length": document.length,
        "added_at": document.added_at,
        "stored_at": document.stored_at,
    }


def _withdrawal(document: Listed) -> wire.DocumentWithdrawal | None:
    taken = document.withdrawal
    return None if taken is None else wire.DocumentWithdrawal(reason=taken.reason, withdrawn_at=taken.withdrawn_at)
