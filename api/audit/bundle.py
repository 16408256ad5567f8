"""An evidence bundle as it streams: some entries with their proofs, to be checked by who has nothing else.

    vkeys                      verifier keys of the log, one a line
    entries/INDEX.json         the exact bytes of an entry
    entries/INDEX.tlog-proof   its path to the head, and the head (C2SP tlog-proof)
    checkpoint                 the head, with its cosignatures

One tar file (POSIX ustar). The checkpoint is its last member, so that a file that broke off is no bundle. It is what
`ketenbrug audit verify --dir` and `clients/verifier.py` take, unpacked or as it is.
"""

from __future__ import annotations

import asyncio
import tarfile
from typing import TYPE_CHECKING, Final

from api.audit import checkpoint, proofs, tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from api.audit.proofs import Checkpoint, Logged, Reader

MEDIA_TYPE: Final = "application/x-tar"
_END: Final = bytes(2 * tarfile.BLOCKSIZE)
_READABLE: Final = 0o644


def begin(head: Checkpoint, vkeys: Sequence[str]) -> bytes:
    """What comes before the entries."""
    return _member(head, "vkeys", "".join(f"{each}\n" for each in vkeys).encode())


async def evidence(reader: Reader, head: Checkpoint, found: Sequence[Logged]) -> AsyncIterator[bytes]:
    """The members of these entries. What their proofs share is read once: ask for some hundred at a time."""
    plans = [tree.inclusion(each.index, head.size) for each in found]
    wanted = frozenset[tree.StripAt]().union(*(tree.strips(plan, head.known) for plan in plans))
    strips = await proofs.strips(reader, wanted)
    for each, plan in zip(found, plans, strict=True):
        proof = checkpoint.tlog_proof(each.index, proofs.path(plan, head.known, strips), head.note)
        yield _member(head, f"entries/{each.index}.json", each.leaf)
        yield _member(head, f"entries/{each.index}.tlog-proof", proof.encode())
        await asyncio.sleep(0)  # a proof is a millisecond of hashing, in which nobody else is served


def end(head: Checkpoint) -> bytes:
    """What makes it whole."""
    return _member(head, "checkpoint", head.note.encode()) + _END


def _member(head: Checkpoint, name: str, data: bytes) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(data), int(head.at.timestamp()), _READABLE
    return member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
