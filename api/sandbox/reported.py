"""What tables S.1 and S.2 print and the population cannot yield: loaded as reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.sandbox.population import EVALUATED
from api.statistics.model import Measure, Reported
from api.vocabulary import Municipality

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCE: Final = "Regioplan (2020), Plan- en procesevaluatie Landelijke Vreemdelingenvoorzieningen, WODC 19041, table"
_CAPACITY: Final[Mapping[Municipality, int]] = {
    Municipality.AMSTERDAM: 360,
    Municipality.EINDHOVEN: 130,
    Municipality.GRONINGEN: 300,
    Municipality.ROTTERDAM: 117,
    Municipality.UTRECHT: 230,
}
_TARGET: Final[Mapping[Municipality, int]] = {
    Municipality.AMSTERDAM: 20,
    Municipality.EINDHOVEN: 20,
    Municipality.GRONINGEN: 40,
    Municipality.ROTTERDAM: 60,
    Municipality.UTRECHT: 20,
}


def _of_s1(
    municipality: Municipality, measure: Measure, value: int | None, text: str | None = None, *, estimated: bool = False
) -> Reported:
    return Reported(EVALUATED, municipality, measure, value, f"{_SOURCE} S.1", estimated, text)


REPORTED: Final = (
    *(_of_s1(municipality, Measure.INTENDED_CAPACITY, places) for municipality, places in _CAPACITY.items()),
    # 69 of 360 places are 19 %; 20 % is printed.
    _of_s1(Municipality.AMSTERDAM, Measure.FREE_PERCENTAGE, 20),
    # No number of people is printed, and what is printed is an estimate.
    _of_s1(Municipality.UTRECHT, Measure.OCCUPANCY, None, "98 % (estimate)", estimated=True),
    _of_s1(Municipality.UTRECHT, Measure.OCCUPANCY_PERCENTAGE, 98, estimated=True),
    _of_s1(Municipality.UTRECHT, Measure.FREE_PERCENTAGE, 2, "about 2 %", estimated=True),
    *(
        Reported(EVALUATED, municipality, Measure.DURABLE_TARGET, per_cent, f"{_SOURCE} S.2")
        for municipality, per_cent in _TARGET.items()
    ),
)
"""As of 31 December 2019."""
