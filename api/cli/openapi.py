"""`ketenbrug openapi`: write the API description and the problem pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import app
from api.edge import published


def openapi(
    directory: Annotated[Path, typer.Option("--dir", help="Where to write.")] = Path("openapi"),
) -> None:
    """Write `openapi.json`, `openapi.yaml` and a page per problem type."""
    for path in published.write(directory, app.described()):
        typer.echo(path)
