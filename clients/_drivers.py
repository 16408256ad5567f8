"""Run a flow: the only place where sync and async differ.

A request is sent, a pause is waited, a flow that must be alone runs under the lock of the client; what comes of it goes
back into the flow.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar, assert_never

from clients._messages import Alone, Pause, Request
from clients.errors import KetenbrugClientError

if TYPE_CHECKING:
    from typing import Self

    from clients._core import Session
    from clients._messages import Call, Flow, Response, Step
    from clients.answers import Answer

T = TypeVar("T")


class Transport(Protocol):
    """Sends a request, blocking. Raises `ConnectionFailed`."""

    def send(self, request: Request, /) -> Response:
        """The response, read to its end."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class AsyncTransport(Protocol):
    """Sends a request, awaiting. Raises `ConnectionFailed`."""

    async def send(self, request: Request, /) -> Response:
        """The response, read to its end."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


@dataclass(slots=True)
class _Run:
    """How far a flow has come: what goes into it next."""

    reply: Response | None = None
    failure: KetenbrugClientError | None = None

    def advance(self, flow: Flow[T]) -> Step:
        """The next step. Raises `StopIteration`, with the result, at the end of the flow."""
        reply, failure = self.reply, self.failure
        self.reply = self.failure = None
        return flow.send(reply) if failure is None else flow.throw(failure)


@dataclass(frozen=True, slots=True)
class Blocking:
    """Runs flows with blocking calls. May be shared between threads."""

    session: Session
    transport: Transport = field(repr=False)
    person: str | None = None
    parent: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def acting(self, person: str) -> Self:
        """The same, for another acting person."""
        return replace(self, person=person)

    def within(self, parent: str) -> Self:
        """The same, in the trace of this `traceparent`."""
        return replace(self, parent=parent)

    def call(self, call: Call[T]) -> Answer[T]:
        """The answer to a call."""
        return self.run(self.session.call(call, self.person, self.parent))

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        run = _Run()
        while True:
            try:
                step = run.advance(flow)
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                match step:
                    case Request():
                        run.reply = self.transport.send(step)
                    case Pause():
                        time.sleep(step.seconds)
                    case Alone():
                        with self.lock:
                            self.run(step.flow)
                    case _:
                        assert_never(step)
            except KetenbrugClientError as error:
                run.failure = error


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Runs flows with awaited calls, on one event loop."""

    session: Session
    transport: AsyncTransport = field(repr=False)
    person: str | None = None
    parent: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def acting(self, person: str) -> Self:
        """The same, for another acting person."""
        return replace(self, person=person)

    def within(self, parent: str) -> Self:
        """The same, in the trace of this `traceparent`."""
        return replace(self, parent=parent)

    async def call(self, call: Call[T]) -> Answer[T]:
        """The answer to a call."""
        return await self.run(self.session.call(call, self.person, self.parent))

    async def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        run = _Run()
        while True:
            try:
                step = run.advance(flow)
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                match step:
                    case Request():
                        run.reply = await self.transport.send(step)
                    case Pause():
                        await asyncio.sleep(step.seconds)
                    case Alone():
                        async with self.lock:
                            await self.run(step.flow)
                    case _:
                        assert_never(step)
            except KetenbrugClientError as error:
                run.failure = error
