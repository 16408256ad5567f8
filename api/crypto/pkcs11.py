"""A hardware security module, or what speaks PKCS#11 as one, as a key service: AES-256-GCM inside the token.

A key is made sensitive and not extractable: the module computes with it and shows it to nobody. What is sealed is
`nonce (12) | ciphertext | tag (16)`; the place is the associated data. A key of the index is a generic secret, for
HMAC-SHA-256 and nothing else. How the token is reached: `pkcs11_session`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass

from api.crypto import pkcs11_session
from api.crypto.services import NoSuchKey, Use
from api.crypto.signers import KeyServiceAway

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from api.crypto.services import Sealed

_NONCE: Final = 12
_BITS: Final = 256
_FIXED: Final = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
}
_MACS: Final = {
    Attribute.SIGN: True,
    Attribute.VERIFY: False,
    Attribute.ENCRYPT: False,
    Attribute.DECRYPT: False,
    Attribute.DERIVE: False,
}
_KINDS: Final[dict[Use, tuple[KeyType, Mechanism, dict[Attribute, bool]]]] = {
    Use.WRAPS: (KeyType.AES, Mechanism.AES_KEY_GEN, {}),
    Use.MACS: (KeyType.GENERIC_SECRET, Mechanism.GENERIC_SECRET_KEY_GEN, _MACS),
}


class Pkcs11:
    """A token, by its label. `module`: the library of its maker. `pin`: the file that holds the PIN of its user."""

    __slots__ = ("_session", "_token")

    scheme: ClassVar[str] = "pkcs11"
    settles: ClassVar[float] = 0.0

    def __init__(self, module: Path, token: str, pin: Path) -> None:
        self._session = pkcs11_session.session(module, token, pin)
        self._token = token

    def __repr__(self) -> str:
        return f"<Pkcs11 {self._token}>"

    async def close(self) -> None:
        """Log out."""
        await self._session.close()

    async def names(self) -> list[str]:
        """The labels of all secret keys."""

        def labels(opened: Any) -> list[str]:  # noqa: ANN401 - the library's object
            return [str(key[Attribute.LABEL]) for key in _keys(opened)]

        return await self._session.do(labels)

    async def encrypt(self, name: str, place: bytes, text: bytes) -> bytes:
        """Seal in the token."""

        def sealed(opened: Any) -> bytes:  # noqa: ANN401 - as above
            nonce = os.urandom(_NONCE)
            parameters = GCMParams(nonce, place, 128)
            key = _key(opened, name, KeyType.AES)
            done: bytes = key.encrypt(text, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
            return nonce + done

        return await self._session.do(sealed)

    async def decrypt(self, name: str, sealed: Sequence[Sealed]) -> list[bytes]:
        """Open in the token, one after the other in one turn of the thread."""

        def unsealed(opened: Any) -> list[bytes]:  # noqa: ANN401 - as above
            key = _key(opened, name, KeyType.AES)
            return [
                key.decrypt(
                    each.text[_NONCE:],
                    mechanism=Mechanism.AES_GCM,
                    mechanism_param=GCMParams(each.text[:_NONCE], each.place, 128),
                )
                for each in sealed
            ]

        return await self._session.do(unsealed, opens=True)

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """Compute in the token, one after the other in one turn of the thread."""

        def computed(opened: Any) -> list[bytes]:  # noqa: ANN401 - as above
            key = _key(opened, name, KeyType.GENERIC_SECRET)
            return [bytes(key.sign(each, mechanism=Mechanism.SHA256_HMAC)) for each in texts]

        return await self._session.do(computed)

    async def make(self, name: str, use: Use) -> None:
        """Make a key that stays in the token. Raises `KeyServiceAway` when the token does not keep it to itself."""

        def made(opened: Any) -> None:  # noqa: ANN401 - as above
            if _keys(opened, label=name):
                return
            kind, mechanism, can = _KINDS[use]
            key = opened.generate_key(kind, _BITS, label=name, store=True, mechanism=mechanism, template=_FIXED | can)
            pkcs11_session.hold(key, self._token)

        await self._session.do(made)

    async def destroy(self, name: str, use: Use) -> None:  # noqa: ARG002 - of either use it is destroyed alike
        """Destroy the object. Backups that the module's maker provides for are the operator's to destroy."""

        def destroyed(opened: Any) -> None:  # noqa: ANN401 - as above
            for key in _keys(opened, label=name):
                key.destroy()

        await self._session.do(destroyed)


def _key(opened: Any, name: str, kind: KeyType) -> Any:  # noqa: ANN401 - as above
    found = _keys(opened, label=name, key_type=kind)
    if not found:
        raise NoSuchKey
    if len(found) > 1:
        why = f"the token has {len(found)} keys {name}, and one of them is not ours"
        raise KeyServiceAway(why)
    return found[0]


def _keys(opened: Any, **wanted: Any) -> list[Any]:  # noqa: ANN401 - as above
    sought = {Attribute[name.upper()]: value for name, value in wanted.items()}
    return list(opened.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, **sought}))
