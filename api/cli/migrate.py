"""`ketenbrug migrate`: bring a database to the tables of this release, as its owner.

Alembic has an engine of its own here, on the same driver and the same reading of the URL as the service. All revisions
of a call are one transaction behind a lock, so that two callers at once do the work once and a failure leaves nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import asyncpg
import typer
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

import api
from api.errors import Misconfigured
from api.storage import migrations
from api.storage.base import Xid8, metadata
from api.storage.migrations import options

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION: Final = "ketenbrug_app"
"""The role that the service runs as. It owns nothing."""

WORK: Final = "ketenbrug_work"
"""The role that `ketenbrug work` runs as: a member of the other one, which alone writes the log behind the entries."""

BESIDES: Final = ("api.events", "api.storage.idempotency")
"""Modules that declare a table beside the `tables` module of each room."""

_LOCK: Final = 0x6B65_7465_6E62_7275  # "ketenbru"
_T = TypeVar("_T")


def upgrade(owner_url: str, *, app_role: str = APPLICATION, work_role: str = WORK, revision: str = "head") -> None:
    """Bring the database to a revision. The two roles must exist; they get the rights that the revisions name.

    Blocks: in an event loop, call it in a thread. Raises `Misconfigured` when the roles are not as they must be.
    """

    def work(connection: Connection) -> None:
        _check_roles(connection, app_role, work_role)
        command.upgrade(_config(connection, app_role, work_role), revision)

    _alone(owner_url, work)


def downgrade(owner_url: str, *, app_role: str = APPLICATION, work_role: str = WORK, revision: str = "base") -> None:
    """Take the database back to a revision; to `base`, which holds nothing of ours, if none is given. Data are lost."""
    _alone(owner_url, lambda connection: command.downgrade(_config(connection, app_role, work_role), revision))


def check(owner_url: str) -> tuple[str, ...]:
    """Compare the tables of this release with the database. Each difference is a sentence; none: they are equal."""

    def work(connection: Connection) -> tuple[str, ...]:
        context = MigrationContext.configure(connection, opts=options.OPTIONS | {"target_metadata": gather()})
        return tuple(str(difference) for difference in compare_metadata(context, gather()))

    return run(owner_url, work)


def gather() -> MetaData:
    """Import every module that declares tables, and return the MetaData that then holds them all."""
    for module in BESIDES:
        importlib.import_module(module)
    for found in pkgutil.walk_packages(api.__path__, "api."):
        if found.name.endswith(".tables"):
            importlib.import_module(found.name)
    return metadata


def run(url: str, work: Callable[[Connection], _T]) -> _T:
    """Do something with a synchronous connection. Blocks. Raises `Misconfigured` when there is none to be had."""

    async def once() -> _T:
        # The driver reads the URL itself, as it does for the service, so that the same words work in both.
        async def connect() -> Any:  # noqa: ANN401 - the driver's connection
            try:
                return await asyncpg.connect(url, timeout=10)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise Misconfigured(
                    (f"The database cannot be entered: {str(error) or type(error).__name__}",)
                ) from error

        engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
        known: dict[str, Any] = engine.dialect.ischema_names  # type: ignore[attr-defined]
        engine.dialect.ischema_names = known | {"xid8": Xid8}  # type: ignore[attr-defined]
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    # Not `asyncio.run`, which would take the calling thread's current loop away.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(once())


def _alone(url: str, work: Callable[[Connection], None]) -> None:
    def locked(connection: Connection) -> None:
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # A migration that waits for a table keeps all others waiting behind it: rather fail, and be run again.
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            work(connection)

    run(url, locked)


def _config(connection: Connection, app_role: str, work_role: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=gather(), app_role=app_role, work_role=work_role)
    return config


def _check_roles(connection: Connection, app_role: str, work_role: str) -> None:
    asked = text("""
        SELECT current_user AS owner, app.oid IS NOT NULL AS app, work.oid IS NOT NULL AS work,
               pg_has_role(work.oid, app.oid, 'USAGE') AS joined, pg_has_role(app.oid, work.oid, 'MEMBER') AS turned
        FROM (VALUES (1)) AS one
        LEFT JOIN pg_roles app ON app.rolname = :app LEFT JOIN pg_roles work ON work.rolname = :work
    """)
    found = connection.execute(asked, {"app": app_role, "work": work_role}).one()
    faults: list[str] = []
    if not found.app:
        faults.append(f"The role {app_role} is not there: as a superuser, CREATE ROLE {app_role} LOGIN.")
    if not found.work:
        faults.append(
            f"The role {work_role} is not there: as a superuser, CREATE ROLE {work_role} LOGIN IN ROLE {app_role}."
        )
    if found.joined is False:
        faults.append(
            f"The role {work_role} has not the rights of {app_role}: as a superuser, GRANT {app_role} TO {work_role}."
        )
    if found.turned:
        faults.append(
            f"The role {app_role} could write the log: as a superuser, REVOKE {work_role} FROM {app_role}; they are "
            "two roles, and neither is a superuser."
        )
    if found.owner in {app_role, work_role}:
        faults.append(f"Migrate as the owner of the database: {found.owner} runs the service and may own nothing.")
    if faults:
        raise Misconfigured(tuple(faults))


app = typer.Typer(
    help="Bring a database to the tables of this release, as its owner.", pretty_exceptions_show_locals=False
)
DatabaseUrl = Annotated[
    str, typer.Option(envvar="KETENBRUG_DATABASE_URL", show_envvar=True, help="Where the owner finds the database.")
]
AppRole = Annotated[str, typer.Option(help="The role that the service runs as; it must exist.")]
WorkRole = Annotated[str, typer.Option(help="The role that `ketenbrug work` runs as, a member of the other one.")]


@app.callback(invoke_without_command=True)
def up(
    context: typer.Context, database_url: DatabaseUrl, app_role: AppRole = APPLICATION, work_role: WorkRole = WORK
) -> None:
    """Bring the database to this release. Does nothing when it is there already."""
    context.obj = (database_url, app_role, work_role)
    if context.invoked_subcommand is None:
        upgrade(database_url, app_role=app_role, work_role=work_role)


@app.command("down")
def down(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(help="`base` removes everything; before 0004, every seal.")],
) -> None:
    """Take the database back to a revision. What later revisions held is lost."""
    database_url, app_role, work_role = context.obj
    downgrade(database_url, app_role=app_role, work_role=work_role, revision=revision)


@app.command("check")
def compare(context: typer.Context) -> None:
    """Say how the database differs from this release. Exit 1 when it does."""
    differences = check(context.obj[0])
    for difference in differences:
        typer.echo(difference)
    raise typer.Exit(code=1 if differences else 0)
