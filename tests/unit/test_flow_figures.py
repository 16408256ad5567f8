"""Tables S.1 and S.2 of the evaluation (Regioplan, WODC 19041, 2020), and what others than officials get of them."""

from __future__ import annotations

from datetime import date

import pytest

from api.sandbox import population
from api.sandbox.reported import REPORTED
from api.statistics import figures, model, suppression
from api.statistics.model import Counts, Figure, Flow
from api.statistics.schemes import SCHEMES, read
from api.vocabulary import FigureProfile, LeavingReason, Municipality, OutflowClass, OutflowScheme, Party
from tests import flow_kit as kit

OFFICIAL, SMALL = FigureProfile.OFFICIAL, FigureProfile.SMALL_CELLS_SUPPRESSED
HIDDEN = Figure(suppressed=True)
MOB, REPEAT = LeavingReason.MOB, LeavingReason.STATE_SHELTER_REPEAT_APPLICATION


@pytest.fixture(scope="module")
def official() -> Flow:
    return kit.evaluated(OFFICIAL)


@pytest.fixture(scope="module")
def suppressed() -> Flow:
    return kit.evaluated(SMALL)


@pytest.mark.parametrize(
    ("municipality", "capacity", "occupancy", "free", "free_per_cent", "inflow", "durable", "per_cent", "target"),
    [
        (Municipality.AMSTERDAM, 360, 291, 69, 20, 363, 3, 1, 20),
        (Municipality.EINDHOVEN, 130, 30, 100, 77, 33, 1, 3, 20),
        (Municipality.GRONINGEN, 300, 201, 99, 33, 302, 10, 3, 40),
        (Municipality.ROTTERDAM, 117, 73, 44, 38, 129, 12, 9, 60),
        (Municipality.UTRECHT, 230, None, None, 2, 268, 33, 12, 20),
    ],
)
def test_the_population_yields_tables_s1_and_s2(
    official: Flow,
    municipality: Municipality,
    capacity: int,
    occupancy: int | None,
    free: int | None,
    free_per_cent: int,
    inflow: int,
    durable: int,
    per_cent: int,
    target: int,
) -> None:
    row = kit.rows(official)[municipality]

    assert row.intended_capacity == Figure(capacity, reported=True)
    assert (row.occupancy.value, row.free.value, row.free_percentage.value) == (occupancy, free, free_per_cent)
    assert row.inflow.total == Figure(inflow)
    assert row.durable_outflow.count == Figure(durable)
    assert row.durable_outflow.percentage_of_inflow == Figure(per_cent)
    assert row.durable_outflow.target == Figure(target, reported=True)


def test_the_printed_1019_and_the_row_sum_of_1095_are_both_there(official: Flow) -> None:
    """The row of S.1 sums to 1,095 with Amsterdam's 363 and to the stated 1,019 with its 287."""
    assert official.total.inflow == model.Inflow(Figure(1_095), Figure(1_019), Figure(76))
    assert kit.rows(official)[Municipality.AMSTERDAM].inflow == model.Inflow(Figure(363), Figure(287), Figure(76))


def test_amsterdams_20_per_cent_free_is_told_as_printed(official: Flow) -> None:
    """69 of 360 places are 19 %; the table prints 20 %."""
    assert kit.rows(official)[Municipality.AMSTERDAM].free_percentage == Figure(20, reported=True)


def test_utrechts_estimate_is_told_as_an_estimate_and_no_number_of_people_is_made_of_it(official: Flow) -> None:
    row = kit.rows(official)[Municipality.UTRECHT]

    assert row.occupancy == Figure(estimated=True, reported=True, as_printed="98 % (estimate)")
    assert row.occupancy_percentage == Figure(98, estimated=True, reported=True)
    assert row.free_percentage == Figure(2, estimated=True, reported=True, as_printed="about 2 %")
    assert row.free == Figure(estimated=True)


def test_a_total_with_an_unknown_part_is_unknown(official: Flow) -> None:
    assert official.total.occupancy == Figure(estimated=True, reported=True)
    assert official.total.free.value is official.total.free_percentage.value is None
    assert official.total.intended_capacity == Figure(1_137, reported=True)
    assert official.total.durable_outflow.count == Figure(59)
    assert official.total.durable_outflow.target == Figure()


@pytest.mark.parametrize(
    ("municipality", "which", "per_cent"),
    [
        (Municipality.GRONINGEN, REPEAT, 16),
        (Municipality.UTRECHT, REPEAT, 10),
        (Municipality.GRONINGEN, MOB, 8),
        (Municipality.ROTTERDAM, MOB, 18),
    ],
)
def test_other_outflow_has_the_shares_of_s2(
    official: Flow, municipality: Municipality, which: LeavingReason, per_cent: int
) -> None:
    assert kit.reason(kit.rows(official)[municipality], which)[1] == Figure(per_cent)


def test_every_figure_that_was_not_counted_names_its_source(official: Flow) -> None:
    assert [source[-3:] for source in official.sources] == ["S.1", "S.2"]


def test_a_larger_population_leaves_the_figures_of_the_evaluation_as_they_are(official: Flow) -> None:
    more = kit.counted(population.people(3_000), population.EVALUATED)

    assert kit.evaluated(OFFICIAL, more) == official


def test_before_the_first_arrival_there_is_nobody() -> None:
    nothing = figures.flow(date(2019, 1, 1), kit.FIRST, OFFICIAL, {}, ())

    assert nothing.total.inflow.total == Figure(0)
    assert nothing.total.intended_capacity == nothing.total.durable_outflow.percentage_of_inflow == Figure()
    assert nothing.municipalities[0].free == Figure()


@pytest.mark.parametrize(("scheme", "which"), [("2020", OutflowClass.NONE), ("2022", OutflowClass.SEMI_LASTING)])
def test_a_repeated_application_has_the_class_that_the_scheme_gives_it(scheme: str, which: OutflowClass) -> None:
    """2020 counts it as other, 2022 as semi-lasting."""
    used = SCHEMES[OutflowScheme(scheme)]
    flow = figures.flow(population.EVALUATED, used, OFFICIAL, {}, ())

    assert {each.outflow_class for each in flow.total.other_outflow if each.reason is REPEAT} == {which}
    assert used.class_of(LeavingReason.RETURN) is OutflowClass.LASTING


@pytest.mark.parametrize(
    "text",
    [
        b'{"2020": {"lasting": [], "semiLasting": []}}',
        b'{"2020": {"lasting": ["mob"], "semiLasting": ["mob"]}, "2022": {"lasting": ["mob"], "semiLasting": []}}',
        b'{"2020": {"lasting": ["mob"], "semiLasting": []}, "2022": {"lasting": [], "semiLasting": []}}',
        b'{"2020": {"lasting": ["lost"], "semiLasting": []}, "2022": {"lasting": ["lost"], "semiLasting": []}}',
    ],
)
def test_a_damaged_file_of_schemes_is_refused(text: bytes) -> None:
    """Schemes that differ in what is lasting would let a reader subtract one durable figure from the other."""
    with pytest.raises(ValueError, match=r"scheme|class|lasting|lost"):
        read(text)


def test_official_figures_are_for_those_who_answer_for_the_programme_or_supervise_it() -> None:
    official = {party for party in Party if model.profile_of(party) is OFFICIAL}

    assert official == {Party.MUNICIPALITY, Party.PROGRAMME, Party.AUDITOR, Party.STEERING_GROUP}


@pytest.mark.parametrize(
    ("asked", "today", "official_day", "others_day"),
    [
        (date(2019, 12, 31), date(2026, 11, 24), date(2019, 12, 31), date(2019, 12, 31)),
        (date(2019, 12, 30), date(2026, 11, 24), date(2019, 12, 30), date(2019, 9, 30)),
        (date(2020, 1, 1), date(2026, 11, 24), date(2020, 1, 1), date(2019, 12, 31)),
        (date(2099, 1, 1), date(2026, 11, 24), date(2026, 11, 24), date(2026, 9, 30)),
        (date(2099, 1, 1), date(2026, 3, 31), date(2026, 3, 31), date(2026, 3, 31)),
    ],
)
def test_only_officials_follow_the_figures_from_day_to_day(
    asked: date, today: date, official_day: date, others_day: date
) -> None:
    """A count that grows by one overnight would tell AVIM and DT&V that somebody left with unknown destination."""
    assert model.as_of(asked, today, OFFICIAL) == official_day
    assert model.as_of(asked, today, SMALL) == others_day


def test_others_get_no_cell_under_ten_and_no_percentage_of_one(suppressed: Flow) -> None:
    amsterdam, eindhoven = (kit.rows(suppressed)[m] for m in (Municipality.AMSTERDAM, Municipality.EINDHOVEN))

    for row in (amsterdam, eindhoven, suppressed.total):
        assert row.durable_outflow.count == row.durable_outflow.percentage_of_inflow == HIDDEN
        assert kit.reason(row, LeavingReason.DECEASED) == (HIDDEN, HIDDEN)
    assert eindhoven.durable_outflow.target == Figure(20, reported=True)


def test_others_keep_what_no_small_cell_can_be_computed_from(suppressed: Flow) -> None:
    durable = {m: row.durable_outflow.count.value for m, row in kit.rows(suppressed).items()}

    assert durable == {
        Municipality.AMSTERDAM: None,
        Municipality.EINDHOVEN: None,
        Municipality.GRONINGEN: 10,
        Municipality.ROTTERDAM: 12,
        Municipality.UTRECHT: 33,
    }
    assert suppressed.total.inflow.total == Figure(1_095)
    assert kit.rows(suppressed)[Municipality.AMSTERDAM].occupancy == Figure(291)


def test_an_occupancy_that_would_tell_a_small_outflow_goes_with_its_free_places(suppressed: Flow) -> None:
    """Eindhoven: 33 came and 30 are there, so 3 left."""
    row = kit.rows(suppressed)[Municipality.EINDHOVEN]

    assert row.inflow.total == Figure(33)
    assert row.occupancy == row.free == row.free_percentage == row.occupancy_percentage == HIDDEN
    assert suppressed.total.occupancy == suppressed.total.free == HIDDEN


def test_what_was_printed_of_a_withheld_occupancy_goes_with_it() -> None:
    few = {Municipality.UTRECHT: Counts(33, 0, {LeavingReason.RETURN: 3}), Municipality.AMSTERDAM: Counts(4)}
    rows = kit.rows(kit.evaluated(SMALL, few))

    utrecht = rows[Municipality.UTRECHT]
    assert utrecht.occupancy == utrecht.occupancy_percentage == utrecht.free_percentage == HIDDEN
    assert {figure for figure in kit.all_figures(rows[Municipality.AMSTERDAM]) if not figure.reported} == {HIDDEN}


def test_a_municipality_so_small_that_nothing_protects_it_is_withheld_whole() -> None:
    """Twelve came, nobody left: whoever knows that ten or more are there knows at most two left."""
    counts = Counts(12)

    assert figures.withheld(counts.cells(kit.FIRST)) == frozenset(counts.cells(kit.FIRST))


def test_an_inflow_under_ten_is_withheld_with_all_that_makes_it_up() -> None:
    counts = Counts(5, 4, {MOB: 5})

    assert figures.withheld(counts.cells(kit.FIRST)) == frozenset(counts.cells(kit.FIRST))


def test_nothing_is_withheld_where_nothing_is_small() -> None:
    assert suppression.withheld({"a": 10, "b": 300}, ("a", "b")) == frozenset()


@pytest.mark.parametrize("small", [(9, 9), (0, 0)])
def test_sums_that_leave_one_answer_are_not_published(small: tuple[int, int]) -> None:
    """Two small parts that sum to 18 are 9 and 9; two that sum to 0 are 0 and 0."""
    parts = dict(zip("ab", small, strict=True))

    assert suppression.withheld(parts, ()) is None
    assert suppression.withheld(parts | {"c": 25, "d": 70}, ("c", "d")) == frozenset("abc")


def test_published_figures_are_loaded_for_the_day_of_the_tables() -> None:
    assert {each.reference_date for each in REPORTED} == {population.EVALUATED}
    assert all(each.value is not None or each.text for each in REPORTED)
