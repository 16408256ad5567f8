"""What a test run may touch."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.sandbox.cluster import Cluster
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def lent(tmp_path: Path) -> Iterator[str]:
    """The URL of somebody's server, which has roles and databases of its own."""
    with Cluster.start(tmp_path, durable=False) as cluster:
        cluster.ensure("ketenbrug")
        cluster.ensure("lent_test")
        yield cluster.superuser_url("lent_test")


async def names(url: str) -> set[str]:
    connection: Any = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database")
        return {row[0] for row in rows}
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["ketenbrug", "test", "ketenbrug_test2", "", "_test/ketenbrug"])
def test_a_database_that_is_not_for_tests_is_refused(name: str) -> None:
    """Demo and tests can never touch a production database."""
    sentence = servers.refusal(f"postgresql://me:s3cret@db.example/{name}")
    assert sentence is not None
    assert "KETENBRUG_TEST_DATABASE_URL" in sentence
    assert "s3cret" not in sentence


def test_a_database_for_tests_is_taken() -> None:
    assert servers.refusal("postgresql://me@db.example/ketenbrug_test?sslmode=require") is None


async def test_in_a_lent_server_everything_made_is_named_for_tests_and_taken_away(lent: str) -> None:
    """Roles are shared by all databases of a server: an existing one must not change hands."""
    before = await names(lent)

    def use() -> tuple[servers.Database, set[str]]:
        with (
            servers.server(lent) as server,
            servers.migrated(server) as template,
            servers.database(server, template) as made,
        ):
            return made, asyncio.run(names(made.app_url))

    made, during = await asyncio.to_thread(use)
    assert all(name.endswith("_test") for name in during - before)
    assert {made.name, made.app_role} <= during
    assert await names(lent) == before


def test_no_test_reaches_another_machine() -> None:
    with socket.socket() as reaching, pytest.raises(PermissionError, match="nothing but this machine"):
        reaching.connect(("192.0.2.1", 443))
