"""Search columns: what a leaf can be found by, whatever it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit import projection
from api.storage import binary

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = UUID(int=10), UUID(int=11)
LEAF: dict[str, Any] = {
    "v": 1,
    "id": str(UUID(int=1)),
    "at": "2026-11-24T10:00:00.000001Z",
    "action": "dossiers.read",
    "result": "refused",
    "reason": "not-permitted",
    "actor": {"organisation": str(A), "kind": "ngo", "client": "a-client", "person": "worker-7"},
    "origin": {"zone": "public", "requestId": str(B), "traceId": "00", "spanId": "00"},
    "object": {"type": "dossier", "id": str(UUID(int=12)), "version": 3},
    "person": str(A),
    "purpose": "legal-screening",
    "ground": ["public-task", "vw-107-8"],
    "disclosed": {"contact": [], "identity": ["name"]},
    "withheld": {"medical": "consent-refused"},
}


def of(**changes: Any) -> projection.Columns:
    return projection.of(orjson.dumps(LEAF | changes))


def written(found: projection.Columns) -> list[bytes]:
    cells: dict[type, Callable[[Any], bytes]] = {str: binary.text, tuple: binary.texts, datetime: binary.instant}
    return [binary.NULL if each is None else cells.get(type(each), binary.uuid)(each) for each in found[:-1]]


def test_an_entry_is_found_by_its_members() -> None:
    assert of() == projection.Columns(
        at=datetime(2026, 11, 24, 10, 0, 0, 1, tzinfo=UTC),
        action="dossiers.read",
        result="refused",
        reason="not-permitted",
        organisation=A,
        kind="ngo",
        client="a-client",
        actor="worker-7",
        object_type="dossier",
        object_id=UUID(int=12),
        purpose="legal-screening",
        request_id=B,
        grounds=("public-task", "vw-107-8"),
        categories=("contact", "identity"),
        withheld=("medical",),
        persons=frozenset({A}),
    )


def test_an_entry_of_a_list_is_found_by_every_person_in_it() -> None:
    assert of(person=None, persons=[str(A), str(B), str(A)]).persons == {A, B}


def test_members_that_are_not_known_are_passed_over() -> None:
    assert of(more={"than": ["before"]}, v=2) == of()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("at", "2026-11-24"),
        ("at", "2026-02-30T10:00:00.000000Z"),
        ("at", "2026-11-24T10:00:00.000000+23:59"),
        ("at", 1),
        ("action", "a" * 201),
        ("action", "a\x00"),
        ("action", ["dossiers.read"]),
        ("purpose", None),
    ],
)
def test_an_odd_member_is_no_column(member: str, value: object) -> None:
    assert getattr(of(**{member: value}), member) is None


def test_odd_groups_leave_the_rest_as_it_is() -> None:
    odd = of(actor="me", object=[], origin=None, person=7, persons={"a": 1}, ground="vw", disclosed=[], withheld=None)
    assert (odd.organisation, odd.object_id, odd.request_id, odd.persons) == (None, None, None, frozenset())
    assert (odd.grounds, odd.categories, odd.withheld) == (None, None, None)
    assert of(ground=["a", 1, "b\x1fc", "d" * 201, "e"]).grounds == ("a", "e")
    assert len(of(ground=[str(n) for n in range(100)]).grounds or ()) == 64
    assert odd.action == "dossiers.read"
    assert of(person="not a uuid", persons=[None, str(B)]).persons == {B}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(LEAF)), inner, max_size=4),
)


@given(st.binary(max_size=64) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_can_stop_the_log(leaf: bytes) -> None:
    found, (cells, persons) = projection.of(leaf), projection.cells(leaf)
    assert cells == written(found)
    assert sorted(persons) == sorted(map(binary.uuid, found.persons))


def test_what_is_read_is_what_is_written() -> None:
    assert projection.cells(orjson.dumps(LEAF))[0] == written(of())
    assert projection.Columns._fields[:-1] == projection.COLUMNS


def test_what_is_no_word_stands_beside_words_without_harm() -> None:
    assert of(ground=[{"an": "object"}, ["a list"], "vw-107-8", True, 1, None]).grounds == ("vw-107-8",)
    assert of(ground=[True, 1, None]).grounds is None
