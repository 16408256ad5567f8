"""AWS KMS as a key service. Each key has an alias, `alias/ketenbrug-0001`; the encryption context is the place.

KMS has no batches: a page of persons is as many calls, a few at a time. A key of the index is of the kind HMAC_256,
which can do nothing else. A key is destroyed after a wait of seven days, which is the least that AWS allows: it opens
nothing from the first moment, but until then somebody with the right `kms:CancelKeyDeletion` could bring it back. Do
not give that right to anybody.

Credentials come as AWS libraries find them (the role of the machine, mostly). The library, `botocore`, is an extra that
only this module imports.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from api.crypto.services import NoSuchKey, Use
from api.errors import Unavailable, Undecryptable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.crypto.services import Sealed

S = TypeVar("S")
T = TypeVar("T")

_AT_ONCE: Final = 8
_PATIENCE: Final = 5
_WAIT_DAYS: Final = 7
_GONE: Final = frozenset({"NotFoundException", "KMSInvalidStateException", "DisabledException"})
_SPOILT: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_TAKEN: Final = "AlreadyExistsException"
_ALIAS: Final = "alias/"
_KINDS: Final = {
    Use.WRAPS: {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"},
    Use.MACS: {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
}


@cache
def _session() -> botocore.session.Session:
    """Reading the description of the service takes longer than many a call."""
    return botocore.session.get_session()


class Client(Protocol):
    """The calls of the library that are made here."""

    def encrypt(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102 - as the library has it
    def decrypt(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def generate_mac(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def list_aliases(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def create_key(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def create_alias(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def describe_key(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def schedule_key_deletion(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def delete_alias(self, **wanted: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102
    def close(self) -> None: ...  # noqa: D102


def client(region: str, endpoint: str = "") -> Client:
    """Calls of one region. `endpoint`: in place of the address that AWS publishes, for a private link."""
    bounds = Config(
        connect_timeout=_PATIENCE,
        read_timeout=_PATIENCE,
        retries={"total_max_attempts": 2, "mode": "standard"},
        max_pool_connections=_AT_ONCE,
    )
    made: Any = _session().create_client("kms", region_name=region, endpoint_url=endpoint or None, config=bounds)
    return cast("Client", made)


class Kms:
    """The keys of one account and region."""

    __slots__ = ("_client", "_threads")

    scheme: ClassVar[str] = "kms"
    settles: ClassVar[float] = 300.0
    """An alias is to be seen everywhere after some time: "less than five minutes", says AWS."""

    def __init__(self, made: Client) -> None:
        self._client = made
        self._threads = ThreadPoolExecutor(_AT_ONCE, "kms")

    def __repr__(self) -> str:
        return "<Kms>"

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self._client.close()

    async def names(self) -> list[str]:
        """The names of all aliases."""
        return await self._do(self._names)

    async def encrypt(self, name: str, place: bytes, text: bytes) -> bytes:
        """Seal under the key of an alias."""
        wanted = {"KeyId": _ALIAS + name, "Plaintext": text, "EncryptionContext": _context(place)}

        def sealed() -> bytes:
            found: bytes = self._client.encrypt(**wanted)["CiphertextBlob"]
            return found

        return await self._do(sealed)

    async def decrypt(self, name: str, sealed: Sequence[Sealed]) -> list[bytes]:
        """Open each under the key of the alias, and under no other."""

        def opened(each: Sealed) -> bytes:
            found = self._client.decrypt(
                KeyId=_ALIAS + name, CiphertextBlob=each.text, EncryptionContext=_context(each.place)
            )
            text: bytes = found["Plaintext"]
            return text

        return await self._each(opened, sealed)

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """Compute each under the key of the alias."""

        def computed(each: bytes) -> bytes:
            found: bytes = self._client.generate_mac(KeyId=_ALIAS + name, Message=each, MacAlgorithm="HMAC_SHA_256")[
                "Mac"
            ]
            return found

        return await self._each(computed, texts)

    async def make(self, name: str, use: Use) -> None:
        """Make a key of 256 bits whose material cannot leave, and name it. One that gets no name is deleted again.

        The name may be taken by a key that is not listed yet: that one is it.
        """
        if name in await self.names():
            return

        def made() -> None:
            key = self._client.create_key(**_KINDS[use], Description=name)["KeyMetadata"]["KeyId"]
            try:
                self._client.create_alias(AliasName=_ALIAS + name, TargetKeyId=key)
            except ClientError as error:
                self._client.schedule_key_deletion(KeyId=key, PendingWindowInDays=_WAIT_DAYS)
                if _word(error) != _TAKEN:
                    raise

        await self._do(made)

    async def destroy(self, name: str, use: Use) -> None:
        """Have the key deleted, and take its name away.

        What wraps is deleted first, so that an interruption is made good: nothing may open after an epoch. What
        computes the index loses its name first: a name without a key would close every look-up. Interrupted, that key
        stays, with the name in its description, and computes for nobody who goes by names.
        """

        def destroyed() -> None:
            key = self._client.describe_key(KeyId=_ALIAS + name)["KeyMetadata"]
            if use is Use.MACS:
                self._client.delete_alias(AliasName=_ALIAS + name)
            if key["KeyState"] != "PendingDeletion":
                self._client.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=_WAIT_DAYS)
            if use is Use.WRAPS:
                self._client.delete_alias(AliasName=_ALIAS + name)

        try:
            await self._do(destroyed)
        except NoSuchKey:
            return

    def _names(self) -> list[str]:
        found: list[str] = []
        at: dict[str, str] = {}
        while True:
            page = self._client.list_aliases(**at)
            found += [each["AliasName"].removeprefix(_ALIAS) for each in page["Aliases"]]
            if not page.get("Truncated"):
                return found
            at = {"Marker": page["NextMarker"]}

    async def _each(self, call: Callable[[S], bytes], asked: Sequence[S]) -> list[bytes]:
        """Make a call for each, a few at a time, and wait for the last also when one fails."""
        done = await asyncio.gather(*(self._do(partial(call, each)) for each in asked), return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each
        return [each for each in done if isinstance(each, bytes)]

    async def _do(self, call: Callable[[], T]) -> T:
        """Make a blocking call beside the event loop."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except ClientError as error:
            word = _word(error)
            if word in _GONE:
                raise NoSuchKey from None
            if word in _SPOILT:
                raise Undecryptable from None
            raise Unavailable("key-service") from None
        except (BotoCoreError, KeyError):  # it does not answer, or not as KMS does
            raise Unavailable("key-service") from None


def _word(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _context(place: bytes) -> dict[str, str]:
    return {"ketenbrug": place.hex()}
