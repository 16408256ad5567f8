"""The key file: the service's own keys on one machine, in JSON, mode 0400.

Members: `kek` {id, key}, `blindIndex`, `cursor`, `idempotency`, `nonce`, `pseudonym` (32 bytes each, base64url),
`token` (private JWK, P-256), `log` and `receipt` (Ed25519 seeds), `logPostQuantum` (an ML-DSA-44 seed). Once a key was
replaced also `blindIndexVersion` (1 when absent), and until that is over `formerKeks` [{id, key}], `formerBlindIndex`,
`formerBlindIndexVersion`. `blindIndex` is absent while a key service has that key. Each key has one use. Lose the file
and everything sealed is lost: see docs/how/keys.md.

What signs heads of the log, `log` and `logPostQuantum`, is kept by `ketenbrug work` alone; a file for machines that
only serve has neither (`for_serving`).

How the file is changed: see `secretfile`. Processes that run follow it (`Following`).
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from joserfc.jwk import ECKey

from api.crypto import secretfile
from api.crypto.wrappers import Ring
from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.crypto.blind import Versions

_SECRETS: Final = ("cursor", "idempotency", "nonce", "pseudonym", "receipt")
_LOG: Final = ("log", "logPostQuantum")
_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys, read, but those that sign the log. They do not show themselves."""

    path: Path
    ring: Ring
    blind_index: Versions = field(repr=False)
    cursor: bytes = field(repr=False)
    idempotency: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    pseudonym: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    token: ECKey = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The seeds that sign heads of the log. They do not show themselves either."""

    ed25519: bytes = field(repr=False)
    post_quantum: bytes = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")


class Following:
    """Reads a part of the key file anew when the file has changed; None when it has not. The first call reads."""

    __slots__ = ("_path", "_seen")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def __call__(self) -> KeyFile | None:
        """The keys, if they are not those that were read last. A file that is gone or damaged changes nothing."""
        try:
            found = secretfile.version(self._path)
            if found == self._seen:
                return None
            keys = load(self._path)
        except (OSError, Misconfigured):
            if self._seen is None:
                raise
            return None
        self._seen = found
        return keys

    def ring(self) -> Ring | None:
        """The KEKs."""
        return None if (keys := self()) is None else keys.ring

    def index(self) -> Versions | None:
        """The keys of the blind index."""
        return None if (keys := self()) is None else keys.blind_index


def create(path: Path) -> None:
    """Write a new key file. Never overwrites: raises `FileExistsError`."""
    token = ECKey.generate_key("P-256", auto_kid=True)
    content: dict[str, Any] = {
        "kek": _new_kek(),
        "token": token.as_dict(private=True),
        "blindIndex": _text(secrets.token_bytes(_LENGTH)),
        **{name: _text(secrets.token_bytes(_LENGTH)) for name in (*_SECRETS, *_LOG)},
    }
    secretfile.write(path, content)


def for_serving(path: Path, to: Path) -> None:
    """Write a copy without the keys that sign the log. Never overwrites: raises `FileExistsError`."""
    load(path)
    content = {name: each for name, each in _content(path).items() if name not in _LOG}
    secretfile.write(to, content, path.stat())


def renew_kek(path: Path, former: str) -> str:
    """Make a new KEK the current one in place of this one, unless another command just did; the id of the current.

    The others go on unwrapping.
    """

    def renewed(content: dict[str, Any]) -> dict[str, Any]:
        if content["kek"]["id"] != former:
            return content
        return content | {"kek": _new_kek(), "formerKeks": [content["kek"], *content.get("formerKeks", [])]}

    return str(_change(path, renewed)["kek"]["id"])


def forget_kek(path: Path, kek: str) -> None:
    """Take a former KEK out of the file: what is wrapped under it opens no more. The current one stays."""

    def forgotten(content: dict[str, Any]) -> dict[str, Any]:
        return content | {"formerKeks": [each for each in content.get("formerKeks", []) if each["id"] != kek]}

    _change(path, forgotten)


def renew_index(path: Path, version: int) -> None:
    """Put a new key of the blind index into the file as this version, unless it has this one or a newer one.

    The one before it still finds.
    """

    def renewed(content: dict[str, Any]) -> dict[str, Any]:
        former = content.get("blindIndexVersion", 1)
        fresh = {"blindIndex": _text(secrets.token_bytes(_LENGTH)), "blindIndexVersion": version}
        if "blindIndex" not in content:
            return content | fresh
        if former >= version:
            return content
        return content | fresh | {"formerBlindIndex": content["blindIndex"], "formerBlindIndexVersion": former}

    _change(path, renewed)


def forget_index(path: Path, version: int) -> None:
    """Take the keys of the blind index before this version out of the file, if it has none after it.

    A slow command, whose rotation another has ended, must not take away the former key of the next rotation.
    """

    def forgotten(content: dict[str, Any]) -> dict[str, Any]:
        newest = content.get("blindIndexVersion", 1)
        if newest > version:
            return content
        over = ("formerBlindIndex", "formerBlindIndexVersion", *(("blindIndex",) if newest < version else ()))
        return {name: each for name, each in content.items() if name not in over}

    _change(path, forgotten)


def load(path: Path) -> KeyFile:
    """Read the key file. Raises `Misconfigured` when it is missing, readable by others, or not as written."""
    content = _content(path)
    try:
        for name in set(_LOG) & set(content):
            _bytes(content[name])  # damaged is damaged, whoever reads it
        named = {name: _bytes(content[name]) for name in _SECRETS}
        keks = {str(each["id"]): _bytes(each["key"]) for each in (content["kek"], *content.get("formerKeks", []))}
        return KeyFile(
            path=path,
            ring=Ring(str(content["kek"]["id"]), keks),
            blind_index=_index(content),
            cursor=named["cursor"],
            idempotency=named["idempotency"],
            nonce=named["nonce"],
            pseudonym=named["pseudonym"],
            receipt=named["receipt"],
            token=ECKey.import_key(content["token"]),
        )
    except KeyError as error:
        raise _damaged(path, f", or of a release before it had {error}") from None
    except (ValueError, TypeError, AttributeError):
        raise _damaged(path) from None


def load_log(path: Path) -> LogKeys:
    """Read what signs the log. Raises `Misconfigured`, also when the file is one for machines that only serve."""
    content = _content(path)
    try:
        return LogKeys(*(_bytes(content[name]) for name in _LOG))
    except KeyError:
        why = f"the key file {path} has no keys that sign the log: `ketenbrug serve --no-work` alone starts with it"
        raise Misconfigured((why,)) from None
    except (ValueError, TypeError, AttributeError):
        raise _damaged(path) from None


def _index(content: dict[str, Any]) -> Versions:
    version = int(content.get("blindIndexVersion", 1))
    former = int(content.get("formerBlindIndexVersion", version - 1))
    found = {version: content.get("blindIndex"), former: content.get("formerBlindIndex")}
    return {number: _bytes(key) for number, key in found.items() if key is not None}


def _content(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
        text = path.read_text()
    except FileNotFoundError:
        raise Misconfigured((f"the key file {path} does not exist: make one with `ketenbrug keys init`",)) from None
    except OSError:
        raise Misconfigured((f"the key file {path} cannot be read by this user",)) from None
    if status.st_mode & secretfile.OTHERS:
        raise Misconfigured((f"the key file {path} is open to group or others: chmod 0400 it",))
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError:
        raise _damaged(path) from None
    return content


def _damaged(path: Path, guess: str = "") -> Misconfigured:
    return Misconfigured((f"the key file {path} is damaged{guess}: restore it from its backup",))


def _change(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Replace the file by a changed one, whole. What others changed before is in what is changed here."""
    load(path)
    with secretfile.alone(path):
        content = change(_content(path))
        secretfile.replace(path, content, load)
    return content


def _new_kek() -> dict[str, str]:
    return {"id": f"file-{secrets.token_hex(4)}", "key": _text(secrets.token_bytes(_LENGTH))}


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != _LENGTH:
        raise ValueError
    return raw
