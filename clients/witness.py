"""A witness: it cosigns heads of logs that it follows, and only such as extend the last one that it cosigned.

Whoever runs it (an NGO, a municipality, the auditor) needs to trust neither the log nor its operator: a log that shows
this witness one history and somebody else another, or an older one than before, gets no cosignature and is kept as
evidence. Only hashes come here: a witness learns how many entries there are, and nothing about anybody.

    DIR/key           name and seeds, mode 0400; made by `make`
    DIR/logs          verifier keys of the logs, a line each: from the log's own people, not from its server
    DIR/heads/HASH    the last head that was cosigned, HASH being SHA-256 of the origin in hex
    DIR/forked/       evidence that is certain, which only the log can bring: HASH, which it signed; HASH.cosigned, as
                      well; if their sizes differ HASH.proof, by which the log of HASH began with another root
    DIR/refused/HASH  the last head of a log that came without a proof: evidence, or somebody brought a wrong one

HASH is in `forked` that of the signed text, each kept once, at most 1,000 files: empty it when it is full.
It speaks C2SP tlog-witness (`POST /add-checkpoint`, `GET /HASH/checkpoint`), and needs what `clients.verifier` does.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from clients import verifier
from clients.verifier import DoesNotHold, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime
    from pathlib import Path

_BODY_MOST: Final = 64 * 1024
_PROOF_MOST: Final = 63
_NAME_MOST: Final = 200
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,17})", re.ASCII)
_PLACE: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")
_SIZE: Final = "text/x.tlog.size"
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, in terms of HTTP."""

    status: HTTPStatus
    text: str
    media_type: str = _TEXT


@dataclass(frozen=True, slots=True)
class Key:
    """A witness's two keys under one name. Neither is used for anything else."""

    name: str
    _ed25519: Ed25519PrivateKey = field(repr=False)
    _ml_dsa: MLDSA44PrivateKey = field(repr=False)

    @classmethod
    def from_seeds(cls, name: str, ed25519: bytes, ml_dsa: bytes) -> Key:
        """From two seeds of 32 bytes."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(ed25519), MLDSA44PrivateKey.from_seed_bytes(ml_dsa))

    @property
    def vkeys(self) -> tuple[str, str]:
        """What others need to know of them, a line each."""
        return tuple(
            f"{self.name}+{self._id(kind).hex()}+{_base64(bytes([kind]) + self._public(kind))}"
            for kind in (Kind.COSIGNATURE, Kind.ML_DSA_44)
        )  # type: ignore[return-value]

    def lines(self, text: str, head: verifier.Checkpoint, at: int) -> str:
        """Both cosignatures of a head, at a POSIX time (C2SP tlog-cosignature)."""
        signed = {
            Kind.COSIGNATURE: self._ed25519.sign(verifier.cosigned_text(text, at)),
            Kind.ML_DSA_44: self._ml_dsa.sign(verifier.cosigned_head(self.name, head, at)),
        }
        return "".join(
            f"\u2014 {self.name} {_base64(self._id(kind) + at.to_bytes(8, 'big') + signature)}\n"
            for kind, signature in signed.items()
        )

    def _public(self, kind: Kind) -> bytes:
        private = self._ed25519 if kind is Kind.COSIGNATURE else self._ml_dsa
        return private.public_key().public_bytes_raw()

    def _id(self, kind: Kind) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([kind]) + self._public(kind)).digest()[:4]


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness with its directory."""

    directory: Path
    key: Key
    clock: Callable[[], datetime]
    most: int = 1000  # files of evidence

    @classmethod
    def make(cls, directory: Path, name: str) -> tuple[str, str]:
        """Make a witness with new keys. Returns its verifier keys. Raises `FileExistsError`."""
        if not re.fullmatch(r"[^\s+\x00-\x1f\x7f]+", name) or len(name.encode()) > _NAME_MOST:
            why = "the name of a witness has no spaces, plus signs or control characters, and at most 200 bytes"
            raise ValueError(why)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        seeds = {kind: secrets.token_bytes(32) for kind in ("ed25519", "mlDsa44")}
        content = {"name": name, **{kind: _base64(seed) for kind, seed in seeds.items()}}
        descriptor = os.open(directory / "key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        return Key.from_seeds(name, seeds["ed25519"], seeds["mlDsa44"]).vkeys

    @classmethod
    def of(cls, directory: Path, clock: Callable[[], datetime]) -> Witness:
        """The witness of a directory that `make` made. Raises `DoesNotHold`."""
        try:
            content: dict[str, Any] = json.loads((directory / "key").read_text())
            seeds = (base64.b64decode(content[kind]) for kind in ("ed25519", "mlDsa44"))
            return cls(directory, Key.from_seeds(content["name"], *seeds), clock)
        except (OSError, ValueError, KeyError, TypeError):
            raise DoesNotHold("key", "is not there, or no witness's: make one first") from None

    def add(self, body: bytes) -> Answer:
        """Cosign a head, or say why not (C2SP tlog-witness, add-checkpoint)."""
        # (1) the request can be read
        try:
            old, proof, note = _asked(body)
            origin, text = _origin(note)
        except (DoesNotHold, ValueError) as error:
            return Answer(HTTPStatus.BAD_REQUEST, f"{error}\n")
        # (2) the log is one that we follow, and it signed this
        keys = [key for key in self._logs() if key.name == origin]
        if not keys:
            return Answer(HTTPStatus.NOT_FOUND, "this witness does not follow that log\n")
        try:
            head = verifier.checkpoint("checkpoint", note, keys)
        except DoesNotHold as error:
            return Answer(HTTPStatus.FORBIDDEN, f"{error}\n")
        if old > head.size:
            return Answer(HTTPStatus.BAD_REQUEST, "the old size is larger than the new one\n")
        # (3) it extends what we cosigned last; nobody comes in between
        with self._alone(origin):
            last = self._last(origin, keys)
            if forked := head.size == last.size and head.root != last.root:
                self._keep(origin, text, _signed_by(note, keys), ())
            if forked or old != last.size:
                return Answer(HTTPStatus.CONFLICT, f"{last.size}\n", _SIZE)
            if (root := verifier.begun(last, head, proof)) != last.root:
                self._keep(origin, text, _signed_by(note, keys), None if root is None else proof)
                return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, "this does not extend what was cosigned\n")
            # (4) kept before it is told
            lines = self.key.lines(text, head, int(self.clock().timestamp()))
            _write(self._of(origin), _signed_by(note, keys) + lines.encode())
        return Answer(HTTPStatus.OK, lines)

    def checkpoint(self, hashed: str) -> Answer:
        """The last head that was cosigned of the log whose origin has this hash (C2SP tlog-witness)."""
        try:
            return Answer(HTTPStatus.OK, (self.directory / "heads" / hashed).read_text())
        except OSError:
            return Answer(HTTPStatus.NOT_FOUND, "this witness has cosigned nothing of that log\n")

    def _logs(self) -> list[verifier.Key]:
        """Read at each request: a log is followed by adding its line."""
        try:
            return verifier.keys("logs", (self.directory / "logs").read_bytes())
        except OSError:
            raise DoesNotHold("logs", "is not there: write the verifier keys of the logs into it") from None

    def _of(self, origin: str, folder: str = "heads") -> Path:
        return self.directory / folder / hashlib.sha256(origin.encode()).hexdigest()

    def _cosigned(self, origin: str) -> bytes | None:
        try:
            return self._of(origin).read_bytes()
        except FileNotFoundError:
            return None

    def _last(self, origin: str, keys: list[verifier.Key]) -> verifier.Checkpoint:
        kept = self._cosigned(origin)
        if kept is None:
            return verifier.Checkpoint(origin, 0, hashlib.sha256(b"").digest())
        return verifier.checkpoint("heads", kept, keys)

    def _keep(self, origin: str, text: str, note: bytes, proof: Sequence[bytes] | None) -> None:
        """Keep evidence of two histories, unless it is there or there is enough; without a proof, what was refused."""
        if proof is None:
            _write(self._of(origin, "refused"), note)
            return
        file = self.directory / "forked" / hashlib.sha256(text.encode()).hexdigest()
        if file.exists() or (file.parent.exists() and len(list(file.parent.iterdir())) >= self.most):
            return
        path = "".join(f"{_base64(each)}\n" for each in proof).encode()
        for end, data in ((".cosigned", self._cosigned(origin)), (".proof", path), ("", note)):
            if data:
                _write(file.with_suffix(end), data)

    @contextmanager
    def _alone(self, origin: str) -> Generator[None]:
        head = self._of(origin)
        head.parent.mkdir(exist_ok=True, mode=0o700)
        held = os.open(head.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def server(witness: Witness, host: str, port: int) -> ThreadingHTTPServer:
    """The witness over HTTP. TLS ends in front of it; nothing here is secret."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "ketenbrug-witness"
        sys_version = ""
        timeout = 30

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _BODY_MOST:
                self.close_connection = True
                self._answer(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "at most 64 KB, and say how much\n"))
                return
            body = self.rfile.read(int(length))
            found = self.path == "/add-checkpoint"
            self._answer(witness.add(body) if found else Answer(HTTPStatus.NOT_FOUND, "ask /add-checkpoint\n"))

        def do_GET(self) -> None:
            match = _PLACE.fullmatch(self.path)
            self._answer(witness.checkpoint(match[1] if match else ""))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing: what matters is in the directory."""

        def _answer(self, answer: Answer) -> None:
            body = answer.text.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer((host, port), Handler)


def _asked(body: bytes) -> tuple[int, list[bytes], bytes]:
    """The old size, the proof and the note of a request. Raises `DoesNotHold`."""
    lines, blank, note = body.partition(b"\n\n")
    first, *rest = lines.decode().split("\n")
    match = _OLD.fullmatch(first)
    if match is None or not blank or len(rest) > _PROOF_MOST:
        raise DoesNotHold("request", "is an old size, at most 63 hashes, an empty line and a checkpoint")
    return int(match[1]), [verifier.hashed("request", line) for line in rest], note


def _origin(note: bytes) -> tuple[str, str]:
    """The origin that a note claims, and its text."""
    text, _ = verifier.signatures_of("checkpoint", note)
    return text.partition("\n")[0], text


def _signed_by(note: bytes, keys: list[verifier.Key]) -> bytes:
    """The note with the signatures by these keys only."""
    text, signatures = verifier.signatures_of("checkpoint", note)
    known = {(key.name, key.id) for key in keys}
    lines = (f"\u2014 {name} {_base64(data)}\n" for name, data in signatures if (name, data[:4]) in known)
    return f"{text}\n{''.join(lines)}".encode()


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, and durable."""
    file.parent.mkdir(exist_ok=True, mode=0o700)
    fresh = file.with_suffix(".new")
    with fresh.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)  # the new name has to last, too
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
