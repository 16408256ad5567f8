"""Pages of a list: signed, opaque cursors.

    page: Paging                               `limit` and `cursor` of the request
    rows = await …listed(…, page.before, page.fetch)
    replies.shown(request, rows, paged(page, call, _summary))

A cursor says where the next page begins. It is bound by a MAC to client, method, path, purpose and filters, in query or
body, so that a made-up, foreign or altered one is refused. It holds an id or a number and never personal data,
because it travels in addresses.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, FastAPI, Query, Request

from api import problems
from api.crypto.mac import Mac
from api.problems import Problem, Stopped
from api.schemas.base import Page as WirePage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.disclosure.call import Call
    from api.edge.unit import Acting
    from api.schemas.base import Wire
    from api.vocabulary import ClientId

R = TypeVar("R")
W = TypeVar("W", bound="Wire")

LIMIT_MOST: Final = 200
_DEFAULT: Final = 50
_LAST: Final = UUID(int=2**128 - 1)
_TAG: Final = 16
_OWN: Final = frozenset({"cursor", "limit"})

Limit = Annotated[int, Query(ge=1, le=LIMIT_MOST, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="`nextCursor` of the page before; opaque. Keep the filters as they were."),
]


class Page:
    """What page is asked. The cursor is opened when it is first used, once the caller is proven."""

    __slots__ = ("_cursor", "_filters", "_mac", "_request", "limit")

    def __init__(self, request: Request, mac: Mac, limit: int, cursor: str | None, filters: bytes = b"") -> None:
        self._request = request
        self._filters = filters
        self._mac = mac
        self._cursor = cursor
        self.limit = limit

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than is shown tells whether there is a next page."""
        return self.limit + 1

    @property
    def before(self) -> UUID:
        """For lists with the newest first: rows with an id below this one. Raises `Stopped` with invalid-cursor."""
        position = self.position
        try:
            return _LAST if position is None else UUID(position)
        except ValueError:
            raise _invalid() from None

    @property
    def number(self) -> int | None:
        """For lists by number: that of the last row shown; None for the first page. Raises `Stopped` likewise."""
        position = self.position
        try:
            return None if position is None else int(position)
        except ValueError:
            raise _invalid() from None

    @property
    def position(self) -> str | None:
        """Where the page begins, as it was sealed; None for the first page."""
        if self._cursor is None:
            return None
        try:
            sealed = base64.b64decode(self._cursor + "=" * (-len(self._cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _invalid() from None
        acting: Acting = self._request.state.acting
        tag, position = sealed[:_TAG], sealed[_TAG:]
        if len(tag) < _TAG or not self._mac.holds(tag, *self._bound(acting.caller.client_id), position):
            raise _invalid()
        return position.decode()

    def seal(self, position: str, client: ClientId) -> str:
        """The cursor of the page that begins behind `position`."""
        raw = position.encode()
        tag = self._mac.tag(*self._bound(client), raw)[:_TAG]
        return base64.urlsafe_b64encode(tag + raw).rstrip(b"=").decode()

    def _bound(self, client: str) -> tuple[bytes, ...]:
        asked = sorted(pair for pair in self._request.query_params.multi_items() if pair[0] not in _OWN)
        scope = self._request.scope
        purpose = self._request.headers.get("purpose", "")
        where = (scope["method"], scope["path"], urlencode(asked), purpose)
        return client.encode(), *(each.encode() for each in where), self._filters


def paged(
    page: Page, call: Call, wire: Callable[[R], W], at: Callable[[R], object] | None = None
) -> Callable[[Sequence[R]], WirePage[W]]:
    """Make a wire page of rows read with `page.fetch`. `at` is a row's position; its `id` if nothing else is said."""

    def of(rows: Sequence[R]) -> WirePage[W]:
        shown = rows[: page.limit]
        cursor = None
        if len(rows) > page.limit:
            last: Any = shown[-1]
            cursor = page.seal(str(last.id if at is None else at(last)), call.caller.client_id)
        return WirePage(items=tuple(wire(row) for row in shown), next_cursor=cursor)

    return of


def opened(
    page: Page, call: Call, wire: Callable[[R], W], at: Callable[[R], object]
) -> Callable[[tuple[Sequence[R], bool]], WirePage[W]]:
    """As `paged`, of the rows that are shown and whether there are more: for lists that open no row in vain."""

    def of(found: tuple[Sequence[R], bool]) -> WirePage[W]:
        shown, more = found
        cursor = page.seal(str(at(shown[-1])), call.caller.client_id) if more else None
        return WirePage(items=tuple(wire(row) for row in shown), next_cursor=cursor)

    return of


def links(request: Request, value: Wire) -> dict[str, str]:
    """The header `Link` to the next page (RFC 8288), for a page that has one."""
    if not isinstance(value, WirePage) or value.next_cursor is None:
        return {}
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != "cursor"]
    address = f"{request.scope['path']}?{urlencode([*kept, ('cursor', value.next_cursor)])}"
    return {"Link": f'<{address}>; rel="next"'}


def install(app: FastAPI, mac: Mac) -> None:
    """Give the app the key of its cursors; all copies of the app need the same one."""
    app.state.cursors = mac


async def _asked(request: Request, limit: Limit = _DEFAULT, cursor: Cursor = None) -> Page:
    mac: Mac = request.app.state.cursors
    # As parsed: spaces and the order of members make no other filters.
    filters = json.dumps(await request.json(), sort_keys=True).encode() if await request.body() else b""
    return Page(request, mac, limit, cursor, filters)


def _invalid() -> Stopped:
    return Stopped(Problem(problems.INVALID_CURSOR))


Paging = Annotated[Page, Depends(_asked)]
"""What a list takes."""
