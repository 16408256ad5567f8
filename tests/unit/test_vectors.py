"""Published vectors (C2SP Wycheproof), where KETENBRUG_VECTORS names their folder: our library does what we rely on."""

from __future__ import annotations

import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
