"""The signer guard in a bucket of an S3 server that we did not write, and two machines that sign one log with it."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import httpx
import pytest
from botocore.credentials import Credentials

from api.audit.bucket import BucketGuard, SigV4
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
NEWEST: Final = "SELECT note FROM audit.checkpoint ORDER BY size DESC LIMIT 1"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket. The server does not look at who asks."""
    moto_server = importlib.import_module("moto.server")  # of a group that only `make test-foreign` installs
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}/guards"
    made = httpx.put(url, content=f"<x><LocationConstraint>{REGION}</LocationConstraint></x>", trust_env=False)
    assert made.status_code == 200, made.text
    yield url
    server.stop()


@contextmanager
def guarded(url: str) -> Generator[Any]:
    """A way to make guards there, on one set of connections."""
    sign = SigV4(REGION, Credentials("example", "example"))
    yield lambda outbound: BucketGuard(url, outbound, sign)


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
