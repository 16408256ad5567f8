"""The key file: the service's own keys on one machine, in JSON, mode 0400.

Members: `kek` {id, key}, `blindIndex`, `cursor`, `idempotency`, `nonce`, `pseudonym` (32 bytes each, base64url),
`token` (private JWK, P-256), `log` and `receipt` (Ed25519 seeds). Each key has one use. Lose the file and everything
sealed is lost: see docs/how/keys.md.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from joserfc.jwk import ECKey

from api.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

_SECRETS: Final = ("blindIndex", "cursor", "idempotency", "log", "nonce", "receipt")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys, read. They do not show themselves."""

    kek_id: str
    kek: bytes = field(repr=False)
    blind_index: bytes = field(repr=False)
    cursor: bytes = field(repr=False)
    idempotency: bytes = field(repr=False)
    log: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    token: ECKey = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")


def create(path: Path) -> None:
    """Write a new key file. Never overwrites: raises `FileExistsError`."""
    token = ECKey.generate_key("P-256", auto_kid=True)
    content: dict[str, Any] = {
        "kek": {"id": f"file-{secrets.token_hex(4)}", "key": _text(secrets.token_bytes(_LENGTH))},
        "token": token.as_dict(private=True),
        **{name: _text(secrets.token_bytes(_LENGTH)) for name in _SECRETS},
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> KeyFile:
    """Read the key file. Raises `Misconfigured` when it is missing, readable by others, or not as written."""
    try:
        status = path.stat()
        text = path.read_text()
    except FileNotFoundError:
        raise Misconfigured((f"the key file {path} does not exist: make one with `ketenbrug keys init`",)) from None
    except OSError:
        raise Misconfigured((f"the key file {path} cannot be read by this user",)) from None
    if status.st_mode & _OTHERS:
        raise Misconfigured((f"the key file {path} is open to group or others: chmod 0400 it",))
    try:
        content = json.loads(text)
        named = {name: _bytes(content[name]) for name in _SECRETS}
        kek = _bytes(content["kek"]["key"])
        return KeyFile(
            kek_id=str(content["kek"]["id"]),
            kek=kek,
            blind_index=named["blindIndex"],
            cursor=named["cursor"],
            idempotency=named["idempotency"],
            log=named["log"],
            nonce=named["nonce"],
            receipt=named["receipt"],
            token=ECKey.import_key(content["token"]),
        )
    except (ValueError, KeyError, TypeError):
        raise Misconfigured((f"the key file {path} is damaged: restore it from its backup",)) from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != _LENGTH:
        raise ValueError
    return raw
