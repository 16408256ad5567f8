"""`ketenbrug client check` and `client renew`: for whoever connects an organisation, on their own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import settings
from api.errors import Misconfigured
from clients import connection, renewal
from clients.connection import Place
from clients.errors import KetenbrugClientError

Issuer = Annotated[str, typer.Option(help="The address of the service, such as https://ketenbrug.example.")]
Id = Annotated[str, typer.Option("--client-id", help="What the operator registered you as.")]
Key = Annotated[Path, typer.Option(help="File with the private key that `client keygen` made.")]


def check(
    issuer: Issuer,
    client_id: Id,
    key: Key,
    scope: Annotated[list[str], typer.Option(help="What is asked for; may be repeated.")],
    base_url: Annotated[str | None, typer.Option(help="Of the API; the issuer's, with /v1, when absent.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="File with the certificate you are registered by, and its private key (PEM).")
    ] = None,
) -> None:
    """Say whether the connection to the exchange works, and if it does not, what is wrong and what to do."""
    if certificate is not None and base_url is None:
        raise Misconfigured(("--certificate: needs --base-url, of the address for clients with a certificate",))
    place = Place(base_url or f"{issuer.rstrip('/')}/v1", issuer, client_id, key, " ".join(scope), certificate)
    found = list(connection.examine(place, _clock))
    for each in found:
        typer.echo(str(each))
    if not found[-1].holds:
        raise typer.Exit(1)


def renew(
    issuer: Issuer,
    client_id: Id,
    key: Key,
    new: Annotated[Path, typer.Option(help="File with the new private key.")],
    *,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="The new key alone counts from now on: everything of yours uses it.")
    ] = False,
) -> None:
    """Register a new key with the old one. Both count, until it is called again with --drop-old."""
    try:
        due = renewal.renew(issuer, client_id, key, [new] if drop_old else [key, new], _clock)
    except KetenbrugClientError as error:
        raise Misconfigured((str(error),)) from None
    typer.echo(f"The new key counts{'' if drop_old else ', and the old one too'}. Renew it by {due}.")


def _clock() -> float:
    return settings.now().timestamp()
