"""The service with two more routes, to measure against: in the same process, on the same pool.

/v1/bench/bare                      a FastAPI route that does nothing
/v1/bench/plain/{dossier}/{reader}  reads the same rows and returns the same model: no token, proof, gate, entry, commit
"""

from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.responses import Response

from api import app as application
from api import settings
from api.cli import loading
from api.crypto import keyfile
from api.crypto.vault import Vault
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Permit
from api.dossiers import store
from api.dossiers.model import Dossier
from api.edge import state
from api.edge.envelope import Envelope
from api.edge.routing import join, router
from api.principal import Organisation, Origin, Principal
from api.routes import dossiers
from api.schemas.dossiers import Dossier as Wire
from api.vocabulary import ClientId, DossierId, OrganisationId, Party, Purpose

routes = router()


@routes.get("/v1/bench/bare")
async def bare() -> dict[str, str]:
    """Do nothing."""
    return {"status": "ok"}


@routes.get("/v1/bench/plain/{dossier}/{reader}", response_model=Wire)
async def plain(request: Request, dossier: UUID, reader: UUID) -> Response:
    """Read the same rows with the same keys, open the same sections, return the same model."""
    here = state.of(request)
    unit = here.database.unit(here.clock())
    call = Call(authority.READ_DOSSIER, _somebody(reader), unit, Vault(here.wrapper), here.index)
    try:
        facts = await store.find_dossier(call, DossierId(dossier))
        if facts is None:
            return Response(status_code=404)
        around = facts.situation
        permit = Permit("bench", frozenset({around.person}), dict.fromkeys(around.holdings))
        sections = await store.open_sections(permit, call, facts)
    finally:
        await unit.finish()
    body: Any = dossiers._dossier(Dossier(facts, Purpose.LEGAL_SCREENING, sections, {}))
    return Response(body.__pydantic_serializer__.to_json(body, by_alias=True), media_type="application/json")


def _somebody(reader: UUID) -> Principal:
    origin = Origin("loopback", "bench", "0" * 32, "0" * 16)
    organisation = Organisation(OrganisationId(reader), Party.NGO, "bench", None)
    return Principal(ClientId("bench"), organisation, frozenset(), origin, "")


def create() -> Envelope:
    """Make the service of this process's environment, and the two routes."""
    found = settings.serving()
    with loading.undisturbed():
        envelope = application.create_app(found, keyfile.load(found.key_file))
        app: FastAPI = envelope.app  # type: ignore[assignment]
        join(app, routes)
    return envelope
