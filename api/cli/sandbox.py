"""`ketenbrug sandbox`: a whole exchange on this machine, with a made-up population, for trying things out."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from api.errors import Misconfigured
from api.sandbox import cast as play
from api.sandbox.cast import Cast
from api.sandbox.running import DESCRIPTION, Running
from api.vocabulary import DataCategory, Purpose

PARTS = ("ngo", "otherNgo", "ind", "dtv", "avim", "municipality", "auditor", "operator")
_V_NUMBER = "0000009000"
_ENDINGS = (signal.SIGTERM, signal.SIGINT)
_LOOKING = 1.0
"""Seconds between two looks at whether the service still runs."""


def sandbox(
    directory: Annotated[Path, typer.Option("--dir", help="Where everything is kept; stays when it stops.")],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="On 127.0.0.1.")] = 8080,
    people: Annotated[int, typer.Option(min=0, max=100_000, help="How many people; all made up.")] = 1_095,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Server processes.")] = 1,
) -> None:
    """Start it, write DIR/sandbox.json when it is ready, and stop everything on SIGTERM."""
    for each in _ENDINGS:
        signal.signal(each, _end)
    ready = directory / DESCRIPTION
    with Running.start(directory, port=port, people=people, workers=workers) as running:
        try:
            _write(ready, _description(running))
            typer.echo(f"Ready: {running.base_url}, documentation at {running.issuer}/docs; {ready}")
            while running.service.runs:
                time.sleep(_LOOKING)
        finally:
            ready.unlink(missing_ok=True)
        raise Misconfigured(("The service ended by itself: see what it said above.",))


def _end(_number: int, _frame: FrameType | None) -> None:
    """Leave through every `finally`, wherever we are; once."""
    for each in _ENDINGS:
        signal.signal(each, lambda _number, _frame: None)
    sys.exit(0)


def _description(running: Running) -> dict[str, Any]:
    """What other tools rely on: see docs/sandbox.md."""
    kept = running.directory / "samples.json"
    if not kept.exists():
        _write(kept, _samples(running))
    return {
        "baseUrl": running.base_url,
        "issuer": running.issuer,
        "tokenEndpoint": f"{running.issuer}/oauth/token",
        "databaseUrl": running.database_url,
        "applicationDatabaseUrl": running.application_url,
        "workDatabaseUrl": running.work_url,
        "clients": {
            key: {
                "clientId": each.client_id,
                "organisation": str(each.organisation),
                "scope": each.scope,
                "jwk": dict(each.jwk),
            }
            for key, each in running.credentials.items()
            if key in PARTS
        },
        "samples": json.loads(kept.read_text()),
    }


def _samples(running: Running) -> dict[str, str]:
    """One case of the NGO, through the API: consented, asked and delivered."""
    with Cast(running.base_url, running.issuer, running.credentials) as cast:
        case = play.open_case(cast, _V_NUMBER)
        ordinary, special = play.split()
        consent = play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ngo", ordinary)
        play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ngo", special)
        play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ind", {DataCategory.IDENTITY})
        request = cast.ngo.dossier_requests.request(play.request_dossier(cast, case.id)).value
        delivered = play.deliver(cast, request.id, play.SECTIONS, complete=True)
    return {
        "vNumber": _V_NUMBER,
        "caseId": str(case.id),
        "personId": str(case.person_id),
        "consentId": str(consent.id),
        "dossierRequestId": str(request.id),
        "dossierId": str(delivered.dossier_id),
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write it whole or not at all, for its owner only: it holds private keys."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    fresh.replace(path)
