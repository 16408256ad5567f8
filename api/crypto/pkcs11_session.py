"""A token of a PKCS#11 module (hardware, or what speaks as hardware), for whoever in this process uses it.

The library is not made for threads: two of them corrupt its memory, in one process also with two sessions. So all
calls of a process are made in one thread, which is started at the first call: when the workers have been forked. A
login counts for the whole process, and a logout too: so there is one session for each token, whoever asks. One that
fails is opened anew at the next call. A module that hangs holds its thread; nobody waits longer than `PATIENCE` for it,
and the process ends without it.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pkcs11
import structlog

from api.crypto.choice import PATIENCE
from api.crypto.signers import KeyServiceAway
from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

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
_HELD: Final = (
    pkcs11.Attribute.LOCAL,
    pkcs11.Attribute.ALWAYS_SENSITIVE,
    pkcs11.Attribute.NEVER_EXTRACTABLE,
)


def session(module: Path, token: str, pin: Path) -> Session:
    """The session of this process with a token, by its label. `pin`: the file that holds the PIN of its user."""
    return _session(os.getpid(), module, token, pin)


def hold(key: Any, token: str) -> None:  # noqa: ANN401 - the library's object
    """See that a key was made as it was asked for; else it is destroyed. Raises `KeyServiceAway`."""
    if not all(key[each] for each in _HELD):
        key.destroy()
        why = f"token {token} does not keep a key to itself"
        raise KeyServiceAway(why)


@cache
def _session(_process: int, module: Path, token: str, pin: Path) -> Session:
    return Session(module, token, pin)


@cache
def _turns(_process: int) -> Turns:
    return Turns()


class Turns:
    """The one thread of this process that touches the library, and who waits for it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        # An executor's thread would be waited for at the end of the process, however long the module hangs.
        Thread(target=self._run, name="pkcs11", daemon=True).start()

    def take(self, turn: Callable[[], T]) -> Future[T]:
        """Queue up. Who gives up before it is their turn takes none."""
        done: Future[T] = Future()
        self._waiting.put((done, turn))
        return done

    def _run(self) -> None:
        while True:
            done, turn = self._waiting.get()
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(turn())
                except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                    done.set_exception(error)


class Session:
    """What is logged in at a token, and logs in again when it has to."""

    __slots__ = ("_module", "_open", "_pin", "_token")

    def __init__(self, module: Path, token: str, pin: Path) -> None:
        self._module = module
        self._token = token
        self._pin = pin
        self._open: Any = None

    def __repr__(self) -> str:
        return f"<Session {self._token}>"

    async def close(self) -> None:
        """Log out, if that can be done. Who else uses it logs in again."""
        with suppress(KeyServiceAway):
            await self.do(lambda _: self._closed(), login=False)

    async def do(self, call: Callable[[Any], T], *, opens: bool = False, login: bool = True) -> T:
        """Take a turn in the thread, with the library's session. Raises `KeyServiceAway`.

        `opens`: what the module refuses is not as it was sealed (`Undecryptable`).
        """

        def turn() -> T:
            try:
                return call(self._opened() if login else None)
            except (OSError, RuntimeError) as error:
                if opens and isinstance(error, pkcs11.PKCS11Error) and not isinstance(error, _GONE):
                    raise Undecryptable from None
                with suppress(RuntimeError):
                    self._closed()
                structlog.get_logger("ketenbrug.crypto").error("key-service-away", kind=type(error).__name__)
                raise KeyServiceAway(self._sentence(error)) from None

        done = _turns(os.getpid()).take(turn)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(done), PATIENCE)
        except TimeoutError:
            why = f"the module of token {self._token} does not answer"
            raise KeyServiceAway(why) from None

    def _opened(self) -> Any:  # noqa: ANN401 - the library's object
        if self._open is None:
            pin = self._pin.read_text().strip()
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
            self._open = token.open(rw=True, user_pin=pin)
        return self._open

    def _closed(self) -> None:
        session, self._open = self._open, None
        if session is not None:
            session.close()

    def _sentence(self, error: Exception) -> str:
        match error:
            case pkcs11.NoSuchToken():
                return f"the module {self._module} has no token {self._token}"
            case pkcs11.UserAlreadyLoggedIn():
                return f"the PIN of token {self._token} is given as two files: name the same one twice"
            case pkcs11.PinIncorrect() | pkcs11.PinLocked() | pkcs11.PinExpired() | pkcs11.PinLenRange():
                return f"token {self._token} does not take the PIN in {self._pin}"
            case OSError():
                return f"the file with the PIN, {self._pin}, cannot be read by this user"
            case pkcs11.PKCS11Error() if type(error) is not pkcs11.PKCS11Error:
                return f"token {self._token} says {type(error).__name__}"
            case _:
                return f"the module {self._module} cannot be loaded"
