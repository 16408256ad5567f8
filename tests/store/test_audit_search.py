"""Searching the log in PostgreSQL: each term means in SQL what it says, and so do all of them together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
import pytest

from api.audit import proofs, query, search
from api.audit.query import Key, Span, Term
from api.errors import LogDamaged
from tests.audit_store import APPEND, Rows, leaf, settle, tamper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests import servers


NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NGO, OTHER, PERSON, THING, REQUEST, LISTED = (UUID(int=n) for n in range(1, 7))


def entry(number: int, **members: Any) -> bytes:
    at = (NOON + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return leaf(at=at, n=number, **members)


async def write(connection: Any, leaves: Iterable[bytes]) -> None:
    await connection.executemany(APPEND, [(each,) for each in leaves])
    await settle(connection)


async def found(connection: Any, text: str = "", below: int = search.END, most: int = 100) -> list[int]:
    return [each.index for each in await search.page(Rows(connection), query.parse(text), below, most)]


def story() -> list[bytes]:
    """Entries that differ in every member by which they are found; some say next to nothing."""
    ngo = {"organisation": str(NGO), "kind": "ngo", "client": "one", "person": "worker-7"}
    ind = {"organisation": str(OTHER), "kind": "ind", "client": "two"}
    dossier = {"type": "dossier", "id": str(THING)}
    return [
        entry(0, actor=ngo, action="dossiers.read", result="permitted", purpose="legal-screening", object=dossier),
        entry(1, actor=ind, action="dossiers.read", result="refused", reason="not-found", object={"type": "dossier"}),
        entry(2, actor=ngo, object=dossier, person=str(PERSON), disclosed={"medical": [], "identity": ["name"]}),
        entry(
            3, actor=ngo, persons=[str(PERSON), str(LISTED)], origin={"requestId": str(REQUEST)}, action="cases.list"
        ),
        entry(4, actor=ind, result="failed", withheld={"medical": "not-available"}, ground=["vw-107-8", "public-task"]),
        entry(5, action="100%_sure", actor={"client": "a,b", "kind": "auditor"}),
        entry(6, action=""),
        b"not json",
    ]


TERMS = (
    f"org:{NGO}", f"org:{NGO},{OTHER}", "org:ngo", f"org:ind,{NGO}", "actor:worker-7", "actor:worker-*", "actor:*7",
    'client:"a,b"', "client:one,two", f"person:{PERSON}", f"person:{LISTED}", f"person:{uuid4()},{LISTED}",
    "action:dossiers.read", "action:dossiers.*", "action:*.list", "action:*%_s*", "action:100%_*", "object:dossier",
    f"object:{THING}", f"object:{THING},case", "purpose:legal-screening", "purpose:legal-*", "ground:vw-107-8",
    "ground:vw-*", "ground:public-task,avg-15", "result:refused", "result:refused,failed", "reason:not-found",
    "category:medical", "category:med*", "category:identity,contact", "withheld:medical", f"request:{REQUEST}",
    "after:2026-11-24T12:02:00Z", "before:2026-11-24T12:02:00Z", "at:2026-11-24", "at:2026-11-25..",
    "at:2026-11-24T12:01:00Z..2026-11-24T12:03:00Z", "at:..2026-11-24T12:01:00Z", "seq:3", "seq:2..4", "seq:..1,5..",
    'action:""', 'actor:"",worker-7',
)  # fmt: skip


def says(content: dict[str, Any], index: int) -> dict[Key, list[Any]]:
    """What an entry has under each key, without SQL."""
    actor, thing = content.get("actor", {}), content.get("object", {})
    at = [datetime.fromisoformat(content["at"])] if "at" in content else []
    plain = {key: [content.get(str(key))] for key in (Key.ACTION, Key.PURPOSE, Key.RESULT, Key.REASON)}
    return plain | {
        Key.ORG: [actor.get("organisation"), actor.get("kind")],
        Key.ACTOR: [actor.get("person")],
        Key.CLIENT: [actor.get("client")],
        Key.PERSON: [content.get("person"), *content.get("persons", ())],
        Key.OBJECT: [thing.get("type"), thing.get("id")],
        Key.GROUND: content.get("ground", []),
        Key.CATEGORY: [*content.get("disclosed", ())],
        Key.WITHHELD: [*content.get("withheld", ())],
        Key.REQUEST: [content.get("origin", {}).get("requestId")],
        Key.SEQ: [index],
        **dict.fromkeys((Key.AFTER, Key.BEFORE, Key.AT), at),
    }


def holds(content: dict[str, Any], index: int, term: Term, text: str) -> bool:
    """Whether a term holds; patterns are those of the text, as a shell reads them."""
    patterns = text.partition(":")[2].split(",")
    has = [each for each in says(content, index)[term.key] if each is not None]

    def one(value: Any, pattern: str) -> bool:
        match value:
            case Span(low=low, high=high):
                return any((low is None or low <= each) and (high is None or each < high) for each in has)
            case query.Pattern():
                return any(fnmatchcase(each, pattern) for each in has)
            case _:
                return str(value) in has

    return any(map(one, term.values, patterns)) is not term.negated


@pytest.mark.parametrize("window", [search.WINDOW, 1])
async def test_each_term_its_reverse_and_every_two_of_them_find_what_they_say(
    connection: Any, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is walked to or sought by the indexes."""
    monkeypatch.setattr(search, "WINDOW", window)
    leaves = story()
    await write(connection, leaves)
    contents = [orjson.loads(each) if each.startswith(b"{") else {} for each in leaves]
    texts = [each for term in TERMS for each in (term, f"-{term}")]
    for asked in (*((text,) for text in texts), *pairwise([*texts[::3], *texts[1::3], *texts[2::3]])):
        terms = [(query.parse(text)[0], text) for text in asked]
        expected = [
            index
            for index in reversed(range(len(leaves)))
            if all(holds(contents[index], index, term, text) for term, text in terms)
        ]
        assert await found(connection, " ".join(asked)) == expected, asked


async def test_no_term_is_without_a_case_in_which_it_finds_something(connection: Any) -> None:
    """Else the test above could agree on nothing."""
    await write(connection, story())
    assert [text for text in TERMS if not await found(connection, text)] == ["at:2026-11-25.."]
    assert {query.parse(text)[0].key for text in TERMS} == set(Key) - {Key.SIGNAL}, "see `test_signals`"


@pytest.mark.parametrize("window", [search.WINDOW, 10])
async def test_pages_follow_each_other_without_gap_or_repetition(
    connection: Any, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where what is walked through ends within a page."""
    monkeypatch.setattr(search, "WINDOW", window)
    await write(connection, [entry(n, person=str(PERSON), action="a" if n % 2 else "b") for n in range(50)])
    for asked in ("", f"person:{PERSON}", "action:a", f"action:a person:{PERSON}", f"person:{PERSON},{LISTED}"):
        pages: list[int] = []
        below = search.END
        while page := await found(connection, asked, below, 7):
            pages += page
            below = page[-1]
        assert pages == [n for n in reversed(range(50)) if "action" not in asked or n % 2]


@pytest.mark.parametrize("window", [search.WINDOW, 10])
async def test_an_entry_that_is_not_there_is_no_end_of_the_log(
    connection: Any, database: servers.Database, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who pages sees all there is, or hears which one is missing; what stands on either side is found as before."""
    monkeypatch.setattr(search, "WINDOW", window)
    await write(connection, [entry(n) for n in range(50)])
    rows = Rows(connection)
    await tamper(database, "DELETE FROM audit.entry WHERE id IN (SELECT entry_id FROM audit.leaf WHERE index = 31)")
    await tamper(database, "DELETE FROM audit.leaf WHERE index = 12")
    for gone, ranges in ((31, ("", "seq:30..32")), (12, ("seq:..30", "seq:12"))):
        for asked in ranges:
            with pytest.raises(LogDamaged, match=f"entry {gone} is not there"):
                await found(connection, asked)
        with pytest.raises(LogDamaged, match=f"entry {gone} is not there"):
            await search.entries(rows, [3, gone])
        with pytest.raises(LogDamaged, match=f"entry {gone} is not there"):
            await proofs.entries(rows, gone, gone + 1)
    assert await found(connection, "seq:32..") == [*reversed(range(32, 50))]
    assert await found(connection, "seq:13..30") == [*reversed(range(13, 31))]
    assert [each.index for each in await proofs.entries(rows, 32, 60)] == [*range(32, 50)]


async def test_what_is_sought_is_bound_and_never_part_of_the_statement(connection: Any) -> None:
    await write(connection, story())
    for hostile in ("';--", "$1", "%", "_", "\\", "{}", "NULL", "%*", "\\*"):
        for key in ("action", "ground", "client"):
            assert await found(connection, f"{key}:{hostile}") == []
