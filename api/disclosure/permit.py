"""What the gate answers.

A `Permit` is proof of right: a store that opens sealed values takes one as its first parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.consent.model import Fault, Granted
    from api.vocabulary import DataCategory, PersonId, Reason


@dataclass(frozen=True, slots=True)
class Permit:
    """The operation may go on. Made only in `api.disclosure.gate` (held by an AST rule).

    `persons` are those whose data may be touched. `granted` names the categories that may be opened, with what carries
    each (None: the caller's own, or a page, whose rows may differ in it); `withheld` the ones that stay, with the
    reason that the caller may see.
    """

    operation: str
    persons: frozenset[PersonId]
    granted: Mapping[DataCategory, Granted | None] = field(default_factory=dict["DataCategory", "Granted | None"])
    withheld: Mapping[DataCategory, Reason] = field(default_factory=dict["DataCategory", "Reason"])

    @property
    def categories(self) -> frozenset[DataCategory]:
        """What may be opened."""
        return frozenset(self.granted)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The operation may not go on, and why.

    `withheld` holds the reason per category where categories were asked; `faults` what is wrong in what was sent.
    """

    reason: Reason
    withheld: Mapping[DataCategory, Reason] = field(default_factory=dict["DataCategory", "Reason"])
    faults: tuple[Fault, ...] = ()


Answer: TypeAlias = Permit | Refusal
