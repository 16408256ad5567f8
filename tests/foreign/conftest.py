"""One sandbox for all tests here, programs of others, and clients that the sandbox did not bring."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from api.crypto.choice import Choice, Kind
from tests import live
from tests.foreign import tools

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE: Final = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Sandbox]:
    """`ketenbrug sandbox`, ready. When it has ended, nothing that it said tells of an exception."""
    made = live.Sandbox(tmp_path_factory.mktemp("foreign") / "sandbox", "--people", "20")
    try:
        made.start()
        yield made
    finally:
        if made.runs:
            made.end()
        live.assert_gone(made.directory)
    assert "Traceback" not in made.said.read_text()


@pytest.fixture(scope="session")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Choice]:
    """A token of SoftHSM."""
    program = shutil.which("softhsm2-util")
    assert program is not None, "SoftHSM is missing: on Debian or Ubuntu, apt install softhsm2."
    assert MODULE.exists(), "SoftHSM is missing: on Debian or Ubuntu, apt install softhsm2."
    folder = tmp_path_factory.mktemp("hsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    (folder / "pin").write_text("1234\n")
    words = ("--init-token", "--free", "--label", "ketenbrug", "--pin", "1234", "--so-pin", "5678")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "conf"))
        environment = live.environment(SOFTHSM2_CONF=str(folder / "conf"))
        subprocess.run((program, *words), check=True, capture_output=True, env=environment)  # noqa: S603 - our own words
        yield Choice(Kind.PKCS11, "", module=MODULE, token="ketenbrug", credentials=folder / "pin")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> tools.Node:
    return tools.node(tmp_path_factory.mktemp("node") / "scripts")


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> tools.Go:
    return tools.go(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="session")
def stories(sandbox: live.Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a client knows, by the algorithm of its key: the issuer, its own id, its private key, what it wants to read.

    Each is registered as an operator does it: the key is made by the client, and only its public half travels.
    """
    told = sandbox.description()
    folder = tmp_path_factory.mktemp("keys")
    made: dict[str, dict[str, Any]] = {}
    for kind, algorithm in (("ES256", "ES256"), ("Ed25519", "EdDSA"), ("PS256", "PS256")):
        client_id = f"foreign-{kind.lower()}"
        private, public = folder / f"{kind}.json", folder / f"{kind}-public.json"
        public.write_text(_ketenbrug("client", "keygen", str(private), "--kind", kind))
        organisation = ("--organisation", told["clients"]["ngo"]["organisation"])
        scopes = ("--scope", "dossiers:read", "--scope", "cases:read")
        words = ("register", "client", client_id, *organisation, "--key", str(public), *scopes)
        _ketenbrug(*words, database_url=told["applicationDatabaseUrl"], sandbox=True)
        made[algorithm] = {
            "issuer": told["issuer"],
            "clientId": client_id,
            "jwk": json.loads(private.read_text()),
            "algorithm": algorithm,
            "scope": "dossiers:read",
            "url": f"{told['baseUrl']}/dossiers/{told['samples']['dossierId']}",
            "audience": told["baseUrl"],
        }
    return made


def _ketenbrug(*words: str, **settings: object) -> str:
    ended = live.command(*words, **settings)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
