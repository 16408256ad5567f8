"""`ketenbrug audit`: an outsider gets the log as it was signed, and checks it without us."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from api.cli import main
from api.errors import KetenbrugError
from api.schemas.audit import AuditSearch
from api.vocabulary import Purpose
from clients import verifier
from tests import live

if TYPE_CHECKING:
    from typer.testing import Result

    from tests.live import Sandbox

ASKED = (0, 5)


def ketenbrug(*words: str, **settings: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main.assembled(words), words, env=live.environment(**settings))


def exported(sandbox: Sandbox, to: Path, *words: str) -> Result:
    return ketenbrug(
        "audit", "export", "--dir", str(to), *words, database_url=sandbox.description()["applicationDatabaseUrl"]
    )


@pytest.fixture(scope="module")
def made(running: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with proofs of two entries, and of the log as it was at an earlier export."""
    folder = tmp_path_factory.mktemp("export")
    words = [word for index in ASKED for word in ("--entry", str(index))]
    ended = exported(running, folder / "older")
    assert ended.exit_code == 0, ended.output
    with running.cast() as cast:
        cast.ngo.cases.read(UUID(running.description()["samples"]["caseId"]))
        live.until(lambda: cast.auditor.audit.checkpoint().value.tree_size > size(folder / "older"))
    ended = exported(running, folder / "log", *words, "--from", str(size(folder / "older")))
    assert ended.exit_code == 0, ended.output
    assert (folder / "log" / "checkpoint.old").read_bytes() == (folder / "older" / "checkpoint").read_bytes()
    return folder / "log"


@pytest.fixture
def export(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    return Path(shutil.copytree(made, tmp_path / "log"))


def size(log: Path) -> int:
    """How many entries an export has."""
    return int((log / "checkpoint").read_text().splitlines()[1])


def test_taking_the_log_out_is_an_entry_itself(running: Sandbox, tmp_path: Path) -> None:
    """Also by a command on the machine itself: whoever has the entries, the log says so."""
    taken = AuditSearch(query="action:audit.export-log client:local-operator")
    with running.cast() as cast:
        before = len(list(cast.auditor.audit.search(taken)))
        assert exported(running, tmp_path / "log").exit_code == 0
        live.until(lambda: len(list(cast.auditor.audit.search(taken))) == before + 1)


def test_the_export_has_what_outsiders_rely_on(export: Path) -> None:
    """Design section 7: C2SP formats, and a file for each thing that was asked."""
    assert {each.name for each in export.iterdir()} == {
        "checkpoint",
        "checkpoint.old",
        "consistency",
        "vkeys",
        "tile",
        "entries",
    }
    assert (export / "tile" / "entries").is_dir()
    for index in ASKED:
        assert json.loads((export / "entries" / f"{index}.json").read_bytes())["action"]
        assert (export / "entries" / f"{index}.tlog-proof").read_text().startswith("c2sp.org/tlog-proof@v1\n")
    assert all(len(base64.b64decode(line)) == 32 for line in (export / "consistency").read_text().splitlines())


def test_it_is_verified_by_the_command(export: Path) -> None:
    ended = ketenbrug("audit", "verify", "--dir", str(export))

    assert ended.exit_code == 0, ended.output
    report = verifier.verify(export)
    assert report.proven == ASKED
    assert report.older is not None
    assert 0 < report.older < report.checkpoint.size == size(export)


def test_the_keys_may_come_from_elsewhere(export: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.move(export / "vkeys", kept)
    assert ketenbrug("audit", "verify", "--dir", str(export)).exit_code == 1
    assert ketenbrug("audit", "verify", "--dir", str(export), "--vkeys", str(kept)).exit_code == 0


@pytest.mark.parametrize(
    "which",
    [
        "checkpoint",
        "vkeys",
        "tile/0/**/*",
        "tile/entries/**/*",
        "entries/5.json",
        "entries/0.tlog-proof",
        "checkpoint.old",
    ],
)
def test_a_flipped_bit_is_found_and_named(export: Path, which: str) -> None:
    """By the command as an outsider runs it, the exit code is 1 and the first words are the file."""
    file = min(each for each in export.glob(which) if each.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    ended = ketenbrug("audit", "verify", "--dir", str(export))

    assert ended.exit_code == 1
    assert str(file.relative_to(export)) in ended.output


def test_it_is_a_command_that_needs_no_database_and_no_key(export: Path) -> None:
    """As a process of its own, that knows of neither."""
    assert live.command("audit", "verify", "--dir", str(export)).returncode == 0
    (export / "consistency").write_text("AA==\n")
    ended = live.command("audit", "verify", "--dir", str(export))
    assert ended.returncode == 1
    assert "consistency" in ended.stdout + ended.stderr


def test_the_log_tells_what_was_done_and_to_whom_not_what_was_in_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """What the NGO pulls is in the next export, by its request id; the V-number is not."""
    samples = sandbox.description()["samples"]
    with sandbox.cast() as cast:
        request = cast.ngo.dossiers.read(UUID(samples["dossierId"]), purpose=Purpose.LEGAL_SCREENING).request_id
    live.until(lambda: exported(sandbox, tmp_path / "log").exit_code == 0 and request in requests(tmp_path / "log"))

    logged = [each.content for each in verifier.story(tmp_path / "log")]
    entry = next(each for each in logged if each["origin"].get("requestId") == request)
    assert (entry["action"], entry["result"], entry["purpose"]) == ("dossiers.read", "permitted", "legal-screening")
    assert samples["vNumber"] not in str(logged)


def requests(log: Path) -> set[str]:
    """The ids of all requests that a log knows of."""
    return {each.content["origin"].get("requestId", "") for each in verifier.story(log)}


def test_what_cannot_be_proven_is_refused_in_words(sandbox: Sandbox, tmp_path: Path) -> None:
    for words in (("--entry", "1000000"), ("--from", "1000000")):
        ended = exported(sandbox, tmp_path / "log", *words)
        assert isinstance(ended.exception, KetenbrugError)
        assert "1000000" in str(ended.exception)


def projected(export: Path, view: str, *words: str) -> list[dict[str, Any]]:
    """The records of a view, as the command writes them."""
    ended = ketenbrug("audit", "project", "--dir", str(export), "--as", view, *words)
    assert ended.exit_code == 0, ended.output
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_log_is_told_in_the_words_of_three_other_standards(export: Path) -> None:
    """Of a log that really ran: every entry for BIO2, every decision once for ADL, every person for LDV."""
    entries = [each.content for each in verifier.story(export)]
    assert [each["tijdstempel"] for each in projected(export, "bio2")] == [each["at"] for each in entries]
    decided = [each for each in entries if each["origin"]["zone"] != "local" and "tally" not in each]
    decisions = projected(export, "adl")
    assert [(each["trace_id"], each["span_id"]) for each in decisions] == [
        (each["origin"]["traceId"], each["origin"]["spanId"]) for each in decided
    ]
    assert len({(each["trace_id"], each["span_id"]) for each in decisions}) == len(decisions) > 1
    about = [alias for each in entries for alias in (*each.get("persons", ()), *filter(None, [each.get("person")]))]
    records = projected(export, "ldv", "--register", "https://register.example/activities/")
    subjects = [each["attributes"].get("dpl.core.data_subject_id") for each in records]
    assert [each for each in subjects if each is not None] == about
    assert about
    clients = {each["actor"]["client"] for each in decided}
    assert not any(client in json.dumps(record) for client in clients for record in records)


def test_records_without_a_register_to_refer_to_are_not_made(export: Path) -> None:
    ended = ketenbrug("audit", "project", "--dir", str(export), "--as", "ldv")
    assert isinstance(ended.exception, KetenbrugError)
    assert "--register" in str(ended.exception)
