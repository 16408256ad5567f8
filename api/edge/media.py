"""Which media types go in and out (RFC 9110 sections 8.3, 12.5.1 and 15.5.16).

NL API Design Rules: a missing or unexpected content type is 415, an Accept that matches nothing 406.
"""

from __future__ import annotations

from email.message import Message
from functools import lru_cache
from typing import TYPE_CHECKING

from api import problems
from api.problems import Problem, Stopped

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_accept(accept: str | None, produces: str) -> None:
    """Raise `Stopped` with not-acceptable when `accept` rules out `produces`."""
    if accept is not None and not _accepts(accept[:1000], produces):
        raise Stopped(Problem(problems.NOT_ACCEPTABLE))


def check_any(accept: str | None, produces: frozenset[str]) -> None:
    """The same for an answer of which there are several forms: one of them is enough here."""
    if accept is not None and not any(_accepts(accept[:1000], each) for each in produces):
        raise Stopped(Problem(problems.NOT_ACCEPTABLE))


def check_content(headers: Mapping[str, str], consumes: frozenset[str]) -> None:
    """Raise `Stopped` with unsupported-media-type for a body of a kind not in `consumes`; no body is fine here."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    content_type = headers.get("content-type")
    if "content-encoding" in headers or content_type is None or not _is_one_of(content_type[:200], consumes):
        raise Stopped(Problem(problems.UNSUPPORTED_MEDIA_TYPE))


def is_of(headers: Mapping[str, str], kinds: frozenset[str]) -> bool:
    """Whether the body is said to be of one of these kinds."""
    return _is_one_of(headers.get("content-type", "")[:200], kinds)


@lru_cache(maxsize=256)
def _accepts(accept: str, produces: str) -> bool:
    """The most specific range that covers `produces` decides (RFC 9110 section 12.5.1); q=0 is a no."""
    main = produces.partition("/")[0]
    rank = {produces: 3, f"{main}/*": 2, "*/*": 1}
    found = [(rank[kind], quality) for kind, quality in map(_range, accept.split(",")) if kind in rank]
    return bool(found) and max(found)[1] > 0


def _range(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, float(quality)
    except ValueError:
        return kind, 0.0


@lru_cache(maxsize=256)
def _is_one_of(content_type: str, consumes: frozenset[str]) -> bool:
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset", "utf-8")
    return message.get_content_type() in consumes and isinstance(charset, str) and charset.lower() == "utf-8"
