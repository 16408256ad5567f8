"""W3C Trace Context in the clients: a trace that is given goes on, and one that cannot be read begins a new one."""

from __future__ import annotations

import re

import pytest

from clients._tracing import Trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@pytest.mark.parametrize(
    "parent", [f"00-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-will-be", f"00-{TRACE}-{SPAN}-00"]
)
def test_a_trace_goes_on_with_its_flags_and_a_span_of_its_own(parent: str) -> None:
    trace = Trace.of(parent)
    spans = set[str]()
    for _ in range(3):
        found = FORM.fullmatch(trace.child())
        assert found is not None
        assert found.groups()[::2] == (TRACE, parent.split("-")[3])
        spans.add(found[2])
    assert len(spans) == 3
    assert SPAN not in spans


@pytest.mark.parametrize(
    "parent",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\r\nX-Injected: yes",
    ],
)
def test_what_is_no_trace_begins_one(parent: str | None) -> None:
    """Section 3.2.2. Whoever sent it to our caller does not stop it, and nothing of it is passed on."""
    found = FORM.fullmatch(Trace.of(parent).child())
    assert found is not None
    assert found[1] != TRACE
    assert found[3] == "00"
    assert Trace.of(parent).child() != Trace.of(parent).child()
