"""Dossiers."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.dossiers import operations
from api.dossiers.model import Dossier, DossierFacts, ManifestLine
from api.edge import replies
from api.edge.call import AskedPurpose, calls
from api.edge.openapi import told
from api.edge.routing import router
from api.schemas import dossiers as wire
from api.vocabulary import DossierId

routes = router(tags=["dossiers"])

DossierIdPath = Annotated[UUID, Path(alias="dossierId", description="Id of a dossier.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY, problems.NOT_PERMITTED)


@routes.get(
    "/dossiers/{dossierId}",
    operation_id="readDossier",
    response_model=wire.Dossier,
    responses=told(*_SEEN),
)
async def read_dossier(
    request: Request,
    dossier_id: DossierIdPath,
    call: Annotated[Call, calls(authority.READ_DOSSIER)],
    purpose: AskedPurpose = None,
) -> Response:
    """The sections (rubrieken) that you may see, and the others with the reason and the next step."""
    return replies.shown(request, await operations.read(call, DossierId(dossier_id), purpose), _dossier)


@routes.get(
    "/dossiers/{dossierId}/manifest",
    operation_id="readManifest",
    response_model=wire.Manifest,
    responses=told(*_SEEN),
)
async def read_manifest(
    request: Request,
    dossier_id: DossierIdPath,
    call: Annotated[Call, calls(authority.READ_MANIFEST)],
    purpose: AskedPurpose = None,
) -> Response:
    """What was asked, delivered and withheld (leveringsoverzicht), without any content."""
    return replies.shown(request, await operations.manifest(call, DossierId(dossier_id), purpose), _manifest)


def _dossier(dossier: Dossier) -> wire.Dossier:
    facts = dossier.facts
    return wire.Dossier(
        id=facts.id,
        dossier_request_id=facts.request.id,
        case_id=facts.request.case_id,
        purpose=dossier.purpose,
        complete=facts.complete,
        sections=tuple(
            wire.Section.model_construct(category=each.category, content=dict(each.content))
            for each in dossier.sections
        ),
        withheld=tuple(
            wire.WithheldSection(category=category, reason=reason, next_step=problems.next_step(reason))
            for category, reason in sorted(dossier.withheld.items())
        ),
        version=facts.version,
    )


def _manifest(found: tuple[DossierFacts, tuple[ManifestLine, ...]]) -> wire.Manifest:
    facts, lines = found
    return wire.Manifest(
        dossier_id=facts.id,
        complete=facts.complete,
        lines=tuple(
            wire.ManifestLine(category=line.category, status=line.status, field_count=line.fields, reason=line.reason)
            for line in lines
        ),
    )
