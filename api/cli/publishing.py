"""`ketenbrug audit publish`, and what `ketenbrug work` does of it: the log as objects of an S3 bucket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import structlog
import typer
from pydantic import TypeAdapter, ValidationError

from api import settings
from api.audit import publication
from api.audit.entry import Stated
from api.audit.places import BUCKET, BucketSettings, in_one_bucket
from api.audit.publication import Publication
from api.cli import buckets, keeping, transaction
from api.errors import KetenbrugError, Misconfigured
from api.schemas.audit import Reference
from api.storage.pool import Database
from api.vocabulary import AuditReason


def publish(
    *,
    to: Annotated[str | None, typer.Option(help="Where, in place of KETENBRUG_LOG_BUCKET_URL.")] = None,
    region: Annotated[str | None, typer.Option(help="And its region.")] = None,
    entries: Annotated[
        bool, typer.Option("--entries", help="The entries too, in a place for those alone who may read them.")
    ] = False,
    reason: Annotated[AuditReason | None, typer.Option(help="With --entries: why, in a word.")] = None,
    reference: Annotated[str, typer.Option(help="With --entries: number of the file where the motive stands.")] = "",
    unpublished: Annotated[
        bool, typer.Option("--unpublished", help="With --entries: no place is for everybody, so none is set.")
    ] = False,
) -> None:
    """Bring a bucket up to the head that was signed last: hashes, which are for everybody."""
    found = settings.bucket(to, region)
    if not found.log_bucket_url:
        raise Misconfigured((f"{BUCKET}: where to? Set it, or say --to",))
    why = _stated(to, reason, reference, unpublished=unpublished) if entries else None
    size = asyncio.run(_publish(settings.database(), found, why))
    typer.echo(f"{found.log_bucket_url} has the log of {size} entries.")


async def run(database: Database, found: BucketSettings, *, every: float = publication.EVERY) -> None:
    """Keep the bucket up to the log, until cancelled. A client that cannot be opened is told, and tried again.

    Whatever it fails with: the sequencer runs beside it, and would be cancelled with it.
    """
    wait = every
    while True:
        try:
            async with _opened(database, found) as made:
                await publication.run(database, made, settings.now, _not_published, every=every)
        except Exception as fault:  # noqa: BLE001 - see above
            _not_published(fault)
        await asyncio.sleep(wait)
        wait = min(2 * wait, publication.LONGEST)


def _stated(to: str | None, reason: AuditReason | None, reference: str, *, unpublished: bool) -> Stated:
    """Why entries leave. Raises `Misconfigured` when that is not said, or they would go where everybody reads."""
    if reason is None:
        raise Misconfigured(("--entries: needs --reason and --reference: it takes out whatever the log says",))
    try:
        TypeAdapter(Reference).validate_python(reference)
    except ValidationError:
        raise Misconfigured(("--reference: the number of a file, such as AUD-2026-14; no name",)) from None
    public = settings.bucket(None, None).log_bucket_url
    if not public and not unpublished:
        raise Misconfigured((f"--entries: set {BUCKET}, to keep them out of there, or say --unpublished",))
    if to is None or (public and in_one_bucket(to, public)):
        raise Misconfigured((f"--entries: needs --to, and another bucket than {BUCKET}, which is for everybody",))
    return Stated(reason, reference)


async def _publish(url: str, found: BucketSettings, why: Stated | None) -> int:
    async with transaction.opened(url) as database, _opened(database, found, entries=why is not None) as made:
        if why is not None:
            await keeping.taken_out(database, why)
        while await made.step():
            pass
        return made.size


@asynccontextmanager
async def _opened(database: Database, found: BucketSettings, *, entries: bool = False) -> AsyncGenerator[Publication]:
    async with buckets.opened(BUCKET, found.log_bucket_region, publication.OBJECT_MOST) as objects:
        yield Publication(database, objects, found.log_bucket_url, settings.now, entries=entries)


def _not_published(fault: Exception) -> None:
    where = str(fault) if isinstance(fault, KetenbrugError) else None
    structlog.get_logger("ketenbrug.work").error("publication-fault", kind=type(fault).__name__, where=where)
