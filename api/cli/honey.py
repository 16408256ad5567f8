"""`ketenbrug honey`: plant a record of nobody, and be told who comes to it."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Final
from uuid import UUID

import typer

from api import settings
from api.cases import honey
from api.cli import transaction
from api.crypto import memory
from api.crypto.vault import Vault
from api.custody import opening
from api.oauth import operator
from api.vocabulary import Municipality, OrganisationId

app: Final = typer.Typer(help="Plant records of nobody, to be told who comes to them.", no_args_is_help=True)


@app.callback()
def _only() -> None: ...


@app.command()
def plant(
    host: Annotated[UUID, typer.Argument(help="An organisation that has no client, so that nobody lists its cases.")],
    municipality: Annotated[Municipality, typer.Option(help="Where its case is.")],
) -> None:
    """Plant a record, and print by which ids it is known: for KETENBRUG_HONEY, and for nobody else."""
    planted = asyncio.run(_plant(settings.database(), OrganisationId(host), municipality))
    typer.echo(json.dumps([str(planted.case), str(planted.alias), str(planted.person)]))
    typer.echo("Add these to the JSON list in KETENBRUG_HONEY of serve and work, and restart both.", err=True)


async def _plant(url: str, host: OrganisationId, municipality: Municipality) -> honey.Planted:
    memory.keep()
    path, chosen = settings.custody()
    now = settings.now()
    async with transaction.opened(url) as database:
        async with transaction.within(database, now) as unit:
            honey.announce(unit, operator.local())
        async with opening.keepers(path, chosen) as kept, transaction.within(database, honey.seeming(now)) as unit:
            return await honey.plant(unit, Vault(kept.keys), kept.index, host, municipality)
