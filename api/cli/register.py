"""`ketenbrug register`: who may take part in the exchange.

Registration is administration of the exchange itself: each command is one transaction with its audit entry. Outside a
sandbox two operators agree on who is let in (`api.oauth.agreeing`): a command proposes, `confirm` by another registers.
Keys travel as public JWKs only; whoever confirms hears from the organisation, by telephone,
what lets people in: the thumbprint of a key; issuer, client id, claim and roles of a provider.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
import uuid_utils.compat as uuid_utils

from api import settings
from api.cli import doing, people
from api.cli.doing import certificates as _certificates
from api.cli.doing import identity as _id
from api.cli.doing import keys as _keys
from api.cli.doing import signing as _signing
from api.cli.doing import within as _commit
from api.crypto import jwe
from api.errors import Misconfigured
from api.oauth import agreeing, deeds, jose, operator, recipients, registry
from api.oauth.deeds import Deed
from api.vocabulary import ClientId, Municipality, Party, Scope, Signable

T = TypeVar("T")

app: Final = typer.Typer(help="Register organisations and their clients.", no_args_is_help=True)

_DATE: Final = ["%Y-%m-%d"]
_HEARD: Final = frozenset({"jwks", "signingJwks", "certificates", "issuer", "clientId", "roleClaim", "roles"})

Source = Annotated[
    str | None,
    typer.Option(help="Where the designation (Vreemdelingenwet art. 107 lid 8) was published, such as Stcrt. 2019, 1."),
]
Since = Annotated[datetime | None, typer.Option(formats=_DATE, help="From when the designation holds.")]
By = Annotated[str | None, typer.Option(help="The operator who proposes it; another one confirms it.")]
Certificates = Annotated[
    list[Path] | None,
    typer.Option("--certificate", help="File with a certificate (PEM) that it is held to; may be repeated."),
]
OperatorKey = Annotated[Path | None, typer.Option(help="File with the private key of that operator.")]


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
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Register an organisation and print its id."""
    content = {
        "id": str(uuid_utils.uuid7()),
        "kind": str(kind),
        "name": name,
        "oin": oin,
        "municipalities": sorted(municipality or ()),
        "designation": _designation(designation_source, designation_date),
        "signingJwks": list(_keys(signing_key)) if signing_key else [],
    }
    _agreed(Deed.ORGANISATION, content, by, operator_key)


@app.command()
def client(
    client_id: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    organisation_id: Annotated[str, typer.Option("--organisation", help="Id of its organisation.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may ask for; may be repeated. Give what it needs.")],
    key: Annotated[Path | None, typer.Option(help="File with the client's public JWK or JWK set.")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Or the https address at which it publishes its keys.")] = None,
    mtls: Annotated[bool, typer.Option("--mtls", help="Or it has a certificate with the organisation's OIN.")] = False,
    certificate: Certificates = None,
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Register a client of an organisation and print the thumbprint of each of its keys or certificates."""
    content = {
        "id": client_id,
        "organisation": str(_id(organisation_id)),
        "jwks": list(_keys(key)) if key else [],
        "scopes": sorted(scope),
        "jwksUri": jwks_uri,
        "certificates": _certificates(certificate) if mtls or certificate else None,
    }
    _agreed(Deed.CLIENT, content, by, operator_key)


@app.command()
def certificates(
    client_id: Annotated[str, typer.Argument(help="Id of the client.")],
    certificate: Certificates = None,
    remove: Annotated[bool, typer.Option("--remove", help="Any with the organisation's OIN counts again.")] = False,
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Hold a client that has a certificate to these, in place of those before. Counts from its next request."""
    if bool(certificate) == remove:
        raise Misconfigured(("give --certificate FILE, or --remove",))
    content = {"client": client_id, "certificates": _certificates(certificate)}
    _agreed(Deed.CERTIFICATES, content, by, operator_key)


@app.command()
def designation(
    organisation_id: Annotated[str, typer.Argument(help="Id of the organisation.")],
    source: Annotated[str, typer.Option(help="Where the designation was published.")],
    since: Annotated[datetime, typer.Option(formats=_DATE, help="From when it holds.")],
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Record a designation under Vreemdelingenwet 2000 art. 107 lid 8."""
    content = {"organisation": str(_id(organisation_id)), "source": source, "date": since.date().isoformat()}
    _agreed(Deed.DESIGNATION, content, by, operator_key)


@app.command()
def provider(
    organisation_id: Annotated[str, typer.Argument(help="Id of the organisation whose people sign in there.")],
    issuer: Annotated[str, typer.Option(help="Its OpenID provider, exactly as in the `issuer` of its metadata.")],
    client_id: Annotated[str, typer.Option(help="What Ketenbrug is called there.")],
    role: Annotated[list[str], typer.Option(help="VALUE=ROLE: a value of the claim, and the role here; repeat it.")],
    contact: Annotated[str, typer.Option(help="Whom its people ask who get no role, as their page shows it.")],
    role_claim: Annotated[str, typer.Option(help="The claim of its ID tokens that names roles.")] = "roles",
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Register where people of an organisation sign in, or replace their roles, which ends their sessions."""
    content = {
        "id": str(uuid_utils.uuid7()),
        "organisation": str(_id(organisation_id)),
        "issuer": issuer,
        "clientId": client_id,
        "roleClaim": role_claim,
        "roles": people.mapped(role),
        "contact": contact,
    }
    _agreed(Deed.PROVIDER, content, by, operator_key)


@app.command()
def payload_keys(
    client_id: Annotated[str, typer.Argument(help="Id of the client.")],
    key: Annotated[Path | None, typer.Option(help="Public JWK or JWK set that signs what it sends.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="It signs nothing any more.")] = False,
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Register the keys that sign what a client sends, for evidence; print the thumbprint of each (RFC 7638)."""
    if (key is None) != remove:
        raise Misconfigured(("give --key FILE, or --remove",))
    _agreed(Deed.PAYLOAD_KEYS, {"client": client_id, "jwks": list(_keys(key)) if key else []}, by, operator_key)


@app.command()
def payload_signatures(
    organisation_id: Annotated[str, typer.Argument(help="Id of the organisation.")],
    require: Annotated[list[Signable] | None, typer.Option(help="What it always signs; may be repeated.")] = None,
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Require that an organisation signs what it sends; without --require, no longer."""
    content = {"organisation": str(_id(organisation_id)), "operations": sorted(require or ())}
    _agreed(Deed.PAYLOAD_SIGNATURES, content, by, operator_key)


@app.command("operator")
def enrol(
    name: Annotated[str, typer.Argument(help="An opaque name: never that of a person.")],
    key: Annotated[Path, typer.Option(help="File with the operator's public JWK.")],
    by: By = None,
    operator_key: OperatorKey = None,
) -> None:
    """Enrol an operator: the first two as they are, every later one by two operators."""
    jwks = list(_keys(key))
    if by is None:
        _commit(lambda unit: agreeing.enrol(unit, name, jwks[0]))
    else:
        _agreed(Deed.OPERATOR, {"name": name, "jwks": jwks[:1]}, by, operator_key)


@app.command()
def proposals() -> None:
    """List what waits for a second operator. What has to be heard from the organisation is not shown."""
    for each in _commit(agreeing.open_proposals):
        told = {name: value for name, value in each.content.items() if name not in _HEARD}
        typer.echo(f"{each.id} {each.deed} by {each.by}: {json.dumps(told, ensure_ascii=True)}")


@app.command()
def confirm(
    proposal: Annotated[str, typer.Argument(help="Id of the proposal.")],
    by: Annotated[str, typer.Option(help="The name under which you are enrolled.")],
    operator_key: Annotated[Path, typer.Option(help="File with your private key.")],
    thumbprint: Annotated[
        list[str] | None, typer.Option(help="Of each key, as the organisation read it to you by telephone.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Of a provider, as the organisation read it to you.")] = None,
    client_id: Annotated[str, typer.Option(help="What Ketenbrug is called there, likewise.")] = "",
    role_claim: Annotated[str, typer.Option(help="The claim that names roles, likewise.")] = "",
    role: Annotated[list[str] | None, typer.Option(help="VALUE=ROLE, likewise: every one of them.")] = None,
) -> None:
    """Register what another operator proposed."""
    heard, sign = frozenset(thumbprint or ()), _signing(operator_key)
    if issuer is not None:
        heard |= deeds.told_of(issuer, client_id, role_claim, people.mapped(role or []))
    done = _commit(lambda unit: agreeing.confirm(unit, _id(proposal), by, sign, heard))
    _printed(done.deed, done.content)


def _agreed(deed: Deed, content: dict[str, Any], by: str | None, operator_key: Path | None) -> None:
    """Propose it; in a sandbox, do it."""
    if settings.is_sandbox():
        _commit(lambda unit: agreeing.carry_out(unit, deed, content))
        _printed(deed, content)
        return
    if by is None or operator_key is None:
        raise Misconfigured(("two operators agree on this: say who proposes it, with --by and --operator-key",))
    sign = _signing(operator_key)
    made = _commit(lambda unit: agreeing.propose(unit, deed, content, by, sign))
    typer.echo(f"Proposed. Another operator compares it by telephone, and then: ketenbrug register confirm {made.id}")


def _printed(deed: Deed, content: dict[str, Any]) -> None:
    if deed is Deed.ORGANISATION:
        typer.echo(content["id"])
    if deed is Deed.PROVIDER:
        typer.echo("What its administrator needs of us: ketenbrug people providers")
    for each in content["jwks"] if deed in {Deed.CLIENT, Deed.PAYLOAD_KEYS} else ():
        typer.echo(jose.public_key(each).thumbprint)
    for shown in deeds.certificates(content):
        typer.echo(shown.thumbprint)


@app.command()
def clients() -> None:
    """List every client: its keys, and by when they are to be renewed."""
    today = settings.now()
    for each in _commit(registry.clients):
        named = f"{each.id} ({each.organisation.name}){'' if each.enabled else ' DISABLED'}"
        typer.echo(f"{named} {doing.renewal(each, today)}")
        for pin in each.pins or ():
            typer.echo(f"    {pin.thumbprint} (certificate, until {pin.ends.date()})")
        for thumbprint in sorted(each.keys.thumbprints):
            typer.echo(f"    {thumbprint}")
        if each.jwks_uri is not None:
            typer.echo(f"    from {each.jwks_uri}")


@app.command()
def encryption_key(
    client_id: Annotated[str, typer.Argument(help="Id of the client.")],
    key: Annotated[Path | None, typer.Option(help="File with its public JWK for encryption.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Send its answers in the clear again.")] = False,
) -> None:
    """Have what tells a client of a person sealed to a key of its own, and print the id of the key."""
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


def _designation(source: str | None, since: datetime | None) -> dict[str, str] | None:
    if source is None and since is None:
        return None
    if source is None or since is None:
        raise Misconfigured(("a designation needs its source and its date",))
    return {"source": source, "date": since.date().isoformat()}
