"""A witness, over its HTTP: it cosigns what grows, keeps what does not as evidence, and says which it was."""

from __future__ import annotations

import base64
import http.client
import os
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from api.audit import tree
from api.audit.checkpoint import Ed25519Key, Head, hash_lines, signed
from api.cli import witness as command
from api.errors import Misconfigured
from clients import verifier, witness
from clients.verifier import DoesNotHold
from clients.witness import Answer, Witness
from tests.audit_kit import KEY, ORIGIN, STRANGER, Log, grown, leaves, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NAME = "witness.example/ngo"


@pytest.fixture
def made(tmp_path: Path) -> Witness:
    """A witness that follows one log."""
    Witness.make(tmp_path, NAME)
    write(tmp_path / "logs", f"{KEY.vkey}\n".encode())
    return Witness.of(tmp_path, lambda: NOON)


def asked(old: int, size: int, *, note: str | None = None, proof: list[bytes] | None = None) -> bytes:
    """The request of an honest log that was `old` and is `size`, but for what is given."""
    log = grown(size)
    if proof is None:
        proof = log.prove(tree.consistency(old, size))
    return f"old {old}\n{hash_lines(proof)}\n{note or signed(log.head(), [KEY])}".encode()


def trusted(of: Witness) -> list[verifier.Key]:
    return verifier.keys("vkeys", "".join(f"{each}\n" for each in (KEY.vkey, *of.key.vkeys)).encode())


def test_what_grows_is_cosigned_with_both_keys(made: Witness) -> None:
    for old, size in ((0, 0), (0, 5), (5, 5), (5, 300), (300, 1_000)):
        answer = made.add(asked(old, size))
        assert answer.status == 200, answer
        note = signed(grown(size).head(), [KEY]) + answer.text
        assert answer.text.count(f"\u2014 {NAME} ") == 2
        assert verifier.checkpoint("note", note.encode(), trusted(made)).size == size
        assert made.checkpoint(next((made.directory / "heads").glob("?" * 64)).name) == Answer(answer.status, note)


def test_the_clients_of_a_log_can_ask_for_more_than_one_signature(made: Witness) -> None:
    """Signatures that it does not know are passed over, and not kept."""
    note = signed(grown(5).head(), [KEY, Ed25519Key.from_seed("other.example", bytes(32))])
    assert made.add(asked(0, 5, note=note)).status == 200
    (kept,) = (each for each in (made.directory / "heads").iterdir() if not each.suffix)
    assert "other.example" not in kept.read_text()


def test_a_size_that_is_not_the_one_it_knows_is_told(made: Witness) -> None:
    made.add(asked(0, 300))
    for old, size in ((0, 400), (299, 400), (301, 400)):
        assert made.add(asked(old, size)) == Answer(409, "300\n", "text/x.tlog.size")  # type: ignore[arg-type]


def test_another_history_is_refused_and_kept_as_evidence(made: Witness) -> None:
    """A split view: the log signs for this witness what does not extend what it signed before."""
    made.add(asked(0, 300))
    forged = signed(Head(ORIGIN, 400, bytes(32)), [KEY])
    answer = made.add(asked(300, 400, note=forged))
    assert (answer.status, answer.text) == (422, "this does not extend what was cosigned\n")
    (evidence,) = (made.directory / "refused").iterdir()
    assert evidence.read_text() == forged
    assert not (made.directory / "forked").exists()
    other = Log(leaves(400))
    proof, forked = other.prove(tree.consistency(300, 400)), signed(other.head(), [KEY])
    for _ in range(2):
        assert made.add(asked(300, 400, note=forked, proof=proof)).status == 422
    # Its own proof says which root it had at 300: it cannot be that of what was cosigned, which the log signed as well.
    kept = {each.suffix: each.read_text() for each in (made.directory / "forked").iterdir()}
    assert kept[""] == forked
    first, second = (verifier.checkpoint("kept", kept[each].encode(), trusted(made)) for each in (".cosigned", ""))
    path = [base64.b64decode(line) for line in kept[".proof"].splitlines()]
    assert verifier.begun(first, second, path) == Log(leaves(300)).head().root != first.root
    assert made.add(asked(300, 400)).status == 200, "the honest history goes on"


def test_two_heads_of_one_size_are_a_conflict_and_evidence_that_is_certain(made: Witness) -> None:
    """Whatever old size and proof came with it; both are kept, each signed by the log."""
    made.add(asked(0, 300))
    ours = made.checkpoint(next((made.directory / "heads").glob("?" * 64)).name).text
    forged = signed(Head(ORIGIN, 300, bytes(32)), [KEY])
    for old, proof in ((300, []), (0, []), (300, [bytes(32)])):
        answer = made.add(asked(old, 300, note=forged, proof=proof))
        assert answer == Answer(409, "300\n", "text/x.tlog.size")  # type: ignore[arg-type]
    assert sorted(each.read_text() for each in (made.directory / "forked").iterdir()) == sorted([forged, ours])
    assert not (made.directory / "refused").exists()


def test_nobody_but_the_log_fills_the_evidence_with_its_heads(made: Witness) -> None:
    """Anybody can bring a head that the log signed, with a wrong proof and with lines of their own."""
    few = replace(made, most=2)
    few.add(asked(0, 300))
    others = [STRANGER, KEY, Ed25519Key.from_seed("other.example", bytes(32))]
    for size in (400, 401, 402):
        note = signed(grown(size).head(), others)
        assert few.add(asked(300, size, proof=[bytes(32)], note=note)).status == 422
    (kept,) = (each.read_text() for each in (made.directory / "refused").iterdir())
    assert kept == signed(grown(402).head(), [KEY]), "the last one"
    for number in range(4):
        other = Log([b"%d" % number, *leaves(399)])
        few.add(asked(300, 400, note=signed(other.head(), [KEY]), proof=other.prove(tree.consistency(300, 400))))
    assert len(list((made.directory / "forked").iterdir())) == 3, "the log itself has an end, too"


def test_a_made_up_line_under_the_name_of_the_log_is_not_handed_on(made: Witness) -> None:
    """Who knows another key of the log than this witness does would refuse the whole note for it."""
    honest = signed(grown(5).head(), [KEY])
    line = f"\u2014 {ORIGIN} {base64.b64encode(b'id4s' + bytes(64)).decode()}\n"
    assert made.add(asked(0, 5, note=honest + line)).status == 200
    (kept,) = (each for each in (made.directory / "heads").iterdir() if not each.suffix)
    assert line not in kept.read_text()


def test_of_two_histories_that_are_shown_from_the_start_none_has_a_quorum(tmp_path: Path) -> None:
    """Neither witness can tell: each saw one. Who demands both is shown nothing that holds, who demands any, either."""
    lines: list[str] = []
    views = [grown(300), Log(leaves(300))]
    trust = [f"log {KEY.vkey}"]
    for name, view in zip("ab", views, strict=True):
        trust.append(f"witness {name} {Witness.make(tmp_path / name, f'{name}.example')[0]}")
        write(tmp_path / name / "logs", f"{KEY.vkey}\n".encode())
        note = signed(view.head(), [KEY])
        answer = Witness.of(tmp_path / name, lambda: NOON).add(asked(0, 300, note=note, proof=[]))
        assert answer.status == 200
        lines.append(answer.text)
    both, either = (
        write(tmp_path / least, "\n".join([*trust, f"group g {least} a b", "quorum g", ""]).encode())
        for least in ("all", "any")
    )
    for number, view in enumerate(views):
        directory = view.export(tmp_path / f"view{number}")
        for shown, said in ((lines[number], "as many witnesses"), ("".join(lines), "is not by its key over this text")):
            write(directory / "checkpoint", f"{signed(view.head(), [KEY])}{shown}".encode())
            with pytest.raises(DoesNotHold, match=said):
                verifier.verify(directory, policy=both)
        write(directory / "checkpoint", f"{signed(view.head(), [KEY])}{lines[number]}".encode())
        verifier.verify(directory, policy=either)


def test_a_rollback_is_refused(made: Witness) -> None:
    made.add(asked(0, 300))
    assert made.add(asked(100, 200)).status == 409
    assert made.add(asked(300, 300, note=signed(grown(200).head(), [KEY]))).status == 400
    assert made.add(asked(0, 0, note=signed(Head(ORIGIN, 0, bytes(32)), [KEY]), proof=[])).status == 409


def test_the_empty_log_has_one_root(made: Witness) -> None:
    assert made.add(asked(0, 0, note=signed(Head(ORIGIN, 0, bytes(32)), [KEY]), proof=[])).status == 409
    assert len(list((made.directory / "forked").iterdir())) == 1
    assert made.add(asked(0, 5, proof=[bytes(32)])).status == 422


def test_who_did_not_sign_is_not_heard(made: Witness) -> None:
    head = grown(5).head()
    other = Head("other.example/log", 5, head.root)
    assert made.add(asked(0, 5, note=signed(other, [Ed25519Key.from_seed(other.origin, bytes(32))]))).status == 404
    assert made.add(asked(0, 5, note=signed(head, [STRANGER]))).status == 403
    spoilt = signed(head, [KEY]).replace("\n5\n", "\n6\n")
    assert made.add(asked(0, 5, note=spoilt)).status == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\nx\n\n\xe2\x80\x94 x AAAA\n",
        b"old x\n\nx",
        b"\xff\n\nx",
        b"old 0\nAA==\n\n" + signed(grown(5).head(), [KEY]).encode(),
        b"old 0\n"
        + b"".join([base64.b64encode(bytes(32)) + b"\n"] * 64)
        + b"\n"
        + signed(grown(5).head(), [KEY]).encode(),
        b"old 9\n\n" + signed(grown(5).head(), [KEY]).encode(),
        b"old 0\n\nnot a note",
    ],
)
def test_what_cannot_be_read_is_a_bad_request(made: Witness, body: bytes) -> None:
    assert made.add(body).status == 400


def test_a_witness_without_its_files_says_what_to_do(made: Witness, tmp_path: Path) -> None:
    (tmp_path / "logs").unlink()
    with pytest.raises(DoesNotHold, match="write the verifier keys"):
        made.add(asked(0, 5))
    with pytest.raises(DoesNotHold, match="make one first"):
        Witness.of(tmp_path / "none", lambda: NOON)
    assert made.checkpoint("0" * 64).status == 404


def test_its_keys_do_not_show_themselves_and_are_written_once(made: Witness, tmp_path: Path) -> None:
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o400
    assert repr(made.key) == f"Key(name='{NAME}')"
    with pytest.raises(FileExistsError):
        Witness.make(tmp_path, NAME)
    for name in ("a name", "\u00e9" * 128):
        with pytest.raises(ValueError, match="no spaces"):
            Witness.make(tmp_path / "other", name)


@pytest.fixture
def port(made: Witness) -> Iterator[int]:
    """Where it listens."""
    with witness.server(made, "127.0.0.1", 0) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield int(serving.server_address[1])
        serving.shutdown()
        thread.join()


def call(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read().decode()
    connection.close()
    return found


def test_it_speaks_http(made: Witness, port: int) -> None:
    status, kind, lines = call(port, "POST", "/add-checkpoint", asked(0, 5))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    status, _, note = call(port, "GET", f"/{next((made.directory / 'heads').glob('?' * 64)).name}/checkpoint")
    assert (status, note.endswith(lines)) == (200, True)
    assert call(port, "POST", "/add-checkpoint", asked(0, 9)) == (409, "text/x.tlog.size", "5\n")
    assert call(port, "POST", "/elsewhere", b"")[0] == 404
    assert call(port, "GET", "/elsewhere")[0] == 404
    assert call(port, "POST", "/add-checkpoint", b"x" * 65_537)[0] == 413
    assert call(port, "POST", "/add-checkpoint", None, **{"Content-Length": "many"})[0] == 413


def test_what_it_cosigned_is_durable_under_its_name_before_it_is_told(made: Witness) -> None:
    """The file, then its name in the folder: a power cut must not make it forget what it has cosigned."""
    calls: list[str] = []

    def seen(_frame: object, event: str, what: object) -> None:
        if event == "c_call" and what in {os.fsync, os.replace}:
            calls.append("fsync" if what is os.fsync else "replace")

    body = asked(0, 3)
    sys.setprofile(seen)
    try:
        answer = made.add(body)
    finally:
        sys.setprofile(None)
    assert answer.status == 200
    assert calls == ["fsync", "replace", "fsync"]


def test_of_two_requests_at_once_one_is_cosigned(made: Witness) -> None:
    """Check and store are one step."""
    outcomes: list[int] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        outcomes.append(int(made.add(asked(0, 300)).status))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == [200] + [409] * 7


def test_it_is_made_by_a_command(tmp_path: Path) -> None:
    run = CliRunner()
    done = run.invoke(command.app, ["init", NAME, "--dir", str(tmp_path / "w")])
    assert [line.split("+")[0] for line in done.output.splitlines()] == [NAME, NAME]
    again: Any = run.invoke(command.app, ["init", NAME, "--dir", str(tmp_path / "w")])
    assert isinstance(again.exception, Misconfigured)
    missing: Any = run.invoke(command.app, ["serve", "--dir", str(tmp_path / "none")])
    assert isinstance(missing.exception, Misconfigured)
