"""`ketenbrug register`: who may take part. `ketenbrug client keygen`: a client's key pair, on the client's own machine.

Registration is administration of the exchange itself: each command is one transaction with an audit entry of the local
operator. Keys travel as public JWKs only; compare the printed thumbprint with the organisation by telephone.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar, cast
from uuid import UUID

import typer
import uuid_utils.compat as uuid_utils
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api import settings
from api.crypto import jwe
from api.errors import Misconfigured
from api.oauth import jose, operator, recipients, registry
from api.oauth.model import KEYS_WARNED, Designation, NewClient, NewOrganisation, renew_by
from api.storage.pool import Database
from api.storage.unit import Unit
from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Scope

T = TypeVar("T")

app: Final = typer.Typer(help="Register organisations and their clients.", no_args_is_help=True)
client_app: Final = typer.Typer(help="For those who connect: a client's own key.", no_args_is_help=True)

_DATE: Final = ["%Y-%m-%d"]

Source = Annotated[
    str | None,
    typer.Option(help="Where the designation (Vreemdelingenwet art. 107 lid 8) was published, such as Stcrt. 2019, 1."),
]
Since = Annotated[datetime | None, typer.Option(formats=_DATE, help="From when the designation holds.")]


class KeyKind(StrEnum):
    """Which key pair to make."""

    ES256 = "ES256"
    ED25519 = "Ed25519"
    PS256 = "PS256"
    RSA_OAEP = "RSA-OAEP"
    RSA_OAEP_256 = "RSA-OAEP-256"
    ECDH_P256 = "ECDH-P256"
    ECDH_X25519 = "ECDH-X25519"


_ENCRYPTING: Final = {
    kind: {"use": "enc", "alg": algorithm}
    for kind, algorithm in (
        (KeyKind.RSA_OAEP, "RSA-OAEP"),
        (KeyKind.RSA_OAEP_256, "RSA-OAEP-256"),
        (KeyKind.ECDH_P256, "ECDH-ES+A256KW"),
        (KeyKind.ECDH_X25519, "ECDH-ES+A256KW"),
    )
}


@app.command()
def organisation(
    name: Annotated[str, typer.Argument(help="Name, as the other parties will see it.")],
    kind: Annotated[Party, typer.Option(help="What kind of party it is.")],
    oin: Annotated[str | None, typer.Option(help="Organisatie-identificatienummer, twenty digits.")] = None,
    municipality: Annotated[list[Municipality] | None, typer.Option(help="Where it works; may be repeated.")] = None,
    designation_source: Source = None,
    designation_date: Since = None,
    signing_key: Annotated[
        Path | None, typer.Option(help="Public JWK or JWK set that signs agreements for it.")
    ] = None,
) -> None:
    """Register an organisation and print its id."""
    new = NewOrganisation(
        id=OrganisationId(uuid_utils.uuid7()),
        kind=kind,
        name=name,
        oin=oin,
        municipalities=frozenset(municipality or ()),
        designation=_designation(designation_source, designation_date),
        signing_jwks=_keys(signing_key) if signing_key else (),
    )
    _commit(lambda unit: registry.register_organisation(unit, operator.local(), new))
    typer.echo(str(new.id))


@app.command()
def client(
    client_id: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    organisation_id: Annotated[str, typer.Option("--organisation", help="Id of its organisation.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may ask for; may be repeated. Give what it needs.")],
    key: Annotated[Path | None, typer.Option(help="File with the client's public JWK or JWK set.")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Or the https address at which it publishes its keys.")] = None,
) -> None:
    """Register a client of an organisation and print the thumbprint of each of its keys (RFC 7638)."""
    keys = () if key is None else _keys(key)
    new = NewClient(ClientId(client_id), _id(organisation_id), keys, frozenset(scope), jwks_uri)
    ring = _commit(lambda unit: registry.register_client(unit, operator.local(), new))
    for registered in ring.keys.values():
        typer.echo(registered.thumbprint)


@app.command()
def clients() -> None:
    """List every client: its keys, and by when they are to be renewed."""
    today = settings.now()
    for each in _commit(registry.clients):
        due = renew_by(each.keys_since)
        late = " OVERDUE" if due < today.date() else " soon" if due < (today + KEYS_WARNED).date() else ""
        typer.echo(f"{each.id} ({each.organisation.name}){'' if each.enabled else ' DISABLED'} renew by {due}{late}")
        for thumbprint in sorted(each.keys.thumbprints):
            typer.echo(f"    {thumbprint}")
        if each.jwks_uri is not None:
            typer.echo(f"    from {each.jwks_uri}")


@app.command()
def designation(
    organisation_id: Annotated[str, typer.Argument(help="Id of the organisation.")],
    source: Annotated[str, typer.Option(help="Where the designation was published.")],
    since: Annotated[datetime, typer.Option(formats=_DATE, help="From when it holds.")],
) -> None:
    """Record a designation under Vreemdelingenwet 2000 art. 107 lid 8."""
    found = Designation(source, since.date())
    _commit(lambda unit: registry.record_designation(unit, operator.local(), _id(organisation_id), found))


@app.command()
def encryption_key(
    client_id: Annotated[str, typer.Argument(help="Id of the client.")],
    key: Annotated[Path | None, typer.Option(help="File with its public JWK for encryption.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Send its answers in the clear again.")] = False,
) -> None:
    """Have the dossiers that a client reads sealed to a key of its own, and print the id of the key."""
    if (key is None) != remove:
        raise Misconfigured(("give --key FILE, or --remove",))
    offered = () if key is None else _keys(key)
    if key is not None and len(offered) != 1:
        raise Misconfigured(("give the file of one public key",))
    found = jwe.recipient(offered[0]) if offered else None
    _commit(lambda unit: recipients.register(unit, operator.local(), ClientId(client_id), found))
    typer.echo(found.kid if found is not None else "none")


@app.command()
def disable(client_id: Annotated[str, typer.Argument(help="Id of the client.")]) -> None:
    """Disable a client. Counts from its next request, also for tokens that it has."""
    _commit(lambda unit: registry.disable_client(unit, operator.local(), ClientId(client_id)))


@client_app.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the private key is written. It never leaves this machine.")],
    kind: Annotated[KeyKind, typer.Option(help="Which kind of key.")] = KeyKind.ES256,
) -> None:
    """Write a new private key (JWK, mode 0600) and print its public part: that is what the operator needs."""
    key = _new(kind)
    named = {"kid": key.thumbprint(), **_ENCRYPTING.get(kind, {})}
    public = key.as_dict(private=False) | named
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misconfigured((f"{file} exists already: a key is never overwritten",)) from None
    with os.fdopen(descriptor, "w") as writing:
        json.dump(key.as_dict(private=True) | named, writing, indent=1)
        writing.flush()
        os.fsync(writing.fileno())
    typer.echo(json.dumps(public, indent=1))
    typer.echo(f"thumbprint: {key.thumbprint()}", err=True)


def _new(kind: KeyKind) -> ECKey | OKPKey | RSAKey:
    match kind:
        case KeyKind.ES256 | KeyKind.ECDH_P256:
            return ECKey.generate_key("P-256")
        case KeyKind.ED25519:
            return OKPKey.generate_key("Ed25519")
        case KeyKind.ECDH_X25519:
            return OKPKey.generate_key("X25519")
        case KeyKind.PS256 | KeyKind.RSA_OAEP | KeyKind.RSA_OAEP_256:
            return RSAKey.generate_key(jose.RSA_LEAST)


def _commit(work: Callable[[Unit], Awaitable[T]]) -> T:
    """Do it in one unit of work on the configured database."""

    async def once() -> T:
        database = await Database.open(settings.database(), size=1)
        try:
            unit = database.unit(settings.now())
            try:
                done = await work(unit)
                await unit.finish()
            except BaseException:
                await unit.abort()
                raise
            return done
        finally:
            await database.close()

    return asyncio.run(once())


def _keys(file: Path) -> tuple[dict[str, object], ...]:
    """The JWKs of a file that holds one, or a set of them."""
    try:
        content: object = json.loads(file.read_text())
    except (OSError, ValueError):
        raise Misconfigured((f"{file} is not a readable JSON file",)) from None
    found = cast("dict[str, object]", content) if isinstance(content, dict) else {}
    keys = found.get("keys", [found])
    return tuple(cast("list[dict[str, object]]", keys)) if isinstance(keys, list) else ()


def _designation(source: str | None, since: datetime | None) -> Designation | None:
    if source is None and since is None:
        return None
    if source is None or since is None:
        raise Misconfigured(("a designation needs its source and its date",))
    return Designation(source, since.date())


def _id(text: str) -> OrganisationId:
    try:
        return OrganisationId(UUID(text))
    except ValueError:
        raise Misconfigured((f"{text} is not an id of an organisation",)) from None
