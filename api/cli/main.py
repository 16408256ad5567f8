"""`ketenbrug`: each command is thin. It reads settings, calls a room, and says what came of it."""

from __future__ import annotations

import sys

import structlog
import typer
from rich.console import Console

from api.cli import audit, demo, headers, keys, migrate, openapi, register, sandbox, serve, work
from api.errors import KetenbrugError, Misconfigured

app = typer.Typer(
    name="ketenbrug",
    help="Consent-aware exchange between the Dutch migration chain and guiding organisations.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(demo.demo)
app.command()(sandbox.sandbox)
app.command()(serve.serve)
app.command()(work.work)
app.command()(openapi.openapi)
app.add_typer(migrate.app, name="migrate")
app.add_typer(register.app, name="register")
register.client_app.command()(headers.headers)
app.add_typer(register.client_app, name="client")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run a command. What must not start says every reason why, and exits with 2."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        app()
    except Misconfigured as error:
        console = Console(stderr=True)
        for fault in error.faults:
            console.print(f"- {fault}", markup=False, highlight=False)
        sys.exit(2)
    except KetenbrugError as error:
        Console(stderr=True).print(f"{type(error).__name__}: {error}", markup=False, highlight=False)
        sys.exit(1)
