"""The import contracts of pyproject.toml hold on the tree, and each of them bites."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
OPTIONS: Final[Mapping[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS: Final[Mapping[str, str]] = {each["id"]: each["name"] for each in OPTIONS["contracts"]}


class Offence(NamedTuple):
    """A line added to a module, and what one contract must then report."""

    contract: str
    module: str
    line: str
    report: str


OFFENCES: Final = (
    # A new room must be given its floor.
    Offence("flow", "api.utils", '"""Odds and ends."""', "- api.utils"),
    # A floor may not look up, not even for types.
    Offence("flow", "api.storage.unit", "from api.oauth import tokens", "api.storage.unit -> api.oauth"),
    Offence(
        "flow",
        "api.errors",
        "import typing\nif typing.TYPE_CHECKING:\n    from api import problems",
        "api.errors -> api.problems",
    ),
    # Rooms on one floor do not know each other.
    Offence(
        "flow",
        "api.screening.operations",
        "from api.advice import store",
        "api.screening.operations -> api.advice",
    ),
    # Nor behind a door that opens late.
    Offence(
        "flow",
        "api.crypto.vault",
        "def _late() -> None:\n    from api.persons import store",
        "api.crypto.vault -> api.persons",
    ),
    Offence("edge", "api.consent.model", "import fastapi", "api.consent.model -> fastapi"),
    Offence("edge", "api.problems", "from starlette.responses import Response", "api.problems -> starlette"),
    Offence("sql", "api.disclosure.gate", "import sqlalchemy", "api.disclosure.gate -> sqlalchemy"),
    Offence("sql", "api.routes.cases", "import asyncpg", "api.routes.cases -> asyncpg"),
    Offence("sql", "api.dossiers.operations", "from sqlalchemy import select", "api.dossiers.operations -> sqlalchemy"),
    Offence("pure", "api.consent.decision", "import time", "api.consent.decision -> time"),
    Offence("pure", "api.audit.tree", "import os", "api.audit.tree -> os"),
    Offence("pure", "api.cases.model", "import asyncio", "api.cases.model -> asyncio"),
    # Purity is not lent out: what a pure module imports must be pure too.
    Offence("pure", "api.consent.model", "from api.storage import pool", "api.consent.model -> api.storage.pool"),
    Offence(
        "cipher",
        "api.storage.unit",
        "from cryptography.hazmat.primitives import hashes",
        "api.storage.unit -> cryptography",
    ),
    Offence("cipher", "api.edge.actor", "import joserfc", "api.edge.actor -> joserfc"),
    Offence("wire", "clients.ngo", "from api import errors", "clients.ngo -> api.errors"),
    Offence("wire", "api.schemas.cases", "from api.cases import model", "api.schemas.cases -> api.cases.model"),
    Offence("transport", "clients.ngo", "import httpx", "clients.ngo -> httpx"),
    Offence("transport", "api.notifications.operations", "import httpx", "api.notifications.operations -> httpx"),
    Offence("stick", "clients.verifier", "from api import vocabulary", "clients.verifier -> api.vocabulary"),
    Offence("stick", "clients.verifier", "import pydantic", "clients.verifier -> pydantic"),
    Offence("witness-stick", "clients.witness", "from api import vocabulary", "clients.witness -> api.vocabulary"),
    Offence("entries", "api.routes.cases", "from api.audit import log", "api.routes.cases -> api.audit.log"),
    Offence(
        "entries",
        "api.dossiers.operations",
        "from api.audit import log",
        "api.dossiers.operations -> api.audit.log",
    ),
    Offence(
        "decision",
        "api.dossiers.operations",
        "from api.consent import decision",
        "api.dossiers.operations -> api.consent.decision",
    ),
    Offence("witness", "api.routes.cases", "from clients import ngo", "api.routes.cases -> clients.ngo"),
)


def lint(tree: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages under a directory."""
    only = [word for each in contracts for word in ("--contract", each)]
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-c", code, "--no-logo", "--no-cache", *only],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tree), "COLUMNS": "1000", "PATH": ""},
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree with the same packages and contracts, to be spoilt."""
    for package in OPTIONS["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "assets"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def commit(offence: Offence, tree: Path) -> None:
    """Add the line to the module; a module that is not there becomes a package."""
    path = tree.joinpath(*offence.module.split("."))
    file = path.with_suffix(".py")
    if not file.exists():
        path.mkdir()
        file = path / "__init__.py"
    with file.open("a") as module:
        module.write(f"\n{offence.line}\n")


def test_every_contract_is_kept() -> None:
    """The rooms stand in the order of the design: nothing imports upward, and each forbidden door is shut."""
    outcome = lint(ROOT)

    assert outcome.returncode == 0, outcome.stdout
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in outcome.stdout


def rooms(*above: str) -> set[str]:
    """Every room of api but those that are named."""
    return {
        f"api.{path.stem}"
        for path in (ROOT / "api").iterdir()
        if path.stem not in {"__init__", *above} and (path.suffix == ".py" or (path / "__init__.py").exists())
    }


@pytest.mark.parametrize(
    ("contract", "key", "spared"),
    [
        ("edge", "source_modules", ("cli", "sandbox", "app", "console", "routes", "edge")),
        (
            "cipher",
            "source_modules",
            ("cli", "sandbox", "app", "console", "crypto", "oauth", "audit", "custody", "errors", "vocabulary"),
        ),
        ("wire", "forbidden_modules", ("schemas", "vocabulary", "console")),
    ],
)
def test_no_room_is_forgotten(contract: str, key: str, spared: tuple[str, ...]) -> None:
    """A contract that lists rooms lists all of them: a new one is not free of it."""
    (options,) = (each for each in OPTIONS["contracts"] if each["id"] == contract)

    assert rooms(*spared) - set(options[key]) == set()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_contract_bites(contract: str, copy: Path) -> None:
    """A contract that never breaks may be naming modules that are long gone: each must catch its offences."""
    offences = [each for each in OFFENCES if each.contract == contract]
    assert offences, "a contract needs an offence that it must catch"
    for each in offences:
        commit(each, copy)

    outcome = lint(copy, contract)

    assert outcome.returncode == 1, outcome.stderr
    assert f"{CONTRACTS[contract]} BROKEN" in outcome.stdout
    reported = outcome.stdout.partition("Broken contracts")[2].splitlines()
    for each in offences:
        assert any(each.report in line for line in reported), each
