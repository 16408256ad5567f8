"""Which parts of a published sum are withheld. Pure.

A part counts people. Under `LEAST` it is withheld, zero included: that nobody left for a reason is not told either.
The rest follows from what stays published beside it. Let a reader know the whole, the published parts, which withheld
parts are small (0 to 9), and which were added to protect them (10 or more). The whole minus the published parts is
then the sum R of the withheld ones. Parts are added until R leaves each small part anywhere from 0 to 9; where that
cannot be reached, the whole must be withheld too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEAST: Final = 10
"""The smallest count of people that is shown to all."""
_MOST_SMALL: Final = LEAST - 1

K = TypeVar("K")


def withheld(parts: Mapping[K, int], spare: Iterable[K]) -> frozenset[K] | None:
    """The parts to withhold, or None when the whole must be withheld too.

    `spare` tells which parts to give up first to protect the small ones; of the others none is added.
    """
    small = frozenset(part for part, count in parts.items() if count < LEAST)
    queue = [part for part in spare if part not in small]
    added: frozenset[K] = frozenset()
    while small and not _safe(sum(parts[part] for part in small | added), len(small), len(added)):
        if not queue:
            return None
        added |= {queue.pop(0)}
    return small | added


def _safe(together: int, small: int, added: int) -> bool:
    """Whether each small part can be anything from 0 to 9, for who knows the sum of the small and the added ones."""
    all_others_at_most = _MOST_SMALL * (small - 1)
    can_be_none = added > 0 or together <= all_others_at_most
    return can_be_none and together - LEAST * added >= _MOST_SMALL
