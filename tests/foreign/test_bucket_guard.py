"""Buckets of an S3 server that we did not write: the signer guard of two machines, and the log for everybody."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import httpx
import orjson
import pytest
from botocore.credentials import Credentials

from api.audit.bucket import BucketGuard
from api.audit.objects import Objects, SigV4
from api.crypto import keyfile
from api.errors import LogStopped, Misconfigured
from api.outbound import Outbound
from tests import live
from tests.audit_store import append

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests import servers

PATIENCE: Final = 60.0
REGION: Final = "eu-west-1"
LOCATION: Final = f"<x><LocationConstraint>{REGION}</LocationConstraint></x>"
PUBLIC: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::guards/log/*"}
    ],
}
"""What a bucket is told so that everybody may fetch what is below `log`, and nothing else."""
NEVER_CHANGES: Final = "public, max-age=31536000, immutable"
NEWEST: Final = "SELECT note FROM audit.checkpoint ORDER BY size DESC LIMIT 1"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket; beside it is one that is closed. The server does not look at who asks."""
    moto_server = importlib.import_module("moto.server")  # of a group that only `make test-foreign` installs
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}/guards"
    made = httpx.put(url, content=LOCATION, trust_env=False)
    assert made.status_code == 200, made.text
    assert httpx.put(f"{url}-closed", content=LOCATION, trust_env=False).status_code == 200
    assert httpx.put(f"{url}?policy", content=orjson.dumps(PUBLIC), trust_env=False).status_code < 300
    yield url
    server.stop()


@contextmanager
def guarded(url: str) -> Generator[Any]:
    """A way to make guards there, on one set of connections."""
    sign = SigV4(REGION, Credentials("example", "example"), "KETENBRUG_LOG_GUARD_URL")
    yield lambda outbound: BucketGuard(url, Objects(outbound, sign, "KETENBRUG_LOG_GUARD_URL"))


async def test_one_of_two_moves_the_guard(bucket: str) -> None:
    """Conditional writes of S3: `If-None-Match` for the first head, `If-Match` for each other."""
    async with Outbound() as outbound:
        with guarded(f"{bucket}/two") as guard:
            one, other = guard(outbound), guard(outbound)
            await one.examine()
            assert await one.last() is None
            await one.advance(None, "one")
            with pytest.raises(LogStopped, match="guard-moved"):
                await other.advance(None, "other")
            assert await other.last() == "one"
            await other.advance("one", "two")
            with pytest.raises(LogStopped, match="guard-moved"):
                await one.advance("one", "fork")
            assert [await each.last() for each in (one, other)] == ["two", "two"]


async def test_a_bucket_that_is_not_there_is_no_empty_guard(bucket: str) -> None:
    async with Outbound() as outbound:
        with guarded(f"{bucket}-of-nobody/log") as guard:
            with pytest.raises(Misconfigured, match="404"):
                await guard(outbound).last()
            with pytest.raises(Misconfigured, match="404"):
                await guard(outbound).examine()


@dataclass
class Machine:
    """`ketenbrug work` on a machine of its own: it shares the database and the bucket with the other one."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, environment: dict[str, str], said: Path) -> Machine:
        """Start it."""
        with said.open("ab") as output:
            command = (*live.COMMAND, "work")
            return cls(subprocess.Popen(command, env=environment, stdout=output, stderr=output))  # noqa: S603 - our own


def test_two_machines_sign_one_log_and_a_third_with_a_guard_of_its_own_does_not_start(
    bucket: str, database: servers.Database, tmp_path: Path
) -> None:
    """Whichever leads and is killed, the other one goes on, from the head that both of them know."""
    keyfile.create(tmp_path / "keys")
    settings = {
        "database_url": database.app_url,
        "work_database_url": database.work_url,
        "key_file": tmp_path / "keys",
        "public_url": "https://ketenbrug.example",
        "log_guard_region": REGION,
        "merge_interval": 0.1,
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
    }
    environment = live.environment(log_guard_url=f"{bucket}/shared", **settings)
    machines = [Machine.start(environment, tmp_path / "said") for _ in range(2)]
    try:
        grow(database, 3)
        live.until(lambda: size(database) == 3, PATIENCE)
        for killed, committed in ((0, 5), (1, 8), (0, 13)):
            machines[killed].process.kill()
            machines[killed].process.wait(PATIENCE)
            grow(database, committed)
            live.until(lambda wanted=committed: size(database) == wanted, PATIENCE)  # type: ignore[misc]
            machines[killed] = Machine.start(environment, tmp_path / "said")
        assert asyncio.run(kept(f"{bucket}/shared")) == asked(database, NEWEST)
        alone = live.command("work", log_guard=tmp_path / "guard", **settings)
        assert (alone.returncode, "guard-missing" in alone.stderr) == (2, True)
        nowhere = live.command("work", log_guard_url=f"{bucket}-of-nobody/log", **settings)
        assert (nowhere.returncode, "answers 404" in nowhere.stderr) == (2, True)
    finally:
        for each in machines:
            each.process.terminate()
            each.process.wait(PATIENCE)


def test_the_log_is_published_while_it_grows_and_taken_out_with_a_reason(
    bucket: str, database: servers.Database, tmp_path: Path
) -> None:
    """`ketenbrug work` on two machines, each of which dies in turn; then the command, which finds all of it there."""
    keyfile.create(tmp_path / "keys")
    settings = {
        "database_url": database.app_url,
        "work_database_url": database.work_url,
        "key_file": tmp_path / "keys",
        "public_url": "https://ketenbrug.example",
        "log_guard_url": f"{bucket}/published",
        "log_guard_region": REGION,
        "log_bucket_url": f"{bucket}/log",
        "log_bucket_region": REGION,
        "merge_interval": 0.1,
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
    }
    machines = [Machine.start(live.environment(**settings), tmp_path / "said") for _ in range(2)]
    try:
        for killed, committed in ((0, 300), (1, 700)):
            grow(database, committed)
            live.until(lambda wanted=committed: head(bucket) == wanted, PATIENCE)  # type: ignore[misc]
            machines[killed].process.kill()
            machines[killed].process.wait(PATIENCE)
            machines[killed] = Machine.start(live.environment(**settings), tmp_path / "said")
    finally:
        for each in machines:
            each.process.terminate()
            each.process.wait(PATIENCE)
    for name in ("tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"):
        answer = httpx.get(f"{bucket}/log/{name}", trust_env=False)
        kept = {each: answer.headers[each] for each in ("content-type", "cache-control")}
        assert kept == {"content-type": "application/octet-stream", "cache-control": NEVER_CHANGES}
    assert httpx.get(f"{bucket}/log/tile/entries/000", trust_env=False).status_code in {403, 404}
    again = live.command("audit", "publish", **settings)
    assert (again.returncode, again.stdout) == (0, f"{bucket}/log has the log of 700 entries.\n")
    words = ("--entries", "--reason", "incident", "--reference", "AUD-2026-14")
    taken = live.command("audit", "publish", "--to", f"{bucket}-closed/taken", *words, **settings)
    assert (taken.returncode, taken.stdout) == (0, f"{bucket}-closed/taken has the log of 700 entries.\n")
    assert httpx.get(f"{bucket}-closed/taken/tile/entries/000", trust_env=False).status_code == 403
    stated = {"reason": "incident", "reference": "AUD-2026-14"}
    entry = asked(database, "SELECT leaf FROM audit.entry ORDER BY id DESC LIMIT 1")
    assert (orjson.loads(entry)["action"], orjson.loads(entry)["stated"]) == ("audit.export-log", stated)


def head(bucket: str) -> int:
    """Of how many entries the head is that everybody can fetch."""
    answer = httpx.get(f"{bucket}/log/checkpoint", trust_env=False)
    return int(answer.text.splitlines()[1]) if answer.status_code == 200 else -1


async def kept(url: str) -> str | None:
    """What the guard holds."""
    async with Outbound() as outbound:
        with guarded(url) as guard:
            found: str | None = await guard(outbound).last()
            return found


def grow(database: servers.Database, to: int) -> None:
    """Commit entries until there are so many."""

    async def once() -> None:
        connection = await asyncpg.connect(database.app_url)
        await append(connection, to - await connection.fetchval("SELECT count(*) FROM audit.entry"))
        await connection.close()

    asyncio.run(once())


def size(database: servers.Database) -> int:
    """How far the log is signed."""
    return int(asked(database, "SELECT coalesce(max(size), 0) FROM audit.checkpoint"))


def asked(database: servers.Database, query: str) -> Any:
    async def once() -> Any:
        connection = await asyncpg.connect(database.app_url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(once())
