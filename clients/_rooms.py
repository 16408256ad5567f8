"""From the description of a call to a method that makes it: blocking in one client, awaiting in its twin.

A room holds the operations on one resource. Each is written once, as a method that only describes its call:

    @operation("cases.read")
    def read(self, case_id: UUID) -> Call[Case]:

Asked of a room of a blocking client it is `(case_id: UUID) -> Answer[Case]`; of an awaiting one, the same with a
coroutine. Type checkers see exactly that: the two signatures come from one, so that the twins cannot drift apart. The
name is that of the operation in the audit log and in the authority matrix.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload
from uuid import UUID, uuid4

from api.schemas.base import Page, Wire
from clients._drivers import Awaiting, Blocking
from clients._messages import Call
from clients.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Self

    from api.vocabulary import Purpose
    from clients._messages import Sink
    from clients.answers import Answer
    from clients.documents import Content

P = ParamSpec("P")
T = TypeVar("T")
G = TypeVar("G")
W = TypeVar("W", bound=Wire)
D = TypeVar("D", Blocking, Awaiting)


class Room(Generic[D]):
    """The operations on one resource, for one client."""

    __slots__ = ("driver",)

    def __init__(self, driver: D) -> None:
        self.driver: Final[D] = driver

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True)
class Series(Generic[G, T]):
    """A list that comes in pages: the call of its first page, the items of a page, and where the next one begins."""

    first: Call[G]
    items: Callable[[G], tuple[T, ...]]
    cursor: Callable[[G], str | None]

    def after(self, page: Answer[G], asked: Call[G]) -> Call[G] | None:
        """The call of the next page, or None. Raises `UnexpectedAnswer` when the list would go round in circles."""
        cursor = self.cursor(page.value)
        if cursor is None:
            return None
        if ("cursor", cursor) in asked.query:
            raise UnexpectedAnswer("the next page is the same one again", page.status, page.request_id)
        kept = tuple(pair for pair in asked.query if pair[0] != "cursor")
        return replace(asked, query=(*kept, ("cursor", cursor)))


class Pages(Generic[G, T]):
    """A list, read page by page as it is gone through: `for case in client.cases.list()`."""

    __slots__ = ("_driver", "_series")

    def __init__(self, driver: Blocking, series: Series[G, T]) -> None:
        self._driver = driver
        self._series = series

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from self._series.items(page.value)

    def pages(self) -> Iterator[Answer[G]]:
        """The pages themselves, each with what came with it."""
        call: Call[G] | None = self._series.first
        while call is not None:
            page = self._driver.call(call)
            yield page
            call = self._series.after(page, call)


class AsyncPages(Generic[G, T]):
    """A list, read page by page as it is gone through: `async for case in client.cases.list()`."""

    __slots__ = ("_driver", "_series")

    def __init__(self, driver: Awaiting, series: Series[G, T]) -> None:
        self._driver = driver
        self._series = series

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in self._series.items(page.value):
                yield item

    async def pages(self) -> AsyncIterator[Answer[G]]:
        """The pages themselves, each with what came with it."""
        call: Call[G] | None = self._series.first
        while call is not None:
            page = await self._driver.call(call)
            yield page
            call = self._series.after(page, call)


class Operation(Generic[P, T]):
    """An operation with one answer."""

    def __init__(self, name: str, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.name: Final = name
        self.describe: Final = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, room: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, room: Room[Blocking], owner: type[object]) -> Callable[P, Answer[T]]: ...
    @overload
    def __get__(self, room: Room[Awaiting], owner: type[object]) -> Callable[P, Coroutine[Any, Any, Answer[T]]]: ...
    def __get__(self, room: Room[Blocking] | Room[Awaiting] | None, owner: type[object]) -> object:
        if room is None:
            return self

        describe: Callable[P, Call[T]] = MethodType(self.describe, room)

        @functools.wraps(describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> object:
            return room.driver.call(describe(*args, **kwargs))

        return method


class Listing(Generic[P, G, T]):
    """An operation with a list for an answer."""

    def __init__(self, name: str, describe: Callable[Concatenate[Any, P], Series[G, T]]) -> None:
        self.name: Final = name
        self.describe: Final = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, room: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, room: Room[Blocking], owner: type[object]) -> Callable[P, Pages[G, T]]: ...
    @overload
    def __get__(self, room: Room[Awaiting], owner: type[object]) -> Callable[P, AsyncPages[G, T]]: ...
    def __get__(self, room: Room[Blocking] | Room[Awaiting] | None, owner: type[object]) -> object:
        if room is None:
            return self

        describe: Callable[P, Series[G, T]] = MethodType(self.describe, room)

        @functools.wraps(describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> Pages[G, T] | AsyncPages[G, T]:
            series, driver = describe(*args, **kwargs), room.driver
            return Pages(driver, series) if isinstance(driver, Blocking) else AsyncPages(driver, series)

        return method


def operation(name: str) -> Callable[[Callable[Concatenate[Any, P], Call[T]]], Operation[P, T]]:
    """Make a described call a method."""

    def decorate(describe: Callable[Concatenate[Any, P], Call[T]]) -> Operation[P, T]:
        return Operation(name, describe)

    return decorate


def listing(name: str) -> Callable[[Callable[Concatenate[Any, P], Series[G, T]]], Listing[P, G, T]]:
    """Make a described list a method."""

    def decorate(describe: Callable[Concatenate[Any, P], Series[G, T]]) -> Listing[P, G, T]:
        return Listing(name, describe)

    return decorate


def reads(
    at: str,
    answer: type[W],
    *,
    purpose: Purpose | None = None,
    known: Answer[W] | None = None,
    query: tuple[tuple[str, object], ...] = (),
) -> Call[W]:
    """Describe a GET. What is None in the query is left out."""
    return Call("GET", at, _parser(answer), _asked(query), purpose=purpose, known=known, safe=True)


def creates(
    at: str, answer: type[W], new: Wire | None = None, key: UUID | None = None, *, signed: bool = False
) -> Call[W]:
    """Describe a POST that makes something, with the given idempotency key or one of its own.

    `signed`: by the client's payload key, where it has one.
    """
    return Call("POST", at, _parser(answer), body=_body(new), key=uuid4() if key is None else key, signed=signed)


def asks(
    at: str,
    answer: type[W],
    question: Wire,
    *,
    purpose: Purpose | None = None,
    query: tuple[tuple[str, object], ...] = (),
) -> Call[W]:
    """Describe a POST that changes nothing: what is asked may not stand in a URL."""
    return Call("POST", at, _parser(answer), _asked(query), _body(question), purpose, safe=True)


def takes(at: str, wanted: Wire, into: Sink) -> Call[None]:
    """Describe a POST whose answer is a file."""
    return Call("POST", at, _nothing, body=_body(wanted), into=into)


def fetches(at: str, document_id: UUID, into: Sink, start: int, purpose: Purpose | None = None) -> Call[None]:
    """Describe a GET whose answer is the content of a document, from byte `start` on."""
    return Call("GET", at, _nothing, purpose=purpose, into=into, start=start, document=document_id)


def stores(at: str, content: Content, document_id: UUID) -> Call[None]:
    """Describe a PUT of the content of a document. It may be sent again: it has one effect."""
    return Call("PUT", at, _nothing, safe=True, content=content, document=document_id)


def _nothing(_content: bytes) -> None:
    """Read nothing: it went into the file."""


def paged(first: Call[Page[W]]) -> Series[Page[W], W]:
    """Describe a list whose pages name the next one."""
    return Series(first, _items, _next_cursor)


def _items(page: Page[W]) -> tuple[W, ...]:
    return page.items


def _next_cursor(page: Page[Any]) -> str | None:
    return page.next_cursor


def _asked(query: tuple[tuple[str, object], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in query if value is not None)


def _body(new: Wire | None) -> bytes | None:
    """As the caller filled it in: a member that an older server does not know is sent only when it was set."""
    return None if new is None else new.model_dump_json(by_alias=True, exclude_unset=True).encode()


def _parser(answer: type[W]) -> Callable[[bytes], W]:
    """Read a wire type. A member that a newer server adds is no error: additions do not break a version of the API."""
    return functools.partial(answer.model_validate_json, extra="ignore")
