"""Padding: what is sealed is lengthened before, so that the length of a ciphertext says little of what was written.

A value is sealed as JSON, and spaces behind a JSON text mean nothing (RFC 8259, section 2). So there is no mark and no
format: what was sealed without padding, or with that of another release, opens as ever, here and in an earlier release.

The length becomes a multiple of the step that its column declares (`api.storage.base.sealed`), and of PADMÉ's step
where that is larger (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019): it never tells more than
some bits of the length's logarithm, and beyond sixteen steps never adds more than an eighth.
"""

from __future__ import annotations


def padded(text: bytes, step: int) -> bytes:
    """A JSON text and spaces."""
    return text.ljust(length(len(text), step))


def length(own: int, step: int) -> int:
    """What a text of so many bytes is lengthened to."""
    exponent = max(own.bit_length() - 1, 0)
    coarse = max(step, 1 << exponent - exponent.bit_length())
    return -(-own // coarse) * coarse
