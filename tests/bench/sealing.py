"""What sealing costs: forty fields and a large document, beside what OpenSSL itself does on this machine."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Final

from api.crypto import stream
from api.crypto.envelopes import PersonKeys
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper
from api.dossiers.tables import DOSSIER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

FIELDS: Final = 40
BYTES: Final = 32
DOCUMENT: Final = 50 * 1024 * 1024
TEXTS: Final = (1, 100, 250, 300, 1_000, 5_000, 50_000)
MOST: Final = 2.0
"""Times the speed of OpenSSL, for forty fields."""

_BLOCK: Final = b"\x5a" * (1 << 18)


def report() -> None:
    """Print the figures."""
    keys = PersonKeys(uuid.uuid4(), {1: bytearray(range(32))})
    values, row = {f"field-{number:02}": b"v" * BYTES for number in range(FIELDS)}, uuid.uuid4()
    sealed = keys.seal(values, "bench", row)
    seal = _best(lambda: keys.seal(values, "bench", row))
    opened = _best(lambda: keys.open(sealed, "bench", row))
    print(f"  {FIELDS} fields of {BYTES} bytes: seal {seal:.0f} us, open {opened:.0f} us, +32 bytes each")
    limit = _openssl()
    if limit is None:
        print("  no openssl command here: no limit to compare with")
    else:
        print(f"  openssl {limit:.0f} us: seal {seal / limit:.1f} x, open {opened / limit:.1f} x (at most {MOST:.0f})")
    print(f"  a text of {', '.join(f'{own:,}: {stored:,}' for own, stored in _stored())} bytes stored")
    print(f"  {DOCUMENT >> 20} MB document: {asyncio.run(_throughput()):.0f} MB/s sealed and opened")


def _stored() -> list[tuple[int, int]]:
    """Bytes of a text, and of the envelope that a section of a dossier with nothing but it becomes."""
    vault, person, row = Vault(FileWrapper("bench", bytes(32))), uuid.uuid4(), uuid.uuid4()
    asyncio.run(vault.renewed(person, 1))
    return [(own, len(vault.seal_member(person, DOSSIER, "identity", row, "a" * own))) for own in TEXTS]


def _best(act: Callable[[], object], times: int = 2_000) -> float:
    least = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        act()
        least = min(least, time.perf_counter() - began)
    return least * 1e6


def _openssl() -> float | None:
    """Microseconds for as many operations of as many bytes, as `openssl speed` says."""
    command = shutil.which("openssl")
    if command is None:
        return None
    words = (command, "speed", "-elapsed", "-evp", "aes-256-gcm", "-bytes", str(BYTES), "-seconds", "1")
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words
    rate = re.search(r"(?i)^aes-256-gcm\s+([\d.]+)k", said, re.MULTILINE)
    return None if rate is None else FIELDS * BYTES / (float(rate[1]) * 1000) * 1e6


async def _throughput() -> float:
    began = time.perf_counter()
    count = 0
    async for each in stream.open_all(bytes(32), b"bench", stream.seal(bytes(32), b"bench", _document())):
        count += len(each)
    return count / 1e6 / (time.perf_counter() - began)


async def _document() -> AsyncGenerator[bytes]:
    for _ in range(DOCUMENT // len(_BLOCK)):
        yield _BLOCK
