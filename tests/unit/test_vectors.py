"""Published vectors (C2SP Wycheproof), where KETENBRUG_VECTORS names their folder: our library does what we rely on."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.crypto import stream
from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_WHERE = os.environ.get("KETENBRUG_VECTORS")  # noqa: TID251 - where the data of a test lie is no setting of ours


def _groups(name: str) -> list[dict[str, Any]]:
    if _WHERE is None:
        pytest.skip("KETENBRUG_VECTORS is not set: published vectors were not run")
    groups: list[dict[str, Any]] = json.loads((Path(_WHERE) / name).read_text())["testGroups"]
    return groups


def test_aes_gcm_opens_the_valid_and_refuses_the_invalid() -> None:
    """Every vector with a 256-bit key and the 96-bit nonce that envelopes use."""
    run = 0
    for group in _groups("aes_gcm_test.json"):
        if group["keySize"] != 256 or group["ivSize"] != 96 or group["tagSize"] != 128:
            continue
        for case in group["tests"]:
            key, nonce, aad, text, sealed = (bytes.fromhex(case[n]) for n in ("key", "iv", "aad", "msg", "ct"))
            sealed += bytes.fromhex(case["tag"])
            run += 1
            if case["result"] == "valid":
                assert AESGCM(key).decrypt(nonce, sealed, aad) == text
                assert AESGCM(key).encrypt(nonce, text, aad) == sealed
            else:
                with pytest.raises(InvalidTag):
                    AESGCM(key).decrypt(nonce, sealed, aad)
    assert run > 50


def test_hmac_sha256_is_as_published() -> None:
    """What blind index, cursors and idempotency rest on."""
    run = 0
    for group in _groups("hmac_sha256_test.json"):
        for case in group["tests"]:
            tag = hmac.digest(bytes.fromhex(case["key"]), bytes.fromhex(case["msg"]), "sha256")
            run += 1
            assert (tag[: group["tagSize"] // 8].hex() == case["tag"]) is (case["result"] == "valid")
    assert run > 100


def test_hkdf_sha256_is_as_published() -> None:
    """The library's derivation; ours are of the same family."""
    run = 0
    for group in _groups("hkdf_sha256_test.json"):
        for case in group["tests"]:
            ikm, salt, info = (bytes.fromhex(case[name]) for name in ("ikm", "salt", "info"))
            run += 1
            if case["result"] == "valid":
                assert HKDF(SHA256(), case["size"], salt, info).derive(ikm).hex() == case["okm"]
            else:
                with pytest.raises(ValueError, match="derive"):
                    HKDF(SHA256(), case["size"], salt, info)
    assert run > 50


@pytest.mark.parametrize("size", [1, 1_000, 16_400, 1 << 20])
async def test_streams_are_as_published(size: int) -> None:
    """All of Cobblestone-256, in blocks of any size: opened, refused, and made again byte by byte."""
    run = 0
    for group in _groups("c2sp_chunked_encryption_aes_256_gcm_test.json"):
        for case in group["tests"]:
            key, context, packed = (bytes.fromhex(case[name]) for name in ("key", "ctx", "ct"))
            sealed = zlib.decompress(packed)
            if size == 1 and len(sealed) > 70_000:
                continue
            run += 1
            opened, whole = await _opened(key, context, sealed, size)
            assert whole is (case["result"] == "valid"), case["comment"]
            if "msgSha512" in case:
                # Of an invalid stream at most the beginning that is authentic: here exactly it, chunk by chunk.
                longest = opened[: case["msgLength"]]
                assert longest == opened
                if whole or size <= stream.SEALED_CHUNK:
                    assert hashlib.sha512(opened).hexdigest() == case["msgSha512"], case["comment"]
            if whole:
                again = [each async for each in stream.seal(key, context, _blocks(opened, size), salt=sealed[:24])]
                assert b"".join(again) == sealed
    assert run > 20


async def _opened(key: bytes, context: bytes, sealed: bytes, size: int) -> tuple[bytes, bool]:
    opened = bytearray()
    try:
        async for each in stream.open_all(key, context, _blocks(sealed, size)):
            opened += each
    except Undecryptable:
        return bytes(opened), False
    return bytes(opened), True


async def _blocks(whole: bytes, size: int) -> AsyncGenerator[bytes]:
    for at in range(0, len(whole), size):
        yield whole[at : at + size]
