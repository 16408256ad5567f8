"""A hardware security module, or what speaks PKCS#11 as one, as a key service: AES-256-GCM inside the token.

A key is made sensitive and not extractable: the module computes with it and shows it to nobody. What is sealed is
`nonce (12) | ciphertext | tag (16)`; the place is the associated data.

The library is not made for threads: two of them corrupt its memory, in one process also with two sessions. So all calls
of a process are made in one thread, on one session, which is opened there at the first call: when the workers have been
forked. A session that fails is opened anew at the next call.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass

from api.crypto.services import NoSuchKey
from api.errors import Unavailable, Undecryptable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from api.crypto.services import Sealed

T = TypeVar("T")

_NONCE: Final = 12
_BITS: Final = 256
_GONE: Final = (
    pkcs11.DeviceError,
    pkcs11.DeviceMemory,
    pkcs11.DeviceRemoved,
    pkcs11.HostMemory,
    pkcs11.NoSuchToken,
    pkcs11.PinExpired,
    pkcs11.PinIncorrect,
    pkcs11.PinLocked,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
"""The module does not answer, or not us."""


@cache
def _thread(_process: int) -> ThreadPoolExecutor:
    """The one thread of this process that touches the library."""
    return ThreadPoolExecutor(1, "pkcs11")


class Pkcs11:
    """A token, by its label. `module`: the library of its maker. `pin`: the file that holds the PIN of its user."""

    __slots__ = ("_module", "_pin", "_session", "_token")

    scheme: ClassVar[str] = "pkcs11"

    def __init__(self, module: Path, token: str, pin: Path) -> None:
        self._module = module
        self._token = token
        self._pin = pin
        self._session: Any = None

    def __repr__(self) -> str:
        return f"<Pkcs11 {self._token}>"

    async def close(self) -> None:
        """Log out."""
        await self._do(self._closed)

    async def names(self) -> list[str]:
        """The labels of all secret keys."""

        def labels() -> list[str]:
            return [str(key[Attribute.LABEL]) for key in self._keys({})]

        return await self._do(labels)

    async def encrypt(self, name: str, place: bytes, text: bytes) -> bytes:
        """Seal in the token."""

        def sealed() -> bytes:
            nonce = os.urandom(_NONCE)
            parameters = GCMParams(nonce, place, 128)
            done: bytes = self._key(name).encrypt(text, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
            return nonce + done

        return await self._do(sealed)

    async def decrypt(self, name: str, sealed: Sequence[Sealed]) -> list[bytes]:
        """Open in the token, one after the other in one turn of the thread."""

        def opened() -> list[bytes]:
            key = self._key(name)
            return [
                key.decrypt(
                    each.text[_NONCE:],
                    mechanism=Mechanism.AES_GCM,
                    mechanism_param=GCMParams(each.text[:_NONCE], each.place, 128),
                )
                for each in sealed
            ]

        return await self._do(opened, opens=True)

    async def make(self, name: str) -> None:
        """Make a key that stays in the token."""

        def made() -> None:
            if self._keys({Attribute.LABEL: name}):
                return
            fixed = {
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.MODIFIABLE: False,
                Attribute.WRAP: False,
                Attribute.UNWRAP: False,
            }
            self._opened().generate_key(KeyType.AES, _BITS, label=name, store=True, template=fixed)

        await self._do(made)

    async def destroy(self, name: str) -> None:
        """Destroy the object. Backups that the module's maker provides for are the operator's to destroy."""

        def destroyed() -> None:
            for key in self._keys({Attribute.LABEL: name}):
                key.destroy()

        await self._do(destroyed)

    def _key(self, name: str) -> Any:  # noqa: ANN401 - the library's object
        found = self._keys({Attribute.LABEL: name})
        if not found:
            raise NoSuchKey
        return found[0]

    def _keys(self, wanted: dict[Attribute, Any]) -> list[Any]:
        sought = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, **wanted}
        return list(self._opened().get_objects(sought))

    def _opened(self) -> Any:  # noqa: ANN401 - the library's object
        if self._session is None:
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
            self._session = token.open(rw=True, user_pin=self._pin.read_text().strip())
        return self._session

    def _closed(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    async def _do(self, call: Callable[[], T], *, opens: bool = False) -> T:
        """Take a turn in the thread. `opens`: what the module refuses is not as it was sealed."""

        def turn() -> T:
            try:
                return call()
            except (OSError, RuntimeError) as error:
                if opens and isinstance(error, pkcs11.PKCS11Error) and not isinstance(error, _GONE):
                    raise Undecryptable from None
                with suppress(RuntimeError):
                    self._closed()
                raise Unavailable("key-service") from None

        return await asyncio.get_running_loop().run_in_executor(_thread(os.getpid()), turn)
