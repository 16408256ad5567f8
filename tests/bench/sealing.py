"""What sealing costs: forty fields and a large document, beside what OpenSSL itself does on this machine."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.crypto import stream
from api.crypto.envelopes import PersonKeys
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper
from api.dossiers.tables import DOSSIER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

FIELDS: Final = 40
BYTES: Final = (32, 256)
"""Of a field: as short as a V-number, and as a text is at least once it is padded."""
DOCUMENT: Final = 50 * 1024 * 1024
ROUNDS: Final = 4
TEXTS: Final = (1, 100, 250, 300, 1_000, 5_000, 50_000)
AIM: Final = 2.0
"""Times what OpenSSL takes, for forty fields."""

_KINDS: Final = (("-aead",), ("-aead", "-decrypt"), ())
_BLOCK: Final = b"\x5a" * (1 << 18)


def report() -> None:
    """Print the figures."""
    for size in BYTES:
        # In turns, so that what else the machine does hits both.
        rounds = [(*_ours(size), *_limit(size)) for _ in range(ROUNDS)]
        seal, opened, *limits = map(min, zip(*rounds, strict=True))
        print(
            f"  {FIELDS} fields of {size} bytes: seal {seal:.0f} us, open {opened:.0f} us of CPU, +32 bytes each;"
            f" the library alone {_library(size):.0f} us"
        )
        print(f"    openssl speed: {_beside(seal, opened, limits)}")
    print(f"  a text of {', '.join(f'{own:,}: {stored:,}' for own, stored in _stored())} bytes stored")
    print(f"  {DOCUMENT >> 20} MB document: {asyncio.run(_throughput()):.0f} MB/s sealed and opened")


def _stored() -> list[tuple[int, int]]:
    """Bytes of a text, and of the envelope that a section of a dossier with nothing but it becomes."""
    vault, person, row = Vault(FileWrapper("bench", bytes(32))), uuid.uuid4(), uuid.uuid4()
    asyncio.run(vault.renewed(person, 1))
    return [(own, len(vault.seal_member(person, DOSSIER, "identity", row, "a" * own))) for own in TEXTS]


def _ours(size: int) -> tuple[float, float]:
    """Microseconds of CPU to seal and to open a row."""
    keys = PersonKeys(uuid.uuid4(), {1: bytearray(range(32))})
    values, row = {f"field-{number:02}": b"v" * size for number in range(FIELDS)}, uuid.uuid4()
    sealed = keys.seal(values, "bench", row)
    return _best(lambda: keys.seal(values, "bench", row)), _best(lambda: keys.open(sealed, "bench", row))


def _library(size: int) -> float:
    """The same for the bare calls of the library, all with the same nonce and the same associated data."""
    encrypt, nonce, value, data = AESGCM(bytes(32)).encrypt, bytes(12), b"v" * size, bytes(80)

    def act() -> None:
        for _ in range(FIELDS):
            encrypt(nonce, value, data)

    return _best(act)


def _best(act: Callable[[], object], times: int = 100) -> float:
    """The mean of many times, as OpenSSL tells it; the best of many such means, since others are at work here."""
    least = float("inf")
    for _ in range(100):
        began = time.thread_time_ns()
        for _ in range(times):
            act()
        least = min(least, time.thread_time_ns() - began)
    return least / times / 1e3


def _limit(size: int) -> list[float]:
    """What OpenSSL says of itself, in time of CPU too; nothing where it is not installed.

    `-aead` is the same work: a nonce, associated data (13 bytes; here some 80) and a tag for each. Without it one long
    message is encrypted, in pieces.
    """
    return [_openssl(size, *words) for words in _KINDS] if shutil.which("openssl") else []


def _beside(seal: float, opened: float, limits: Sequence[float]) -> str:
    if not limits:
        return "no such command here: no limit to compare with"
    sealing, opening, bare = limits
    return (
        f"-aead {sealing:.0f} us, so seal {seal / sealing:.1f} x; -aead -decrypt {opening:.0f} us, so open"
        f" {opened / opening:.1f} x (aim: {AIM:.0f}); without nonce, data and tag {bare:.0f} us"
    )


def _openssl(size: int, *more: str) -> float:
    """Microseconds of CPU for as many operations of as many bytes."""
    words = ("openssl", "speed", *more, "-evp", "aes-256-gcm", "-bytes", str(size), "-seconds", "1")
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words
    rate = re.search(r"(?i)^aes-256-gcm\s+([\d.]+)k", said, re.MULTILINE)
    if rate is None:
        raise AssertionError("openssl speed says it in other words")
    return FIELDS * size / (float(rate[1]) * 1000) * 1e6


async def _throughput() -> float:
    began = time.perf_counter()
    count = 0
    async for each in stream.open_all(bytes(32), b"bench", stream.seal(bytes(32), b"bench", _document())):
        count += len(each)
    return count / 1e6 / (time.perf_counter() - began)


async def _document() -> AsyncGenerator[bytes]:
    for _ in range(DOCUMENT // len(_BLOCK)):
        yield _BLOCK
