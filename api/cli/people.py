"""`ketenbrug people`: how people come in where no provider is needed, and how they are put out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api import settings
from api.cli import doing
from api.errors import Misconfigured
from api.oauth import agreeing, operator
from api.oauth.metadata import JWKS_PATH
from api.oauth.people import links, providers, sessions
from api.oauth.people.relying import CALLBACK, SIGNED_OUT
from api.vocabulary import OrganisationId, Role

if TYPE_CHECKING:
    from api.oauth.people.ticket import Ticket
    from api.storage.unit import Unit

app: Final = typer.Typer(help="People who sign in.", no_args_is_help=True)

Url = Annotated[str, typer.Option(envvar="KETENBRUG_PUBLIC_URL", help="Where people see Ketenbrug.")]


@app.command()
def link(
    organisation_id: Annotated[str, typer.Argument(help="Id of the organisation that one enters for.")],
    url: Url,
    role: Annotated[list[Role], typer.Option(help="As whom; may be repeated.")],
    by: Annotated[str | None, typer.Option(help="Outside a sandbox: the name under which you are enrolled.")] = None,
    operator_key: Annotated[Path | None, typer.Option(help="File with your private key.")] = None,
) -> None:
    """Print where one person may sign in, and on a second line the code: once, within ten minutes."""
    organisation, in_sandbox = OrganisationId(doing.identity(organisation_id)), settings.is_sandbox()
    if (by is None) != (operator_key is None):
        raise Misconfigured(("--by and --operator-key belong together: who signs has the key",))
    if not in_sandbox and by is None:
        raise Misconfigured(("say who you are, with --by and --operator-key: outside a sandbox an operator signs",))
    sign = None if operator_key is None else doing.signing(operator_key)

    async def made(unit: Unit) -> Ticket:
        if by is not None and sign is not None:
            await agreeing.attest(unit, by, sign, links.MAKE, organisation)
        actor = replace(operator.local(), person=by)
        return await links.make(unit, actor, organisation, frozenset(role), in_sandbox=in_sandbox)

    ticket = doing.within(made)
    typer.echo(f"{url.rstrip('/')}{links.PATH}")
    typer.echo(ticket.reveal())


@app.command("providers")
def listed(url: Url) -> None:
    """List where people sign in, with what the administrator of each provider needs of us."""
    for each in doing.within(providers.standing):
        typer.echo(f"{each.id} {each.organisation.name}: {each.issuer} as {each.client_id}")
        typer.echo(f"    redirect_uri              {url.rstrip('/')}{CALLBACK}/{each.id}")
        typer.echo(f"    post_logout_redirect_uri  {url.rstrip('/')}{SIGNED_OUT}")
        typer.echo(f"    jwks_uri                  {url.rstrip('/')}{JWKS_PATH}")
        for value, role in sorted(each.roles.items()):
            typer.echo(f"    {each.role_claim}={value} is {role}")


@app.command()
def disable_provider(provider_id: Annotated[str, typer.Argument(help="Id of the provider.")]) -> None:
    """Let nobody sign in there any more. Who is signed in by it is out from their next request."""
    found = doing.identity(provider_id)
    doing.within(lambda unit: providers.disable(unit, operator.local(), found))


@app.command()
def end_sessions(
    organisation_id: Annotated[str | None, typer.Option("--organisation", help="Of this one only.")] = None,
) -> None:
    """Sign everybody out, from their next request, and print how many that were."""
    of = None if organisation_id is None else OrganisationId(doing.identity(organisation_id))
    typer.echo(doing.within(lambda unit: sessions.end(unit, operator.local(), of)))


def mapped(pairs: list[str]) -> dict[str, str]:
    """Roles by the value that gives them, of words VALUE=ROLE. Raises `Misconfigured`."""
    found: dict[str, str] = {}
    for each in pairs:
        value, _, role = each.rpartition("=")
        if not value or role not in frozenset(Role) or value in found:
            raise Misconfigured((f"{each}: write VALUE=ROLE, each value once; roles are {', '.join(Role)}",))
        found[value] = role
    return found
