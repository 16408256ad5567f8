"""An organisation's own id for a person: turned back by us, told apart from all others', joined by nobody."""

from __future__ import annotations

import pickle
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.crypto.pseudonyms import Pseudonyms

PERSONS = st.uuids(version=4)
MADE = Pseudonyms(bytes(range(32)))
ANNA = uuid.UUID("0b1c2d3e-4f50-4162-8374-95a6b7c8d9ea")
NGO, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


def test_a_pseudonym_that_was_given_out_stays_what_it_is() -> None:
    """Frozen on 2026-11-25: an organisation has it in its files."""
    assert str(MADE.of(ANNA, NGO)) == "9d474ce8-22d8-4500-95d4-3b876d4df599"


@given(person=PERSONS, organisation=st.uuids())
def test_it_is_an_id_like_any_other_and_is_turned_back(person: uuid.UUID, organisation: uuid.UUID) -> None:
    pseudonym = MADE.of(person, organisation)
    assert (pseudonym.version, pseudonym.variant) == (4, uuid.RFC_4122)
    assert pseudonym != person
    assert MADE.person(pseudonym, organisation) == person


@given(person=PERSONS, another=PERSONS)
def test_no_two_persons_share_one_and_no_two_organisations(person: uuid.UUID, another: uuid.UUID) -> None:
    assert (MADE.of(person, NGO) == MADE.of(another, NGO)) == (person == another)
    assert MADE.of(person, NGO) != MADE.of(person, OTHER)
    assert MADE.person(MADE.of(person, NGO), OTHER) != person


def test_another_key_gives_another() -> None:
    assert MADE.of(ANNA, NGO) != Pseudonyms(bytes(32)).of(ANNA, NGO)


@pytest.mark.parametrize("value", [uuid.UUID(int=0), uuid.uuid1(), uuid.UUID(int=(1 << 128) - 1)])
def test_what_is_no_random_id_is_nobodys(value: uuid.UUID) -> None:
    assert MADE.person(value, NGO) is None
    with pytest.raises(ValueError, match="random"):
        MADE.of(value, NGO)


def test_the_key_does_not_show_itself() -> None:
    assert repr(MADE) == "<Pseudonyms>"
    with pytest.raises(TypeError):
        pickle.dumps(MADE)
