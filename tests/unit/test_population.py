"""The synthetic population: the same each time, obviously fake, and in proportion at any size."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from api.sandbox import population
from api.vocabulary import Municipality


def test_the_population_is_the_same_each_time() -> None:
    assert list(population.people()) == list(population.people())
    assert list(population.people(seed="other")) != list(population.people())


def test_there_are_1095_people_of_whom_1019_take_part_with_lvv_status() -> None:
    """Table S.1: Amsterdam sheltered 76 people without LVV status beside the 287 with it."""
    people = list(population.people())

    assert len(people) == population.EVALUATED_PEOPLE == 1_095
    assert sum(each.with_status for each in people) == 1_019
    assert Counter(each.municipality for each in people if not each.with_status) == {Municipality.AMSTERDAM: 76}


def test_v_numbers_are_in_the_test_range_and_leave_room_for_tests() -> None:
    """Ten digits, kept as text; no check digit is known, so none is invented."""
    people = list(population.people(9_500))

    assert [each.v_number for each in people[:2]] == ["0000000001", "0000000002"]
    assert people[8_998].v_number == "0000008999"
    assert {each.v_number for each in people[8_999:]} == {None}


def test_nobody_and_no_case_is_there_twice() -> None:
    people = list(population.people(3_000))

    assert len({each.person for each in people}) == len({each.case for each in people}) == 3_000
    assert {each.person.version for each in people} == {4}


def test_case_ids_stand_in_the_order_in_which_cases_were_opened() -> None:
    """Lists page by id: UUIDv7, RFC 9562 section 5.7."""
    people = sorted(population.people(2_000), key=lambda each: each.case)

    assert {each.case.version for each in people} == {7}
    assert [each.opened_at for each in people] == sorted(each.opened_at for each in people)


@pytest.mark.parametrize("fewer", [0, 5, 100, 1_094])
def test_a_smaller_population_is_the_beginning_of_a_larger_one(fewer: int) -> None:
    assert list(population.people(fewer)) == list(islice(population.people(1_200), fewer))


@pytest.mark.parametrize("count", [5, 50, 500])
def test_a_smaller_population_keeps_every_municipality_in_proportion(count: int) -> None:
    of = Counter(each.municipality for each in population.people(count))

    assert set(of) == set(Municipality)
    assert abs(of[Municipality.AMSTERDAM] - count * 363 / 1_095) <= 2


def test_everybody_who_left_came_before_and_left_for_a_reason() -> None:
    for each in population.people(2_000):
        assert (each.closed_date is None) == (each.leaving_reason is None)
        assert each.closed_date is None or each.closed_date > each.opened_at.date()


def test_people_of_the_evaluation_came_and_left_by_its_day_and_others_came_after() -> None:
    people = list(population.people(2_000))
    evaluated, later = people[:1_095], people[1_095:]

    assert all(each.opened_at.date() <= population.EVALUATED for each in evaluated)
    assert all(each.closed_date <= population.EVALUATED for each in evaluated if each.closed_date)
    assert all(each.opened_at.date() > population.EVALUATED for each in later)


def test_later_people_leave_in_the_shares_of_the_final_evaluation() -> None:
    """Final evaluation (2022): 1,258 of 2,065 had left."""
    later = list(population.people(9_095))[1_095:]

    assert abs(sum(each.leaving_reason is not None for each in later) / len(later) - 1_258 / 2_065) < 0.02
