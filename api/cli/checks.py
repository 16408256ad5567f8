"""What is looked at before a process serves: every fault is told at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from api import settings
from api.audit import starting
from api.audit.checkpoint import Signer
from api.audit.places import BUCKET
from api.cli import buckets, guards
from api.crypto import inbox, inbox_log, keyfile, memory, signing_choice
from api.custody import opening
from api.errors import LogDamaged, LogStopped, Misconfigured, Unavailable
from api.oauth import signing, signing_log
from api.persons import standing as indexed
from api.storage import standing
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.crypto.inbox import Inbox
    from api.crypto.keyfile import KeyFile
    from api.oauth.signing import Schedule
    from api.settings import Settings

_STALE: Final = (
    "the V-number index: persons are under a version whose key is neither in the key file nor in the key service here, "
    "and would be taken in twice: give this machine the present key file, or, where that key is lost, run "
    "`ketenbrug keys rotate-index`"
)


def may_serve() -> Settings:
    """The settings of a process that serves. Raises `Misconfigured` with every reason why it must not start."""
    return _may(settings.Settings)[0]


def may_work() -> Settings:
    """The settings of a process that also signs the log: it must not start where the log must not be continued."""
    return _continued(_may(settings.WorkSettings)[0])


def may_do_both() -> Settings:
    """The settings of a process that serves and keeps one beside it that works, by its own way into the database."""
    found, beside = _may(settings.Settings, settings.WorkSettings)
    _continued(beside)
    return found


def _may(*kinds: type[Settings]) -> list[Settings]:
    """These settings. Raises `Misconfigured` with every reason why a process of any of them must not start, once."""
    memory.keep()
    read: list[Settings] = []
    faults: list[str] = []
    for kind in kinds:
        try:
            found, told = settings.examined(kind)
        except Misconfigured as error:
            faults.extend(error.faults)
        else:
            read.append(found)
            faults.extend((*told, *_of_one(found, told)))
    if faults:
        raise Misconfigured(tuple(dict.fromkeys(faults)))
    return read


def _of_one(found: Settings, told: Sequence[str]) -> list[str]:
    """What else speaks against a process of these settings, of which so much was told."""
    faults: list[str] = []
    schedule, posts = None, None
    try:
        keys = keyfile.load(found.key_file)
        faults.extend(opening.faults(keys, found.custody))
        schedule, silent = asyncio.run(_signing(keys, found))
        faults.extend(silent)
        if isinstance(found, settings.WorkSettings):
            keyfile.load_log(found.key_file)
    except Misconfigured as error:
        faults.extend(error.faults)
    try:
        posts = inbox.read(inbox.beside(found.key_file))
    except Misconfigured as error:
        faults.extend(error.faults)
    if not any("DATABASE_URL" in fault for fault in told):
        faults.extend(asyncio.run(_of_database(found, schedule, posts)))
    if not faults and not told:
        faults.extend(asyncio.run(_of_index(found)))
    return faults


def _continued(found: Settings) -> Settings:
    if found.log_bucket_url:
        buckets.examine(BUCKET)
    try:
        asyncio.run(_of_log(found))
    except (LogStopped, LogDamaged) as error:
        raise Misconfigured((f"the log: {error}",)) from None
    return found


async def _signing(keys: KeyFile, found: Settings) -> tuple[Schedule, tuple[str, ...]]:
    """The signing keys, and why those that have to sign do not."""
    async with signing_choice.opened(found) as workshop:
        schedule = signing.read(keys.token, found.signing_file, workshop)
        return schedule, await schedule.faults(settings.now().timestamp())


async def _of_log(found: Settings) -> None:
    keys = keyfile.load_log(found.key_file)
    signer = Signer.from_seeds(found.origin, keys.ed25519, keys.post_quantum, settings.now)
    database = await Database.open(found.database_url.get_secret_value(), size=1)
    unit = database.unit(settings.now())
    try:
        async with guards.opened(found, examined=True) as guard:
            await starting.examine(unit, guard, signer)
    finally:
        await unit.finish()
        await database.close()


async def _of_index(found: Settings) -> tuple[str, ...]:
    """Whether everybody is looked for. A key service that does not answer yet is for `/health/ready` to say."""
    database = await Database.open(found.database_url.get_secret_value(), size=1)
    unit = database.unit(settings.now())
    try:
        async with opening.keepers(found.key_file, found.custody) as kept:
            await indexed.probe(unit, kept.index)
    except Unavailable as error:
        return (_STALE,) if str(error) == "index-key" else ()
    finally:
        await unit.finish()
        await database.close()
    return ()


async def _of_database(found: Settings, schedule: Schedule | None, posts: Inbox | None) -> tuple[str, ...]:
    try:
        database = await Database.open(found.database_url.get_secret_value(), size=2)
    except Unavailable:
        return (f"{found.database_variable}: the database does not answer, or does not let us in",)
    works = isinstance(found, settings.WorkSettings)
    try:
        unit = database.unit(settings.now())
        faults = await (standing.faults_of_work(unit) if works else standing.faults(unit))
        if not faults:
            faults += () if schedule is None else await signing_log.faults(unit, schedule)
            faults += () if posts is None else await inbox_log.faults(unit, posts)
        await unit.finish()
        return faults
    finally:
        await database.close()
