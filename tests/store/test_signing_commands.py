"""What the database knows of signing keys and inbox keys, when their file is lost, old, or ahead of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from api import settings
from api.cli import checks, keys
from api.crypto import inbox, inbox_log, keyfile
from api.errors import Misconfigured
from api.oauth import signing, signing_log
from api.settings import Settings
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from typer.testing import Result

    from api.oauth.signing import Schedule
    from api.storage.unit import Unit
    from tests import servers


class Terminal:
    """An operator with the key file, and the owner of the database."""

    def __init__(self, file: Path, url: str) -> None:
        self.file = file
        self.url = url
        keyfile.create(file)

    @property
    def signing(self) -> Path:
        """The file of signing keys."""
        return self.file.with_name(f"{self.file.name}.signing")

    @property
    def schedule(self) -> Schedule:
        """As it stands in the file."""
        return signing.read(keyfile.load(self.file).token, self.signing)

    def typed(self, *words: str) -> Result:
        """Run a command."""
        known = {"KETENBRUG_KEY_FILE": str(self.file), "KETENBRUG_DATABASE_URL": self.url}
        return CliRunner().invoke(keys.app, list(words), env=known)

    def done(self, *words: str) -> str:
        """Run a command that succeeds."""
        result = self.typed(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    def refused(self, *words: str) -> str:
        """Run a command that is refused, and return why."""
        error = self.typed(*words).exception
        assert isinstance(error, Misconfigured)
        return " ".join(error.faults)

    def within(self, work: Callable[[Unit], Awaitable[Any]], *, after: int = 0) -> Any:
        """Do it in a unit of work, some seconds from now."""

        async def once() -> Any:
            database = await Database.open(self.url, size=1)
            unit = database.unit(settings.now() + timedelta(seconds=after))
            done = await work(unit)
            await unit.finish()
            await database.close()
            return done

        return asyncio.run(once())

    def faults(self, *, after: int = 0) -> tuple[str, ...]:
        """What the service would say of the file."""
        found: tuple[str, ...] = self.within(lambda unit: signing_log.faults(unit, self.schedule), after=after)
        return found

    @property
    def inbox(self) -> Path:
        """The file of inbox keys."""
        return inbox.beside(self.file)

    def missed(self, *, after: int = 0) -> tuple[str, ...]:
        """What the service would say of that."""
        found: tuple[str, ...] = self.within(lambda unit: inbox_log.faults(unit, inbox.read(self.inbox)), after=after)
        return found

    def restored(self, kept: bytes | None) -> None:
        """Put an older file of inbox keys in its place, or none."""
        self.inbox.unlink(missing_ok=True)
        if kept is not None:
            self.inbox.write_bytes(kept)
            self.inbox.chmod(0o400)


@pytest.fixture
def terminal(tmp_path: Path, database: servers.Database) -> Terminal:
    return Terminal(tmp_path / "ketenbrug.keys", database.owner_url)


def test_without_its_file_a_service_does_not_start(terminal: Terminal) -> None:
    """Before: it would have gone on with the first key, as if nothing had been rotated, and taken what it signed."""
    terminal.done("rotate-signing")
    kept = terminal.signing.read_bytes()
    terminal.signing.unlink()
    assert terminal.faults() == (), "the key is still to begin: other machines have time to get it"
    (fault,) = terminal.faults(after=7_200)
    assert "lacks" in fault
    terminal.signing.write_bytes(kept)
    terminal.signing.chmod(0o400)
    assert terminal.faults(after=7_200) == ()


def test_an_old_file_does_not_bring_a_leaked_key_back(terminal: Terminal, database: servers.Database) -> None:
    terminal.done("rotate-signing", "--compromised")
    terminal.signing.unlink()
    found = terminal.faults()
    assert len(found) == 2
    assert any("leaked" in each for each in found)
    assert "leaked" in terminal.refused("rotate-signing")
    served = Settings(database_url=database.app_url, public_url="https://ketenbrug.example")
    told = asyncio.run(checks._of_database(served, terminal.schedule, None))
    assert set(found) <= set(told)


def test_a_lost_file_is_given_up(terminal: Terminal) -> None:
    """Whoever has no copy starts anew: what the lost keys signed holds no longer."""
    terminal.done("rotate-signing", "--compromised")
    terminal.signing.unlink()
    terminal.done("rotate-signing", "--compromised")
    assert terminal.faults() == ()
    assert terminal.faults(after=7_200) == ()


def test_what_could_not_be_written_down_is_written_down_the_next_time(terminal: Terminal) -> None:
    """The file was written, and then the database was away."""
    first = keyfile.load(terminal.file).token
    signing.rotate(first, terminal.signing, settings.now() + timedelta(hours=1), compromised=False)
    assert "published already" in terminal.refused("rotate-signing", "--ahead", "1000")
    terminal.signing.unlink()
    (fault,) = terminal.faults(after=7_200)
    assert "lacks" in fault


def test_an_old_file_of_inbox_keys_publishes_no_retired_key(terminal: Terminal, database: servers.Database) -> None:
    """Others would seal to it again, when its time is over or whoever has a backup of it can read along."""
    terminal.done("rotate-inbox", "--ahead", "0")
    terminal.done("rotate-inbox", "--kind", "RSA-OAEP", "--ahead", "0")
    old = terminal.inbox.read_bytes()
    terminal.done("rotate-inbox")
    newest = terminal.inbox.read_bytes()
    assert terminal.missed(after=7_200) == ()
    terminal.restored(old)
    assert terminal.missed() == (), "the new one is still to begin: other machines have time to get it"
    (fault,) = terminal.missed(after=700)
    assert "the file of inbox keys lacks" in fault
    terminal.restored(None)
    assert len(terminal.missed(after=700)) == 3, "what is retired opens still"
    assert len(terminal.missed(after=700 + inbox.STAYS)) == 2, "and then it is gone"
    served = Settings(database_url=database.app_url, public_url="https://ketenbrug.example")
    assert len(asyncio.run(checks._of_database(served, None, inbox.read(terminal.inbox)))) == 2
    terminal.restored(newest)
    assert terminal.missed(after=7_200) == ()


def test_an_inbox_key_that_leaked_comes_back_with_no_file(terminal: Terminal) -> None:
    terminal.done("rotate-inbox", "--ahead", "0")
    terminal.done("rotate-inbox", "--kind", "RSA-OAEP", "--ahead", "0")
    old = terminal.inbox.read_bytes()
    terminal.done("rotate-inbox", "--compromised")
    assert terminal.missed() == ()
    terminal.restored(old)
    assert ["leaked" in each for each in sorted(terminal.missed())] == [True, False]
    refused = terminal.refused("rotate-inbox")
    assert "restore the newest one" in refused
    terminal.done("rotate-inbox", "--compromised")
    assert terminal.missed() == (), "what was lost is given up"


def test_an_inbox_that_is_lost_is_given_up_kind_by_kind(terminal: Terminal) -> None:
    for kind in ("ECDH-X25519", "RSA-OAEP"):
        terminal.done("rotate-inbox", "--kind", kind, "--ahead", "0")
    terminal.restored(None)
    for left, kind in ((1, "RSA-OAEP"), (0, "ECDH-X25519")):
        terminal.done("rotate-inbox", "--kind", kind, "--compromised")
        assert len(terminal.missed()) == left
