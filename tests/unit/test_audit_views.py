"""Views of an entry in the words of other standards: frozen, total, and each as often as its standard says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit import logbook, projection, views
from api.audit.views import Register
from api.principal import Origin
from api.vocabulary import Result
from tests.unit.test_audit_entry import FULL, GOLDEN, PAGE, SEALED, SMALL, TALLY, ZEROS

FOLDER = Path(__file__).parents[1] / "golden"
REGISTER = Register("https://register.example/activities", "https://ketenbrug.example/v1/organisations/")
FAILED = replace(FULL, result=Result.FAILED, persons=(), disclosed={}, withheld={})
REQUEST = f"{ZEROS}2"


def content(entry: Any) -> dict[str, Any]:
    return projection.content(entry.leaf())


def made() -> dict[str, Any]:
    """Every view of every golden entry."""
    found: dict[str, Any] = {}
    for name, entry in GOLDEN.items():
        told = content(entry)
        found[name] = {
            "bio2": views.bio2(told),
            "adl": views.adl(told, {}),
            "ldv": views.ldv(told, {}, REGISTER),
        }
    return found


def test_the_views_of_the_golden_entries_are_frozen() -> None:
    """Others store these: what a field is made of does not change under them."""
    assert made() == json.loads((FOLDER / "audit-views.json").read_text())


def test_the_examples_on_the_page_are_the_golden_ones() -> None:
    """In docs/how/audit-entry.md, of the entry that is written out there first, and of the list for LDV."""
    shown = [json.loads(each) for each in re.findall(r"```ndjson\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    golden = made()
    assert shown == [golden["full"]["bio2"], golden["full"]["adl"], golden["full"]["ldv"][0]]


@pytest.mark.parametrize("name", GOLDEN)
def test_bio2_has_its_six_fields_and_none_is_empty(name: str) -> None:
    """BIO2 8.15.01."""
    told = views.bio2(content(GOLDEN[name]))
    assert set(told) == {"actie", "object", "resultaat", "oorsprong", "actor", "tijdstempel"}
    assert all(told.values())


def test_a_tally_says_for_how_many_it_stands() -> None:
    assert views.bio2(content(TALLY))["object"] == "unproven-callers x1000"


def test_each_decision_is_one_record_and_a_no_is_one_too() -> None:
    """A refusal is an outcome, and no error of who decides."""
    permitted, refused = (views.adl(content(each), {}) for each in (FULL, SEALED))
    assert permitted is not None
    assert refused is not None
    assert [each["body"]["adl.core.response"]["decision"] for each in (permitted, refused)] == [True, False]
    assert {each["status"] for each in (permitted, refused)} == {"Unset"}
    assert refused["parent_span_id"] == "0" * 15 + "3"
    assert "parent_span_id" not in permitted


def test_a_failure_after_a_decision_is_none_of_its_own_and_one_before_it_is() -> None:
    pair = [content(FULL), content(FAILED)]
    ended = views.endings(pair)
    assert ended == {REQUEST: frozenset({"permitted", "failed"})}
    assert [views.adl(each, ended) is not None for each in pair] == [True, False]
    alone = views.adl(content(FAILED), views.endings([content(FAILED)]))
    assert alone is not None
    assert alone["status"] == "Error"
    assert "adl.core.response" not in alone["body"]


def test_where_no_policy_was_asked_there_is_no_decision() -> None:
    """At the command line; and of callers whom nobody knows, who are counted."""
    local = replace(FULL, actor=replace(FULL.actor, origin=Origin("local", REQUEST, "1" * 32, "2" * 16)))
    assert views.adl(content(local), {}) is None
    assert views.adl(content(TALLY), {}) is None


def test_no_source_stands_in_two_places() -> None:
    """Each `adl.core` field is carried in the body or referred to in the attributes, never both."""
    found = views.adl(content(FULL), {})
    assert found is not None
    assert not found["body"].keys() & found["attributes"].keys()


def test_a_processing_has_a_record_for_each_person_and_names_no_actor() -> None:
    parent, *children = views.ldv(content(SEALED), {}, REGISTER)
    assert "dpl.core.data_subject_id" not in parent["attributes"]
    assert [each["attributes"]["dpl.core.data_subject_id"] for each in children] == [f"{ZEROS}5", f"{ZEROS}9"]
    assert {each["parent_span_id"] for each in children} == {parent["span_id"]}
    assert len({each["span_id"] for each in (parent, *children)}) == 3
    assert views.ldv(content(SEALED), {}, REGISTER) == [parent, *children], "the same whenever they are made"
    for each in (parent, *children, *views.ldv(content(FULL), {}, REGISTER)):
        assert {"worker-7", "ngo-one"}.isdisjoint(re.findall(r"[\w-]+", json.dumps(each)))
    assert views.ldv(content(SMALL), {}, REGISTER) == [], "about nobody"


def test_a_record_tells_how_the_request_ended() -> None:
    """A no is no error; a failure is one, also after it was permitted."""

    def status(entry: Any, *others: Any) -> str:
        told = content(entry)
        found: str = views.ldv(told, views.endings([told, *map(content, others)]), REGISTER)[0]["status"]
        return found

    assert (status(FULL), status(SEALED), status(FULL, FAILED)) == ("Ok", "Unset", "Error")


def test_a_caller_that_sent_a_trace_is_named_as_the_organisation_that_it_is() -> None:
    """As LDV wants of a foreign operation: a link to the application, and never who sat at it."""
    (parent, *_), (own,) = (views.ldv(content(each), {}, REGISTER) for each in (SEALED, FULL))
    assert parent["attributes"]["dpl.core.foreign_operation.processor"] == f"{REGISTER.callers}{ZEROS}1"
    assert "dpl.core.foreign_operation.processor" not in own["attributes"]


GOLDEN_MEMBERS = orjson.loads(SEALED.leaf()).keys() | {"person", "disclosed"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = sorted(GOLDEN_MEMBERS | {"tally"})
INNER = st.dictionaries(st.sampled_from(["traceId", "spanId", "id", "version", "rule", "count", "zone"]), JSON)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON | INNER | st.lists(INNER, max_size=2)))
def test_whatever_was_logged_has_its_views(members: dict[str, Any]) -> None:
    """An odd leaf stops nobody who reads the others."""
    ended = views.endings([members])
    json.dumps([views.bio2(members), views.adl(members, ended)])
    logbook.otlp(views.ldv(members, ended, REGISTER))
    assert views.request(members) is None


@pytest.mark.parametrize("at", ["2026-02-31T10:00:00.000000Z", "1969-01-01T00:00:00.000000Z", "yesterday", 7])
def test_an_odd_time_is_told_as_none(at: Any) -> None:
    told = orjson.loads(FULL.leaf()) | {"at": at}
    (record,) = views.ldv(told, {}, REGISTER)
    assert record["start_time"] == 0
