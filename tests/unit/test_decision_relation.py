"""The values that a decision is made of."""

from __future__ import annotations

import pytest

from api.consent.model import Relation
from api.vocabulary import CareFunction


@pytest.mark.parametrize(
    ("relation", "known", "guides"),
    [
        (Relation(), False, False),
        (Relation(addressed=True), True, False),
        (Relation(supplied=True), True, False),
        (Relation(functions=frozenset({CareFunction.SHELTER})), True, False),
        (Relation(functions=frozenset({CareFunction.SHELTER, CareFunction.SOCIAL_GUIDANCE})), True, True),
    ],
)
def test_who_stands_in_no_relation_knows_of_no_case(relation: Relation, *, known: bool, guides: bool) -> None:
    """A case exists for who is assigned, was addressed, or supplied; and sheltering a person is not guiding them."""
    assert relation.any is known
    assert relation.guides is guides
