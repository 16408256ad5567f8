"""The query language: what is written is what is asked, and nothing that is written gets further than the parser."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit import query
from api.audit.query import Key, Pattern, Span, Term, Unreadable

ID = UUID("019a0000-0000-7000-8000-000000000001")


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("   ", ()),
        ("action:dossiers.read", (Term(Key.ACTION, ("dossiers.read",)),)),
        ("ACTION:a", (Term(Key.ACTION, ("a",)),)),
        (" -result:permitted ", (Term(Key.RESULT, ("permitted",), negated=True),)),
        ("result:refused,failed", (Term(Key.RESULT, ("refused", "failed")),)),
        ("action:dossiers.*", (Term(Key.ACTION, (Pattern("dossiers.%"),)),)),
        ("action:100%_\\*", (Term(Key.ACTION, (Pattern("100\\%\\_\\\\%"),)),)),
        ('action:"a, b *",c', (Term(Key.ACTION, ("a, b *", "c")),)),
        ('action:""', (Term(Key.ACTION, ("",)),)),
        (f"person:{ID}", (Term(Key.PERSON, (ID,)),)),
        (f"org:{ID},ngo", (Term(Key.ORG, (ID, "ngo")),)),
        (f"object:{ID} object:dossier", (Term(Key.OBJECT, (ID,)), Term(Key.OBJECT, ("dossier",)))),
        (f"action:{ID}", (Term(Key.ACTION, (str(ID),)),)),
        ("after:2026-11-02", (Term(Key.AFTER, (Span(day(2), None),)),)),
        ("before:2026-11-02T00:00:00Z", (Term(Key.BEFORE, (Span(None, day(2)),)),)),
        ("at:2026-11-02", (Term(Key.AT, (Span(day(2), day(3)),)),)),
        ("at:2026-11-02..2026-11-04", (Term(Key.AT, (Span(day(2), day(5)),)),)),
        ("at:..2026-11-04", (Term(Key.AT, (Span(None, day(5)),)),)),
        ("at:2026-11-02T01:00:00+01:00..", (Term(Key.AT, (Span(day(2), None),)),)),
        ("seq:7", (Term(Key.SEQ, (Span(7, 8),)),)),
        ("seq:7..,..3", (Term(Key.SEQ, (Span(7, None), Span(None, 4))),)),
    ],
)
def test_a_query_is_read(text: str, terms: tuple[Term, ...]) -> None:
    assert query.parse(text) == terms


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("dossiers", 1, "key:value"),
        ("action:a dossiers", 9, "key:value"),
        ("action:", 1, "key:value"),
        ("action: a", 1, "key:value"),
        ('action:"open', 1, "key:value"),
        ('action:a"b"', 8, "comma between"),
        ("action:a\x00", 1, "key:value"),
        ("action:,a", 8, "comma between"),
        ("action:a,", 8, "comma between"),
        ("action:a,,b", 8, "comma between"),
        ("action:" + ",".join("ab" * 11), 8, "1 to 20"),
        ("action:a colour:red", 10, "There is no such key; there are: actor, client, org"),
        ("person:Jan", 8, "is a UUID"),
        ("request:1", 9, "is a UUID"),
        ("org:somebody", 5, "is a UUID, or one of: ngo"),
        ("after:yesterday", 7, "a day as 2026-11-24"),
        ("action:\ud800", 1, "key:value"),
        ("after:0001-01-01T00:00:00+14:00", 7, "a day as 2026-11-24"),
        ("before:9999-12-31T23:59:59-14:00", 8, "a day as 2026-11-24"),
        ("at:0001-01-01T00:00:00+14:00..", 4, "a day as 2026-11-24"),
        ("after:2026-02-30", 7, "a day as 2026-11-24"),
        ("after:2026-11-24T10:00:00", 7, "a day as 2026-11-24"),
        ("before:2026-11-24..2026-11-25", 8, "a day as 2026-11-24"),
        ("at:..", 4, "a day as 2026-11-24"),
        ("at:9999-12-31", 4, "a day as 2026-11-24"),
        ("seq:-1", 5, "a number"),
        ("seq:..", 5, "a number"),
        ("seq:1..1..1", 5, "a number"),
        (" ".join(["action:a"] * 21), 188, "at most 20 terms"),
        ("a" * 1001, 1001, "at most 1000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place_and_a_way_on(text: str, place: int, why: str) -> None:
    with pytest.raises(Unreadable) as refused:
        query.parse(text)
    assert why in str(refused.value)
    assert refused.value.place == place


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), max_size=12)
PLAIN = st.sampled_from([Key.ACTOR, Key.CLIENT, Key.ACTION, Key.PURPOSE, Key.GROUND, Key.RESULT, Key.CATEGORY])
TERMS = st.builds(Term, PLAIN, st.lists(WORDS, min_size=1, max_size=3).map(tuple), negated=st.booleans())


def written(term: Term) -> str:
    values = ",".join(f'"{each}"' for each in term.values)
    return f"{'-' if term.negated else ''}{term.key}:{values}"


@given(st.lists(TERMS, max_size=4))
def test_what_is_written_is_what_is_asked(terms: list[Term]) -> None:
    assert query.parse(" ".join(map(written, terms))) == tuple(terms)


SECRET = "0000009001"


@given(
    st.text(max_size=60) | st.from_regex(r"-?[a-z]{2,8}:[\x00-\x7f]{0,12}( -?at:[0-9.T:Z-]{0,12})?"), st.integers(0, 60)
)
def test_any_text_is_a_query_or_is_refused(text: str, place: int) -> None:
    """And the refusal repeats nothing of it: somebody may have pasted a V-number."""
    text = text[:place] + SECRET + text[place:]
    refused = None
    try:
        terms = query.parse(text)
    except Unreadable as error:
        refused, terms = error, ()
    assert all(term.values for term in terms)
    assert refused is None or 1 <= refused.place <= len(text) + 1
    assert SECRET not in str(refused)
