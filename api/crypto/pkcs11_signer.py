"""Signing keys that were made in a token of PKCS#11 and never leave it: P-256, sensitive, not extractable.

The token signs a digest; what it signed is verified before anybody gets it, so that a label that was given to another
key, or a fault of the module, ends here. A token that did not make a key as it was told to is not used.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from api.crypto import pkcs11_session, signers
from api.crypto.signers import KeyServiceAway

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from api.crypto.pkcs11_session import Session

_POINT: Final = 65
"""Bytes of a public key: 4, x, y. A token may put a header of DER before it, or not."""
_FIXED: Final = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}


class TokenWorkshop:
    """Makes keys in a token, by its label. `module`: the library of its maker. `pin`: the file with its user's PIN."""

    __slots__ = ("_session", "_token")

    def __init__(self, module: Path, token: str, pin: Path) -> None:
        self._session = pkcs11_session.session(module, token, pin)
        self._token = token

    def __repr__(self) -> str:
        return f"<TokenWorkshop {self._token}>"

    async def close(self) -> None:
        """Log out."""
        await self._session.close()

    async def make(self) -> TokenSigner:
        """Make a key under a label that no other has."""
        label = f"ketenbrug-signing-{secrets.token_hex(8)}"

        def made(opened: Any) -> bytes:  # noqa: ANN401 - the library's object
            curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
            parameters = opened.create_domain_parameters(KeyType.EC, curve, local=True)
            point, private = parameters.generate_keypair(label=label, store=True, private_template=_FIXED)
            pkcs11_session.hold(private, self._token)
            return bytes(point[Attribute.EC_POINT])

        point = (await self._session.do(made))[-_POINT:]
        x, y = (base64.urlsafe_b64encode(half).rstrip(b"=").decode() for half in (point[1:33], point[33:]))
        return TokenSigner(self._session, {"kty": "EC", "crv": "P-256", "x": x, "y": y}, label)

    def found(self, written: Mapping[str, Any]) -> TokenSigner:
        """The key of this label."""
        return TokenSigner(self._session, signers.public(written["jwk"]), str(written["label"]))


class TokenSigner:
    """A key of a token."""

    __slots__ = ("_held", "_label", "_session", "jwk")

    def __init__(self, session: Session, jwk: Mapping[str, str], label: str) -> None:
        self.jwk: Final = jwk
        self._session = session
        self._label = label
        self._held: tuple[Any, Any] = (None, None)

    def __repr__(self) -> str:
        return f"<TokenSigner {self._label}>"

    @property
    def written(self) -> Mapping[str, Any]:
        """Its public half and its label: no secret."""
        return {"jwk": dict(self.jwk), "label": self._label}

    async def sign(self, content: bytes) -> bytes:
        """Sign in the token."""
        digest = hashlib.sha256(content).digest()

        def signed(opened: Any) -> bytes:  # noqa: ANN401 - the library's object
            return bytes(self._key(opened).sign(digest, mechanism=Mechanism.ECDSA))

        signature = await self._session.do(signed)
        if not signers.holds(self.jwk, content, signature):
            why = f"the key {self._label} in the token is not the one that was made there"
            raise KeyServiceAway(why)
        return signature

    def _key(self, opened: Any) -> Any:  # noqa: ANN401 - the library's object
        """The private half, looked for once in each session. Only in the thread of the library."""
        session, key = self._held
        if session is not opened:
            sought = {
                Attribute.CLASS: ObjectClass.PRIVATE_KEY,
                Attribute.KEY_TYPE: KeyType.EC,
                Attribute.LABEL: self._label,
            }
            key = next(iter(opened.get_objects(sought)), None)
            if key is None:
                why = f"the token has no key {self._label}"
                raise KeyServiceAway(why)
            self._held = (opened, key)
        return key
