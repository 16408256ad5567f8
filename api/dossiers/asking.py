"""Asking the gate about what was delivered on a request: sections of a dossier, titles of documents, a content."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api.consent import emergency
from api.consent.model import Question
from api.disclosure import gate
from api.vocabulary import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.audit.entry import Thing
    from api.consent.model import Situation
    from api.disclosure.call import Call
    from api.disclosure.permit import Answer
    from api.dossiers.model import RequestFacts
    from api.vocabulary import DataCategory


def ask(
    call: Call,
    thing: Thing,
    request: RequestFacts | None,
    purpose: Purpose | None,
    categories: frozenset[DataCategory],
    holdings: Mapping[DataCategory, tuple[str, ...]],
    seals: Mapping[str, bytes] | None = None,
) -> Answer:
    """Whether these categories may be seen; the supplier sees what it supplied. `request` is None: there is nothing."""
    caller = call.caller.organisation
    asked = categories if request is None else categories & request.open_to(caller, purpose, call.unit.now)
    if request is None or not asked:
        return gate.ask(call, thing, Question(caller, purpose, frozenset()), None)
    around = request.situation
    if caller.id == request.supplier:
        return gate.admit(call, thing, persons={around.person: around.alias}, holdings=holdings, seals=seals)
    return gate.ask(
        call, thing, Question(caller, purpose, asked), _around(call, request, purpose, holdings), seals=seals
    )


def _around(
    call: Call, request: RequestFacts, purpose: Purpose | None, holdings: Mapping[DataCategory, tuple[str, ...]]
) -> Situation:
    """The situation for who declares a purpose. A vital interest is a ground whatever it was collected for."""
    around = request.situation
    urgent = emergency.carrying(around, call.caller.organisation, call.unit.now) is not None
    # After a case has ended nothing is there for who is outside it (`cases.situation`).
    outside = around.closed and not around.relation.functions
    around = replace(around, holdings={} if outside else holdings)
    return around if urgent and purpose is Purpose.EMERGENCY else around.asked_for(request.purpose, purpose)
