"""The Merkle tree as RFC 6962 section 2.1 defines it: recursion over a list of leaves. Slow, and plain to see."""

from __future__ import annotations

from functools import cache
from hashlib import sha256


def leaf_of(index: int) -> bytes:
    return b"leaf %d" % index


@cache
def hash_of(index: int) -> bytes:
    return sha256(b"\x00" + leaf_of(index)).digest()


@cache
def mth(low: int, high: int) -> bytes:
    """RFC 6962 section 2.1: the Merkle Tree Hash of D[low:high]."""
    if low == high:
        return sha256(b"").digest()
    if high - low == 1:
        return hash_of(low)
    k = split(high - low)
    return sha256(b"\x01" + mth(low, low + k) + mth(low + k, high)).digest()


def path(m: int, low: int, high: int) -> list[bytes]:
    """RFC 6962 section 2.1.1: PATH(m, D[low:high])."""
    if high - low == 1:
        return []
    k = split(high - low)
    if m < k:
        return [*path(m, low, low + k), mth(low + k, high)]
    return [*path(m - k, low + k, high), mth(low, low + k)]


def subproof(m: int, low: int, high: int, *, known: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2: SUBPROOF(m, D[low:high], known)."""
    if m == high - low:
        return [] if known else [mth(low, high)]
    k = split(high - low)
    if m <= k:
        return [*subproof(m, low, low + k, known=known), mth(low + k, high)]
    return [*subproof(m - k, low + k, high, known=False), mth(low, low + k)]


def split(count: int) -> int:
    """The largest power of two smaller than the count."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k
