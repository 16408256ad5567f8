"""The entry: one byte form, frozen per version, and canonical by RFC 8785 though a fast encoder writes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from api.audit.entry import LEAF_MOST, Entry, Thing
from api.principal import Organisation, Origin, Principal
from api.vocabulary import ClientId, DataCategory, OrganisationId, Party, Reason, Result

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
ZEROS = "00000000-0000-0000-0000-00000000000"
GOLDEN_SMALL = (
    '{"action":"cases.list",'
    f'"actor":{{"client":"ngo-one","kind":"ngo","organisation":"{ZEROS}1"}},'
    f'"at":"2026-11-24T10:00:00.000000Z","id":"{ZEROS}3","object":{{"type":"case"}},'
    f'"origin":{{"requestId":"{ZEROS}2","spanId":"0000000000000002",'
    '"traceId":"00000000000000000000000000000001","zone":"public"},'
    '"result":"failed","v":1}'
)
GOLDEN_FULL = (
    '{"action":"dossiers.read",'
    f'"actor":{{"client":"ngo-one","kind":"ngo","organisation":"{ZEROS}1","person":"worker-7"}},'
    f'"agreements":[{{"id":"{ZEROS}6","rule":"a","version":2}},{{"id":"{ZEROS}7","rule":"b","version":1}}],'
    f'"at":"2026-11-24T10:00:00.000001Z","consents":[{{"id":"{ZEROS}8","version":1}}],'
    '"disclosed":{"contact":[],"identity":["birthDate","name"]},'
    f'"ground":["public-task","vw-107-8"],"id":"{ZEROS}3",'
    f'"object":{{"id":"{ZEROS}4","type":"dossier","version":2}},'
    f'"origin":{{"requestId":"{ZEROS}2","spanId":"0000000000000002",'
    '"traceId":"00000000000000000000000000000001","zone":"public"},'
    f'"person":"{ZEROS}5","purpose":"legal-screening","replayed":true,'
    '"result":"permitted","v":1,"withheld":{"medical":"not-available"}}'
)


def test_version_1_is_frozen() -> None:
    """Golden: these bytes are in logs. A member may be added; none may change."""
    assert SMALL.leaf().decode() == GOLDEN_SMALL
    assert FULL.leaf().decode() == GOLDEN_FULL


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
