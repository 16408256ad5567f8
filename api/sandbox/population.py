"""The synthetic population: obviously fake people whose figures are those of the evaluation. Pure; the same each time.

Source of the figures: Regioplan, *Plan- en procesevaluatie Landelijke Vreemdelingenvoorzieningen*, WODC 19041 (2020),
tables S.1 and S.2, as of 31 December 2019. What the summary prints comes out exactly. What it leaves open is ours:

- which of the lasting ways a durable outflow was (Utrecht: mostly regularisation of children);
- how many people a printed share is (Groningen 16 % and 8 %, Utrecht 10 %, Rotterdam 18 % of the inflow);
- everybody else who must have left for the printed occupancy to hold: reason `other`;
- Utrecht's occupancy. It is printed as an estimate, 98 % of 230 places, which the printed inflow and outflow leave no
  room for (268 came, 33 and 27 left), so it is loaded as reported and not yielded by people;
- which of those who left Amsterdam had LVV status, and on which days people came and left.

People after the first 1,095 came after 31 December 2019, so that those figures stay. They leave as the final evaluation
(2022) tells in shares: of those who left 18 % lasting, 41 % semi-lasting, 41 % neither.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from api.vocabulary import CaseId, LeavingReason, Municipality, PersonId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVALUATED: Final = date(2019, 12, 31)
EVALUATED_PEOPLE: Final = 1_095
"""1,019 participants, and the 76 whom Amsterdam sheltered without LVV status."""
LAST_V_NUMBER: Final = 8_999
"""V-numbers run from 0000000001 to here; later people have none yet. 0000009000 to 0000009999 are left to tests."""

_T = TypeVar("_T")

_START: Final = date(2019, 5, 1)
_LAST_ARRIVAL: Final = date(2019, 12, 20)
_AFTER: Final = date(2020, 1, 2)
_END: Final = date(2021, 12, 31)
_SEED: Final = "ketenbrug"


@dataclass(frozen=True, slots=True)
class Someone:
    """One person and their case. `opened_at` is in UTC."""

    person: PersonId
    case: CaseId
    v_number: str | None
    municipality: Municipality
    with_status: bool
    opened_at: datetime
    closed_date: date | None = None
    leaving_reason: LeavingReason | None = None


@dataclass(frozen=True, slots=True)
class _Pilot:
    """Who came to one municipality by 31 December 2019, and who of them left, by reason."""

    inflow: int
    left: Mapping[LeavingReason, int]
    without_status: int = 0


_PILOTS: Final[Mapping[Municipality, _Pilot]] = {
    Municipality.AMSTERDAM: _Pilot(
        363,
        {LeavingReason.PERMIT_ASYLUM: 1, LeavingReason.RETURN: 2, LeavingReason.OTHER: 69},
        without_status=76,
    ),
    Municipality.EINDHOVEN: _Pilot(33, {LeavingReason.RETURN: 1, LeavingReason.OTHER: 2}),
    Municipality.GRONINGEN: _Pilot(
        302,
        {
            LeavingReason.PERMIT_ASYLUM: 4,
            LeavingReason.RETURN: 5,
            LeavingReason.ONWARD_MIGRATION: 1,
            LeavingReason.STATE_SHELTER_REPEAT_APPLICATION: 48,
            LeavingReason.MOB: 24,
            LeavingReason.OTHER: 19,
        },
    ),
    Municipality.ROTTERDAM: _Pilot(
        129,
        {
            LeavingReason.PERMIT_ASYLUM: 3,
            LeavingReason.RETURN: 7,
            LeavingReason.ONWARD_MIGRATION: 2,
            LeavingReason.MOB: 23,
            LeavingReason.OTHER: 21,
        },
    ),
    Municipality.UTRECHT: _Pilot(
        268,
        {
            LeavingReason.PERMIT_REGULARISATION: 27,
            LeavingReason.PERMIT_ASYLUM: 4,
            LeavingReason.RETURN: 2,
            LeavingReason.STATE_SHELTER_REPEAT_APPLICATION: 27,
        },
    ),
}

_LATER: Final = (
    (18, (LeavingReason.PERMIT_ASYLUM, LeavingReason.RETURN, LeavingReason.ONWARD_MIGRATION)),
    (41, (LeavingReason.STATE_SHELTER_REPEAT_APPLICATION, LeavingReason.DEPARTURE_POSTPONED_MEDICAL)),
    (41, (LeavingReason.MOB, LeavingReason.MUNICIPAL_SHELTER, LeavingReason.SHELTER_TERM_ENDED, LeavingReason.OTHER)),
)
_LATER_LEFT: Final = 61
"""Per cent: 1,258 of 2,065 had left."""


def people(count: int = EVALUATED_PEOPLE, seed: str = _SEED) -> Iterator[Someone]:
    """Yield the first `count` people. From five on, every municipality is among them, in proportion.

    The same seed gives the same people, and a smaller count gives the first of a larger one.
    """
    for number, (municipality, place, reason) in enumerate(_order(seed), start=1):
        if number > count:
            return
        yield _evaluated(_Dice(seed, number), municipality, place, reason)
    for number in range(EVALUATED_PEOPLE + 1, count + 1):
        yield _later(_Dice(seed, number))


class _Dice:
    """What is left to chance about one person: each question has one answer per seed and number."""

    __slots__ = ("_seed", "number")

    def __init__(self, seed: str, number: int) -> None:
        self._seed = seed
        self.number: Final = number

    def bits(self, question: str) -> int:
        """Answer with 128 bits."""
        text = f"{self._seed}/{self.number}/{question}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")

    def below(self, sides: int, question: str) -> int:
        """Answer with 0 to `sides` - 1."""
        return self.bits(question) % sides

    def day(self, first: date, last: date, question: str) -> date:
        """Answer with a day from `first` to `last`, both included."""
        return first + timedelta(days=self.below((last - first).days + 1, question))


def _order(seed: str) -> Iterator[tuple[Municipality, int, LeavingReason | None]]:
    """Municipality, place among its people, and why they left, so mixed that any beginning is in proportion."""
    places = sorted(
        (place / pilot.inflow, order, place)
        for order, pilot in enumerate(_PILOTS.values())
        for place in range(pilot.inflow)
    )
    fates = {municipality: _fates(municipality, pilot, seed) for municipality, pilot in _PILOTS.items()}
    names = tuple(_PILOTS)
    for _, order, place in places:
        yield names[order], place, fates[names[order]][place]


def _fates(municipality: Municipality, pilot: _Pilot, seed: str) -> list[LeavingReason | None]:
    left: list[LeavingReason | None] = [reason for reason, count in pilot.left.items() for _ in range(count)]
    fates = left + [None] * (pilot.inflow - len(left))
    shuffled = sorted(range(pilot.inflow), key=lambda place: _Dice(f"{seed}/{municipality}", place).bits("fate"))
    return [fates[place] for place in shuffled]


def _evaluated(dice: _Dice, municipality: Municipality, place: int, reason: LeavingReason | None) -> Someone:
    pilot = _PILOTS[municipality]
    # Every so many-th place is without status: exactly `without_status` of them.
    before, after = (each * pilot.without_status // pilot.inflow for each in (place, place + 1))
    opened = dice.day(_START, _LAST_ARRIVAL, "opened")
    closed = None if reason is None else dice.day(opened + timedelta(days=7), EVALUATED, "closed")
    return _someone(dice, municipality, opened, closed, reason, with_status=before == after)


def _later(dice: _Dice) -> Someone:
    municipality = _drawn(dice, "municipality", tuple((pilot.inflow, name) for name, pilot in _PILOTS.items()))
    opened = dice.day(_AFTER, _END - timedelta(days=14), "opened")
    reason = None
    if dice.below(100, "left") < _LATER_LEFT:
        reasons = _drawn(dice, "class", _LATER)
        reason = reasons[dice.below(len(reasons), "reason")]
    closed = None if reason is None else dice.day(opened + timedelta(days=7), _END, "closed")
    return _someone(dice, municipality, opened, closed, reason, with_status=True)


def _drawn(dice: _Dice, question: str, weighted: tuple[tuple[int, _T], ...]) -> _T:
    bounds = tuple(accumulate(weight for weight, _ in weighted))
    return weighted[bisect_right(bounds, dice.below(bounds[-1], question))][1]


def _someone(
    dice: _Dice,
    municipality: Municipality,
    opened: date,
    closed: date | None,
    reason: LeavingReason | None,
    *,
    with_status: bool,
) -> Someone:
    # In office hours in the Netherlands, winter or summer.
    opened_at = datetime(opened.year, opened.month, opened.day, 8, tzinfo=UTC) + timedelta(
        minutes=dice.below(8 * 60, "minute")
    )
    return Someone(
        person=PersonId(UUID(int=dice.bits("person"), version=4)),
        case=CaseId(row_id(opened_at, dice.bits("case"))),
        v_number=f"{dice.number:010}" if dice.number <= LAST_V_NUMBER else None,
        municipality=municipality,
        with_status=with_status,
        opened_at=opened_at,
        closed_date=closed,
        leaving_reason=reason,
    )


def row_id(at: datetime, bits: int) -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7) of that instant, so that lists stand in the order of what happened."""
    millis = int(at.timestamp() * 1000)
    low = bits & ((1 << 80) - 1)
    return UUID(int=(millis << 80) | (low & ~(0xF << 76) & ~(0b11 << 62)) | (7 << 76) | (0b10 << 62))
