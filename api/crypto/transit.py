"""The Transit engine of OpenBao and HashiCorp Vault as a key service.

A key is made `derived`: the server derives another key for each place (its `context`), so that a wrapped key opens in
its place only. `associated_data` would bind as well, but the server cannot rewrap with it. A key of the index is of the
type `hmac`, which can do nothing else; its first version is asked for in each call and looked for in each answer,
because one that somebody rotated there would compute something else, without a word. The token is read at each call,
from a file that the agent of the server keeps fresh.

What the server answers, as met in OpenBao 2.7: 400 for a text that does not open and for a key that is gone, told apart
by its words; 403 for a token that has ended; 503 while it is sealed.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

import orjson

from api.crypto.services import NoSuchKey, Use
from api.errors import Unavailable, Undecryptable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from api.crypto.services import Sealed
    from api.outbound import Answer, Outbound

_DONE: Final = frozenset({200, 204})
_REFUSED: Final = 400
_NONE: Final = 404
_ABSENT: Final = b"encryption key not found"
_COMPUTED: Final = "vault:v1:"
_KINDS: Final[dict[Use, dict[str, Any]]] = {
    Use.WRAPS: {"type": "aes256-gcm96", "derived": True},
    Use.MACS: {"type": "hmac", "key_size": 32},
}


class Transit:
    """Calls of one mount of the engine."""

    __slots__ = ("_namespace", "_outbound", "_token", "_url")

    scheme: ClassVar[str] = "transit"
    settles: ClassVar[float] = 0.0

    def __init__(self, outbound: Outbound, url: str, token: Path, *, mount: str, namespace: str = "") -> None:
        self._outbound = outbound
        self._url = f"{url}/v1/{mount}"
        self._token = token
        self._namespace = {"X-Vault-Namespace": namespace} if namespace else {}

    def __repr__(self) -> str:
        return f"<Transit {self._url}>"

    async def names(self) -> list[str]:
        """Every key of the mount; 404 is the server's word for none."""
        answer = await self._send("LIST", "keys")
        return [] if answer.status == _NONE else [str(name) for name in _data(answer)["keys"]]

    async def encrypt(self, name: str, place: bytes, text: bytes) -> bytes:
        """Seal under the newest version of a key, of which it has one."""
        await self._there(name)
        told = await self._send("POST", f"encrypt/{name}", {"plaintext": _text(text), "context": _text(place)})
        return str(_data(told)["ciphertext"]).encode()

    async def decrypt(self, name: str, sealed: Sequence[Sealed]) -> list[bytes]:
        """Open a batch in one call."""
        try:
            batch = [{"ciphertext": each.text.decode("ascii"), "context": _text(each.place)} for each in sealed]
        except UnicodeDecodeError:
            raise Undecryptable from None
        answer = await self._send("POST", f"decrypt/{name}", {"batch_input": batch})
        if answer.status == _REFUSED:
            _refused(answer)
        return [base64.b64decode(each["plaintext"]) for each in _data(answer)["batch_results"]]

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """Compute a batch in one call."""
        wanted = {"key_version": 1, "batch_input": [{"input": _text(each)} for each in texts]}
        answer = await self._send("POST", f"hmac/{name}/sha2-256", wanted)
        if answer.status == _REFUSED and _ABSENT in answer.body:
            raise NoSuchKey
        try:
            return [_mac(each["hmac"]) for each in _data(answer)["batch_results"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unavailable("key-service") from None

    async def make(self, name: str, use: Use) -> None:
        """Make a key. Asked again it changes nothing."""
        kept = {"exportable": False, "allow_plaintext_backup": False}
        _done(await self._send("POST", f"keys/{name}", _KINDS[use] | kept))

    async def destroy(self, name: str, use: Use) -> None:  # noqa: ARG002 - of either use it is destroyed alike
        """Delete a key with all its versions. Unlike `min_decryption_version` nobody can take it back."""
        if (await self._send("GET", f"keys/{name}")).status == _NONE:
            return
        _done(await self._send("POST", f"keys/{name}/config", {"deletion_allowed": True}))
        _done(await self._send("DELETE", f"keys/{name}"))

    async def _there(self, name: str) -> None:
        """Refuse to encrypt under a key that is gone: the server would make a new one of that name, not derived."""
        if (await self._send("GET", f"keys/{name}")).status == _NONE:
            raise NoSuchKey

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        try:
            token = self._token.read_text().strip()
        except OSError:
            raise Unavailable("key-service") from None
        headers = {"X-Vault-Token": token, "X-Vault-Request": "true"} | self._namespace
        content = None if body is None else orjson.dumps(body)
        answer = await self._outbound.send(method, f"{self._url}/{path}", content, **headers)
        if answer.status not in _DONE | {_REFUSED, _NONE} or b"no handler for route" in answer.body:
            raise Unavailable("key-service")
        return answer


def _data(answer: Answer) -> dict[str, Any]:
    _done(answer)
    try:
        found: dict[str, Any] = orjson.loads(answer.body)["data"]
    except (ValueError, KeyError, TypeError):
        raise Unavailable("key-service") from None
    return found


def _done(answer: Answer) -> None:
    if answer.status not in _DONE:
        raise Unavailable("key-service")


def _refused(answer: Answer) -> NoReturn:
    if _ABSENT in answer.body:
        raise NoSuchKey
    raise Undecryptable


def _mac(told: str) -> bytes:
    if not told.startswith(_COMPUTED):
        raise ValueError
    return base64.b64decode(told.removeprefix(_COMPUTED), validate=True)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
