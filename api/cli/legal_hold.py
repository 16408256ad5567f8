"""`ketenbrug legal-hold`: what must be kept for now is not erased, whoever asks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
from uuid import UUID

import typer

from api import settings
from api.cli import transaction
from api.oauth import operator
from api.persons import holds
from api.vocabulary import HoldGround

app: Final = typer.Typer(help="Forbid the erasure of a person for a while.", no_args_is_help=True)

Case = Annotated[UUID, typer.Argument(help="Any case of the person.")]


@app.command()
def place(case: Case, ground: Annotated[HoldGround, typer.Option(help="Why: GDPR article 17(3).")]) -> None:
    """Place a hold on the person of a case."""
    asyncio.run(_with_unit(settings.database(), case, ground))
    typer.echo("The person is not erased until the hold is released.")


@app.command()
def release(case: Case) -> None:
    """Release the hold on the person of a case."""
    asyncio.run(_with_unit(settings.database(), case, None))
    typer.echo("The hold is released.")


async def _with_unit(url: str, case: UUID, ground: HoldGround | None) -> None:
    async with transaction.of(url) as unit:
        if ground is None:
            await holds.release(unit, operator.local(), case)
        else:
            await holds.place(unit, operator.local(), case, ground)
