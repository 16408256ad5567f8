"""The audit log (auditlog): for auditors. What they read is logged too."""

import base64
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from api import problems
from api.audit import search
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.routes import asked
from api.schemas import audit as wire
from api.schemas.base import Page
from api.supervision import operations
from api.supervision.operations import Consistency, Head, Proof

routes = router(tags=["audit"])

_MOST = 2**53 - 1
_A_HASH = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
IndexPath = Annotated[int, Path(alias="index", ge=0, le=_MOST, description="Place in the log, from 0.")]
LeafHash = Annotated[
    str,
    Path(
        alias="leafHash",
        pattern=r"^[A-Za-z0-9_-]{43}$",
        description="RFC 6962 leaf hash, in base64url.",
        examples=[_A_HASH],
    ),
]
First = Annotated[int, Query(ge=0, le=_MOST, description="The smaller size: that of a checkpoint you kept.")]
Second = Annotated[int, Query(ge=0, le=_MOST, description="The larger size: that of a checkpoint you got later.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)
_PROVEN = (*_SEEN, problems.LOG_DAMAGED)


@routes.post(
    "/audit/entries/_search",
    operation_id="searchAudit",
    response_model=Page[wire.AuditEntry],
    responses=told(problems.WRONG_PARTY, problems.LOG_DAMAGED),
)
async def search_audit(
    request: Request, body: wire.AuditSearch, call: Annotated[Call, calls(authority.SEARCH_AUDIT)], page: Paging
) -> Response:
    """Entries by a query, newest first. Persons have a name of their own here, which tells nothing outside the log."""
    below = search.END if page.number is None else page.number
    outcome = await operations.find(call, asked.terms(body), below, page.fetch)
    return replies.shown(request, outcome, paged(page, call, asked.entry, lambda found: found.index))


@routes.get(
    "/audit/entries/{index}",
    operation_id="readAudit",
    response_model=wire.AuditEntry,
    responses=told(*_PROVEN, problems.RETENTION_OVER),
)
async def read_audit(
    request: Request, index: IndexPath, call: Annotated[Call, calls(authority.READ_AUDIT)]
) -> Response:
    """One entry, with the exact bytes that were logged."""
    return replies.shown(request, await operations.read(call, index), asked.entry)


@routes.get(
    "/audit/entries/{index}/proof", operation_id="proveAudit", response_model=wire.AuditProof, responses=told(*_PROVEN)
)
async def prove_audit(
    request: Request, index: IndexPath, call: Annotated[Call, calls(authority.PROVE_AUDIT)]
) -> Response:
    """The proof that an entry is in the log as it was signed; it can be checked offline."""
    return replies.shown(request, await operations.prove(call, index), _proof)


@routes.get(
    "/audit/receipts/{leafHash}/proof",
    operation_id="proveReceipt",
    response_model=wire.AuditProof,
    responses=told(problems.NOT_FOUND, problems.LOG_DAMAGED),
)
async def prove_receipt(
    request: Request, leaf_hash: LeafHash, call: Annotated[Call, calls(authority.PROVE_RECEIPT)]
) -> Response:
    """The proof that the entry of an answer is in the log, by the leaf hash of its `Audit-Receipt`; 404 until it is."""
    hashed = base64.urlsafe_b64decode(f"{leaf_hash}=")
    return replies.shown(request, await operations.redeem(call, hashed), _proof)


@routes.get(
    "/audit/checkpoint", operation_id="readCheckpoint", response_model=wire.AuditCheckpoint, responses=told(*_SEEN)
)
async def read_checkpoint(request: Request, call: Annotated[Call, calls(authority.READ_CHECKPOINT)]) -> Response:
    """The signed head of the log to go by: where witnesses are asked the last one that they saw. It never goes back.

    An entry is in the tree within a second of its answer.
    """
    return replies.shown(request, await operations.head(call), _head)


@routes.get(
    "/audit/consistency",
    operation_id="proveConsistency",
    response_model=wire.AuditConsistency,
    responses=told(*_PROVEN),
)
async def prove_consistency(
    request: Request, first: First, second: Second, call: Annotated[Call, calls(authority.PROVE_AUDIT)]
) -> Response:
    """The proof that nothing was changed or removed between two sizes of the log."""
    return replies.shown(request, await operations.consistency(call, first, second), _consistency)


def _proof(proof: Proof) -> wire.AuditProof:
    return wire.AuditProof(index=proof.index, tree_size=proof.size, tlog_proof=proof.text)


def _head(head: Head) -> wire.AuditCheckpoint:
    found = head.checkpoint
    return wire.AuditCheckpoint(
        tree_size=found.size,
        root_hash=_base64(found.root),
        signed_at=found.at,
        checkpoint=found.note,
        verifier_keys=head.vkeys,
    )


def _consistency(found: Consistency) -> wire.AuditConsistency:
    hashes = tuple(_base64(each) for each in found.hashes)
    return wire.AuditConsistency(first=found.first, second=found.second, hashes=hashes)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
