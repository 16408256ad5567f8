"""Rights are written down: a golden table shows every change, and every operation has exactly one route."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from api.disclosure import authority
from api.disclosure.authority import Operation
from api.vocabulary import Party, Reach, Scope
from tests.architecture import reading, routes
from tests.authority import matrix

SHARED: Final[dict[str, int]] = {
    "PROVE_AUDIT": 2,  # inclusion and consistency are two forms of one proof; the entry says which by its object
    "READ_AUDIT": 2,  # one entry, or a bundle of them: the same; `tests/http/test_log.py` guards the bundle
}
"""Operations with more routes than one."""


def declared() -> Counter[str]:
    """How many routes name each operation, by its name in `authority`."""
    return Counter(
        operation
        for module in reading.modules()
        if module.path.startswith("api/routes/")
        for function in module.functions()
        if routes.routed(function)
        for operation in routes.asked(function)
    )


def named() -> dict[str, Operation]:
    """Every operation by its name in `authority`."""
    return {name: each for name, each in vars(authority).items() if isinstance(each, Operation)}


def test_rights_are_as_they_were_agreed() -> None:
    """If this is meant, `python -m tests.authority.matrix` writes the table anew, and its diff is what is reviewed."""
    assert matrix.drawn(authority.OPERATIONS) == matrix.GOLDEN.read_text()


def test_a_change_of_rights_is_a_change_of_the_table() -> None:
    before = authority.READ_DOSSIER
    changes = (
        replace(before, parties=before.parties | {Party.MUNICIPALITY}),
        replace(before, parties=before.parties - {Party.IND}),
        replace(before, reach=Reach.NONE),
        replace(before, scope=Scope.DOSSIERS_WRITE),
        replace(before, clear="for some reason"),
    )

    assert len({matrix.drawn([each]) for each in (before, *changes)}) == 1 + len(changes)


def test_every_operation_has_exactly_one_route() -> None:
    """An operation without a route is a right that nobody looks after; one with two may be guarded in one of them."""
    assert declared() == dict.fromkeys(named(), 1) | SHARED


def test_operations_have_names_of_their_own() -> None:
    """The name is the action in the audit log."""
    assert len({each.name for each in authority.OPERATIONS}) == len(authority.OPERATIONS) == len(named())


def test_nobody_is_shut_out_of_everything_and_no_operation_is_for_nobody() -> None:
    assert all(each.parties for each in authority.OPERATIONS)
    assert frozenset[Party]().union(*(each.parties for each in authority.OPERATIONS)) == frozenset(Party)


def test_writing_and_reading_are_different_scopes() -> None:
    """Least privilege (RFC 9700 section 2.3): a scope to read never lets anything be changed."""
    reads = {"read", "list", "search", "preview", "flow", "prove", "checkpoint", "export"}
    for each in authority.OPERATIONS:
        verb = each.name.partition(".")[2].partition("-")[0]
        assert each.scope.endswith((":read", ":read-own") if verb in reads else ":write"), each.name
