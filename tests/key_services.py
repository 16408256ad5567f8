"""What every keeper of key-encryption keys must do, whoever made it; and small servers that speak as OpenBao and KMS.

`CONTRACT`, and that of `index_services`, is run on the key file and on these servers by `make test`, and on the real
products by `make test-foreign`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import socket
import threading
import uuid
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.crypto import keyfile
from api.crypto.choice import Choice, Kind
from api.custody import opening
from api.errors import Unavailable, Undecryptable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from api.custody.custodian import Custodian
    from api.custody.opening import Keepers

ANNA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)
KEY, OTHER = bytes(range(32)), bytes(reversed(range(32)))
NUMBER: Final = "0000000042"


@dataclass
class Kept:
    """Keepers beside a key file: the file itself, or the service that was chosen. Each opening is another process."""

    file: Path
    chosen: Choice

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Custodian]:
        """Reach who keeps the key-encryption keys."""
        async with self.both() as kept:
            yield kept.keys

    @property
    def settings(self) -> dict[str, Any]:
        """By which a service reaches them."""
        chosen = self.chosen
        return {
            "key_service": str(chosen.kind),
            "key_service_name": chosen.name,
            "key_service_index": chosen.index,
            "key_service_url": chosen.url,
            "key_service_credentials": chosen.credentials,
        }

    def both(self) -> AbstractAsyncContextManager[Keepers]:
        """Reach who keeps these, and who those of the index."""
        return opening.keepers(self.file, self.chosen)

    @asynccontextmanager
    async def away(self) -> AsyncGenerator[Keepers]:
        """Reach them where nobody listens, or where there is no such token."""
        with nobody() as url:
            async with opening.keepers(self.file, replace(self.chosen, url=url, token="none")) as kept:
                yield kept


def kept(folder: Path, chosen: Choice) -> Kept:
    """Beside a new key file."""
    keyfile.create(folder / "keys")
    return Kept(folder / "keys", chosen)


@contextmanager
def doubled(kind: Kind, folder: Path) -> Generator[tuple[Kept, Double]]:
    """Keepers of this kind, and the server that stands in for the product."""
    if kind is Kind.FILE:
        yield kept(folder, Choice(kind, "k")), Double()
        return
    (folder / "token").write_text("token\n")
    with (transit if kind is Kind.TRANSIT else kms)() as (url, double), pytest.MonkeyPatch.context() as patch:
        credentials(patch)
        chosen = Choice(kind, "k", url=url, credentials=folder / "token", mount="transit", region="eu-west-1")
        yield kept(folder, chosen), double


def credentials(patch: pytest.MonkeyPatch) -> None:
    """What AWS libraries look for in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "example")


async def _opens_what_it_wrapped(keeper: Kept) -> None:
    async with keeper.open() as keys:
        one, two = await keys.wrap(ANNA, 1, bytearray(KEY)), await keys.wrap(BOB, 7, bytearray(OTHER))
        assert one.kek == two.kek == await keys.current()
        assert KEY not in one.wrapped
        assert await keys.unwrap([two, one, two]) == [OTHER, KEY, OTHER]
        assert await keys.unwrap([]) == []
    async with keeper.open() as keys:
        assert await keys.unwrap([one]) == [KEY]


async def _wraps_no_key_alike_twice(keeper: Kept) -> None:
    async with keeper.open() as keys:
        assert (await keys.wrap(ANNA, 1, KEY)).wrapped != (await keys.wrap(ANNA, 1, KEY)).wrapped


async def _refuses_another_place(keeper: Kept) -> None:
    async with keeper.open() as keys:
        row = await keys.wrap(ANNA, 1, KEY)
        changed = bytearray(row.wrapped)
        changed[-1] ^= 1
        for moved in (
            row._replace(person=BOB),
            row._replace(version=2),
            row._replace(wrapped=bytes(changed)),
            row._replace(wrapped=row.wrapped[:-1]),
            row._replace(wrapped=b""),
            row._replace(wrapped=b"\xff" * 60),
            row._replace(kek="nobody's"),
            row._replace(kek=f"{row.kek}0"),
        ):
            with pytest.raises(Undecryptable):
                await keys.unwrap([row, moved])


async def _begins_an_epoch_once(keeper: Kept) -> None:
    """Two commands that begin one at once, or one that was interrupted and is run again, begin one."""
    async with keeper.open() as keys:
        former = await keys.current()
        row = await keys.wrap(ANNA, 1, KEY)
        newer = await keys.renew(former)
        assert newer != former
        assert [await keys.renew(former), await keys.current()] == [newer, newer]
        assert (await keys.wrap(ANNA, 1, KEY)).kek == newer
        assert await keys.unwrap([row, await keys.wrap(BOB, 1, OTHER)]) == [KEY, OTHER]


async def _ends_an_epoch_for_good(keeper: Kept) -> None:
    async with keeper.open() as keys:
        former = await keys.current()
        row = await keys.wrap(ANNA, 1, KEY)
        await keys.renew(former)
        living = await keys.wrap(ANNA, 1, KEY)
        await keys.destroy(former)
        await keys.destroy(former)
        with pytest.raises(Undecryptable):
            await keys.unwrap([row])
        newest = await keys.renew(await keys.current())
        assert newest not in {former, living.kek}
        with pytest.raises(Undecryptable):
            await keys.unwrap([row])
        assert await keys.unwrap([living]) == [KEY]
    async with keeper.open() as keys:
        with pytest.raises(Undecryptable):
            await keys.unwrap([row])


async def _follows_an_epoch_that_another_process_begins_and_ends(keeper: Kept) -> None:
    async with keeper.open() as served:
        first = await served.wrap(ANNA, 1, KEY)
        newer = await served.renew(first.kek)
        await served.destroy(first.kek)
        assert (await served.wrap(ANNA, 1, KEY)).kek == newer


async def _serves_a_page_and_many_at_once(keeper: Kept) -> None:
    """In order, also where the service takes no batch, or not so large a one."""
    async with keeper.open() as keys:
        rows = [await keys.wrap(uuid.UUID(int=number), 1, bytes([number]) * 32) for number in range(8)]
        page = rows * 40
        assert await keys.unwrap(page) == [bytes([number % 8]) * 32 for number in range(320)]
        found = await asyncio.gather(*(keys.unwrap([row]) for row in rows * 4))
        assert [each for (each,) in found] == [bytes([number % 8]) * 32 for number in range(32)]


async def _shows_no_key(keeper: Kept) -> None:
    async with keeper.open() as keys:
        assert "Custodian" in repr(keys)


async def is_away(service: Kept) -> None:
    """Fail closed: nothing is taken for not openable, and nothing is wrapped, because nobody answers."""
    async with service.open() as keys:
        row = await keys.wrap(ANNA, 1, KEY)
    async with service.away() as kept:
        keys, index, index_keys = kept.keys, kept.index, kept.index_keys
        for asked in (
            keys.current(),
            keys.wrap(ANNA, 1, KEY),
            keys.unwrap([row]),
            keys.renew(row.kek),
            keys.destroy(row.kek),
            index.live(),
            index.of(NUMBER),
            index.stored([NUMBER], None),
            index_keys.renew(0),
            index_keys.finish(1),
        ):
            with pytest.raises(Unavailable):
                await asked
    async with service.open() as keys:
        assert await keys.unwrap([row]) == [KEY]


CONTRACT: Final[dict[str, Callable[[Kept], Awaitable[None]]]] = {
    "opens-what-it-wrapped": _opens_what_it_wrapped,
    "no-key-alike-twice": _wraps_no_key_alike_twice,
    "another-place": _refuses_another_place,
    "begins-once": _begins_an_epoch_once,
    "ends-for-good": _ends_an_epoch_for_good,
    "follows": _follows_an_epoch_that_another_process_begins_and_ends,
    "page": _serves_a_page_and_many_at_once,
    "shows-none": _shows_no_key,
}


@dataclass
class Double:
    """What a small server keeps, and what it should answer whatever is asked."""

    keys: dict[str, bytes] = field(default_factory=dict[str, bytes])
    words: tuple[int, bytes] | None = None
    page: int = 100
    ended: list[str] = field(default_factory=list[str])
    """Ids of keys whose deletion was scheduled; without a name already, or not."""
    fails: str = ""
    """What KMS does not do, whatever else it does; and how it says so."""
    fault: str = "LimitExceededException"


class _Handler(BaseHTTPRequestHandler):
    double: ClassVar[Double]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def told(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        found: dict[str, Any] = json.loads(self.rfile.read(length) or b"{}")
        return found

    def say(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode()
        if self.double.words is not None:
            status, raw = self.double.words
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _sealed(key: bytes, place: bytes, text: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, text, place)


def _open(key: bytes, place: bytes, sealed: bytes) -> bytes | None:
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], place)
    except (InvalidTag, ValueError):
        return None


class _Transit(_Handler):
    """As OpenBao 2.7 answers."""

    def do_LIST(self) -> None:
        keys = sorted(self.double.keys)
        self.say(200, {"data": {"keys": keys}}) if keys else self.say(404, {"errors": []})

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[1]
        self.say(200, {"data": {"name": name}}) if name in self.double.keys else self.say(404, {"errors": []})

    def do_DELETE(self) -> None:
        del self.double.keys[self.path.rsplit("/", 1)[1]]
        self.say(200, {})

    def do_POST(self) -> None:
        _, _, _, what, name, *_ = self.path.split("/")
        told = self.told()
        if self.headers["X-Vault-Token"] != "token":
            return self.say(403, {"errors": ["permission denied"]})
        if what == "keys":
            self.double.keys.setdefault(name, os.urandom(32))
            return self.say(200, {"data": {}})
        if name not in self.double.keys:
            return self.say(400, {"errors": ["encryption key not found"]})
        does = {"encrypt": self._encrypt, "decrypt": self._decrypt, "hmac": self._hmac}[what]
        return self.say(*does(self.double.keys[name], told))

    def _hmac(self, key: bytes, told: dict[str, Any]) -> tuple[int, Any]:
        macs = [hmac.digest(key, base64.b64decode(each["input"]), "sha256") for each in told["batch_input"]]
        results = [{"hmac": f"vault:v{told['key_version']}:{base64.b64encode(mac).decode()}"} for mac in macs]
        return 200, {"data": {"batch_results": results}}

    def _encrypt(self, key: bytes, told: dict[str, Any]) -> tuple[int, Any]:
        text, place = (base64.b64decode(told[each]) for each in ("plaintext", "context"))
        sealed = base64.b64encode(_sealed(key, place, text)).decode()
        return 200, {"data": {"ciphertext": f"vault:v1:{sealed}"}}

    def _decrypt(self, key: bytes, told: dict[str, Any]) -> tuple[int, Any]:
        results: list[dict[str, str]] = []
        for each in told["batch_input"]:
            try:
                sealed = base64.b64decode(each["ciphertext"].removeprefix("vault:v1:"))
            except ValueError:
                sealed = b""
            text = _open(key, base64.b64decode(each["context"]), sealed)
            found = {"error": "cipher: message authentication failed"} if text is None else {}
            results.append({"plaintext": base64.b64encode(text or b"").decode(), **found})
        return (400 if any("error" in each for each in results) else 200), {"data": {"batch_results": results}}


class _Kms(_Handler):
    """As AWS KMS answers."""

    def do_POST(self) -> None:
        action, told = self.headers["X-Amz-Target"].rsplit(".", 1)[1], self.told()
        if action == self.double.fails:
            return self.say(*_fault(self.double.fault))
        answer: Callable[[dict[str, Any]], tuple[int, Any]] = getattr(self, _worded(action))
        return self.say(*answer(told))

    def _create_key(self, told: dict[str, Any]) -> tuple[int, Any]:
        self.double.keys[told["Description"]] = os.urandom(32)
        return 200, {"KeyMetadata": {"KeyId": told["Description"]}}

    def _create_alias(self, _told: dict[str, Any]) -> tuple[int, Any]:
        return 200, {}

    def _list_aliases(self, told: dict[str, Any]) -> tuple[int, Any]:
        names, start = [f"alias/{name}" for name in self.double.keys], int(told.get("Marker", "0"))
        stop = start + self.double.page
        more = {"Truncated": True, "NextMarker": str(stop)} if stop < len(names) else {"Truncated": False}
        return 200, {"Aliases": [{"AliasName": name} for name in names[start:stop]], **more}

    def _describe_key(self, told: dict[str, Any]) -> tuple[int, Any]:
        name = told["KeyId"].removeprefix("alias/")
        if name not in self.double.keys:
            return _fault("NotFoundException")
        state = "Enabled" if self.double.keys[name] else "PendingDeletion"
        return 200, {"KeyMetadata": {"KeyId": name, "KeyState": state}}

    def _schedule_key_deletion(self, told: dict[str, Any]) -> tuple[int, Any]:
        self.double.ended.append(told["KeyId"])
        if told["KeyId"] in self.double.keys:
            self.double.keys[told["KeyId"]] = b""
        return 200, {"KeyId": told["KeyId"]}

    def _delete_alias(self, told: dict[str, Any]) -> tuple[int, Any]:
        del self.double.keys[told["AliasName"].removeprefix("alias/")]
        return 200, {}

    def _encrypt(self, told: dict[str, Any]) -> tuple[int, Any]:
        key = self.double.keys.get(told["KeyId"].removeprefix("alias/"))
        if key is None:
            return _fault("NotFoundException")
        place = json.dumps(told["EncryptionContext"]).encode()
        sealed = _sealed(key, place, base64.b64decode(told["Plaintext"]))
        return 200, {"CiphertextBlob": base64.b64encode(sealed).decode()}

    def _decrypt(self, told: dict[str, Any]) -> tuple[int, Any]:
        key = self.double.keys.get(told["KeyId"].removeprefix("alias/"))
        if key is None:
            return _fault("NotFoundException")
        place = json.dumps(told["EncryptionContext"]).encode()
        text = _open(key, place, base64.b64decode(told["CiphertextBlob"]))
        if text is None:
            return _fault("InvalidCiphertextException")
        return 200, {"Plaintext": base64.b64encode(text).decode()}

    def _generate_mac(self, told: dict[str, Any]) -> tuple[int, Any]:
        key = self.double.keys.get(told["KeyId"].removeprefix("alias/"))
        if not key:
            return _fault("NotFoundException" if key is None else "KMSInvalidStateException")
        mac = hmac.digest(key, base64.b64decode(told["Message"]), "sha256")
        return 200, {"Mac": base64.b64encode(mac).decode()}


def _worded(action: str) -> str:
    """`CreateKey` is answered by `_create_key`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action)


def _fault(word: str) -> tuple[int, Any]:
    return 400, {"__type": word}


@contextmanager
def nobody() -> Generator[str]:
    """An address that is taken, where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def transit() -> Generator[tuple[str, Double]]:
    """A server with a Transit engine at `/v1/transit`; its token is `token`."""
    with _serving(_Transit) as found:
        yield found


@contextmanager
def kms() -> Generator[tuple[str, Double]]:
    """A server that speaks as KMS."""
    with _serving(_Kms) as found:
        yield found


@contextmanager
def _serving(kind: type[_Handler]) -> Generator[tuple[str, Double]]:
    double = Double()
    handler = type("Handler", (kind,), {"double": double})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", double
        finally:
            server.shutdown()
            thread.join()
