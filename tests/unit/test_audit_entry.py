"""The entry: one byte form, frozen per version, and canonical by RFC 8785 though a fast encoder writes it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from api.audit.entry import LEAF_MOST, Entry, Signed, Stated, Tallied, Thing
from api.principal import Organisation, Origin, Principal
from api.vocabulary import ClientId, DataCategory, OrganisationId, Party, Reason, Result

FOLDER = Path(__file__).parents[1] / "golden"
PAGE = Path(__file__).parents[2] / "docs/how/audit-entry.md"
ACTOR = Principal(
    client_id=ClientId("ngo-one"),
    organisation=Organisation(OrganisationId(UUID(int=1)), Party.NGO, "an NGO", None),
    scopes=frozenset(),
    origin=Origin("public", str(UUID(int=2)), "0" * 31 + "1", "0" * 15 + "2"),
    token_id="never written",
)
SMALL = Entry(UUID(int=3), datetime(2026, 11, 24, 10, tzinfo=UTC), "cases.list", Result.FAILED, ACTOR, Thing("case"))
FULL = Entry(
    id=UUID(int=3),
    at=datetime(2026, 11, 24, 10, 0, 0, 1, tzinfo=UTC),
    action="dossiers.read",
    result=Result.PERMITTED,
    actor=replace(ACTOR, person="worker-7"),
    thing=Thing("dossier", UUID(int=4), 2),
    persons=(UUID(int=5),),
    purpose="legal-screening",
    grounds=("vw-107-8", "public-task"),
    agreements=((UUID(int=7), 1, "b"), (UUID(int=6), 2, "a")),
    consents=((UUID(int=8), 1),),
    disclosed={DataCategory.IDENTITY: ("name", "birthDate"), DataCategory.CONTACT: ()},
    withheld={DataCategory.MEDICAL: Reason.NOT_AVAILABLE},
    replayed=True,
)
SEALED = replace(
    FULL,
    actor=replace(FULL.actor, origin=replace(ACTOR.origin, parent_span_id="0" * 15 + "3")),
    result=Result.REFUSED,
    reason="nothing-permitted",
    thing=Thing("audit-receipt", digest=bytes(31) + b"\x04"),
    persons=(UUID(int=9), UUID(int=5)),
    policy=1,
    seals={"exchange.dossier/00000000-0000-0000-0000-000000000004": bytes(31) + b"\x07"},
)
TALLY = replace(
    SMALL,
    action="oauth.turn-away",
    result=Result.REFUSED,
    thing=Thing("unproven-callers"),
    reason="invalid-token",
    tally=Tallied(datetime(2026, 11, 24, 9, 58, tzinfo=UTC), 1_000),
)
STATED = replace(
    SMALL,
    action="audit.export",
    result=Result.PERMITTED,
    thing=Thing("audit-export", version=1_095),
    stated=Stated("complaint", "AUD-2026-14", "action:dossiers.*", "csv", 12),
)
SAMPLE = replace(STATED, stated=Stated("periodic-review", "AUD-2026-15", "", "evidence", 11, sample=0))
SIGNED = replace(
    SMALL,
    action="advice.give",
    result=Result.PERMITTED,
    thing=Thing("advice", UUID(int=4)),
    persons=(UUID(int=5),),
    signed=Signed("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", bytes(31) + b"\x08"),
)
CAUSE = replace(
    SMALL,
    action="documents.withdraw",
    result=Result.PERMITTED,
    thing=Thing("document", UUID(int=4)),
    persons=(UUID(int=5),),
    cause="wrong-person",
)
EMERGENCY = replace(
    SMALL,
    action="dossiers.read",
    result=Result.PERMITTED,
    actor=replace(ACTOR, person="worker-7"),
    thing=Thing("dossier", UUID(int=4), 2),
    persons=(UUID(int=5),),
    purpose="emergency",
    grounds=("vital-interest",),
    disclosed={DataCategory.MEDICAL: ("advice",)},
    policy=3,
    emergency=UUID(int=6),
)
GOLDEN = {
    "small": SMALL,
    "full": FULL,
    "sealed": SEALED,
    "tally": TALLY,
    "stated": STATED,
    "sample": SAMPLE,
    "signed": SIGNED,
    "cause": CAUSE,
    "emergency": EMERGENCY,
}
ZEROS = "00000000-0000-0000-0000-00000000000"


def golden(name: str) -> str:
    """The frozen bytes of an entry."""
    return (FOLDER / f"audit-entry-v1-{name}.json").read_text().rstrip("\n")


@pytest.mark.parametrize("name", GOLDEN)
def test_version_1_is_frozen(name: str) -> None:
    """Golden: these bytes are in logs. A member may be added; none may change."""
    assert GOLDEN[name].leaf().decode() == golden(name)


def _members(value: Any, prefix: str = "") -> set[str]:
    """Every member of an entry, as the page names them; what is keyed by data is not looked into."""
    if isinstance(value, list):
        return set[str]().union(*(_members(each, prefix) for each in value))
    if not isinstance(value, dict) or prefix in {"disclosed.", "withheld.", "seals."}:
        return set()
    return set[str]().union(*({f"{prefix}{name}"} | _members(each, f"{prefix}{name}.") for name, each in value.items()))


def test_each_member_is_explained_and_nothing_else_is() -> None:
    """docs/how/audit-entry.md is what an auditor reads beside the log."""
    explained = set(re.findall(r"^\| `([A-Za-z.]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert explained == set[str]().union(*(_members(orjson.loads(golden(name))) for name in GOLDEN))


def test_the_examples_on_the_page_are_the_golden_ones() -> None:
    shown = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert [orjson.loads(each) for each in shown] == [orjson.loads(golden(name)) for name in ("full", "sealed")]


def test_a_list_names_every_person() -> None:
    entry = orjson.loads(replace(SMALL, persons=(UUID(int=9), UUID(int=5))).leaf())
    assert entry["persons"] == [f"{ZEROS}5", f"{ZEROS}9"]
    assert "person" not in entry


def test_no_token_is_in_an_entry() -> None:
    assert b"never written" not in FULL.leaf()


def test_what_fits_no_bundle_is_no_entry() -> None:
    room = LEAF_MOST - len(replace(SMALL, reason="").leaf())
    assert len(replace(SMALL, reason="a" * room).leaf()) == LEAF_MOST
    with pytest.raises(ValueError, match="does not fit"):
        replace(SMALL, reason="a" * (room + 1)).leaf()


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    WORDS,
    WORDS,
    WORDS,
    st.lists(st.uuids(), max_size=3),
    st.dictionaries(st.sampled_from(DataCategory), st.lists(WORDS, max_size=3).map(tuple)),
    st.integers(0, 2**53 - 1) | st.none(),
)
def test_every_entry_is_canonical(
    person: str,
    reason: str,
    zone: str,
    persons: list[UUID],
    disclosed: dict[DataCategory, tuple[str, ...]],
    version: int | None,
) -> None:
    """RFC 8785, by an implementation that is not ours."""
    entry = replace(
        FULL,
        actor=replace(ACTOR, person=person, origin=replace(ACTOR.origin, zone=zone)),
        thing=Thing("dossier", version=version),
        reason=reason,
        persons=tuple(persons),
        disclosed=disclosed,
    )
    assert entry.leaf() == rfc8785.dumps(orjson.loads(entry.leaf()))
