"""One request, sent until it is answered: retries, `Retry-After`, and the DPoP nonces of each origin.

    no answer, 408, 429, 502, 503, 504    sent again, twice by default; never what could have two effects
    a nonce is asked (RFC 9449 sections 8 and 9)  sent again once, with it

Each receipt that an answer brings is kept before anything else is done with it, also when it is then tried again.

The time between doubles, with jitter. `Retry-After` is waited for in full; where it is longer than we are willing to
wait, the answer is final. Each attempt is built anew, because a proof and an assertion are for one use.
"""

from __future__ import annotations

import email.utils
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from clients._messages import Pause, origin
from clients.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients._messages import Flow, Request, Response

_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_CHALLENGES: Final = frozenset({400, 401})
_NONCE_MOST: Final = 512
_RECEIPT: Final = "audit-receipt"

Keep: TypeAlias = "Callable[[str], None]"
"""What is done with each receipt that comes."""


def forget(_receipt: str) -> None:
    """Keep no receipt but that of the answer itself."""


def _chance() -> float:
    return secrets.randbelow(1 << 20) / (1 << 20)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and after how long. Seconds; `chance` gives a number from 0 up to 1."""

    most: int = 2
    first: float = 0.5
    longest: float = 30.0
    chance: Callable[[], float] = field(default=_chance, repr=False)

    def after_silence(self, retries: int) -> Pause | None:
        """What to do when no answer came, `retries` times before."""
        return None if retries >= self.most else Pause(self._backoff(retries))

    def after(self, response: Response, retries: int, now: float) -> Pause | None:
        """What to do after an answer: None when it is final."""
        if retries >= self.most or response.status not in _AGAIN:
            return None
        asked = retry_after(response, now)
        if asked is None:
            return Pause(self._backoff(retries))
        # A little more than asked, so that those who were turned away together do not come back together.
        return None if asked > self.longest else Pause(asked + self.first * self.chance())

    def _backoff(self, retries: int) -> float:
        most = min(self.first * 2.0**retries, self.longest)
        return most / 2 + most / 2 * self.chance()


@dataclass(slots=True)
class Sender:
    """Sends for one client. Owns the nonces: the last one of each origin."""

    clock: Callable[[], float] = field(repr=False)
    retries: Retries = field(default_factory=Retries)
    keep: Keep = field(default=forget, repr=False)
    _nonces: dict[str, str] = field(default_factory=dict[str, str], init=False, repr=False)

    def send(self, url: str, make: Callable[[str | None], Request], *, replayable: bool = True) -> Flow[Response]:
        """Send what `make` makes of the nonce of the URL's origin. Raises `ConnectionFailed`."""
        place, retries, has_answered_nonce = origin(url), 0, False
        while True:
            try:
                response = yield from ask(make(self._nonces.get(place)))
            except ConnectionFailed:
                pause = self.retries.after_silence(retries)
                if pause is None or not replayable:
                    raise
            else:
                for receipt in receipts(response):
                    self.keep(receipt)
                is_asked = self._note_nonce(place, response)
                if is_asked and not has_answered_nonce:
                    has_answered_nonce = True
                    continue
                pause = self.retries.after(response, retries, self.clock())
                if pause is None or not replayable:
                    return response
            retries += 1
            yield pause

    def _note_nonce(self, place: str, response: Response) -> bool:
        """Keep the nonce that came, and tell whether the request was refused for want of it."""
        nonce = response.headers.get("dpop-nonce", "")
        if not 0 < len(nonce) <= _NONCE_MOST:
            return False
        self._nonces[place] = nonce
        told = response.headers.get("www-authenticate", "").encode() + response.content
        return response.status in _CHALLENGES and b"use_dpop_nonce" in told


def ask(request: Request) -> Flow[Response]:
    """The response to one request."""
    response = yield request
    if response is None:
        raise TypeError("a driver sends the response to each request")
    return response


def receipts(response: Response) -> tuple[str, ...]:
    """The receipts that came, in order: one for each entry of the request. The last one is of how it ended."""
    listed = response.headers.get(_RECEIPT, "").split(",")
    return tuple(each for part in listed if (each := part.strip()))


def retry_after(response: Response, now: float) -> float | None:
    """The seconds of `Retry-After` (RFC 9110 section 10.2.3), which may be written as a date. None when unreadable."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
