"""An agreement as a document: readable JSON that a data protection officer can compare, and its parties sign. Pure.

The signed bytes are the document as RFC 8785 (JCS) canonicalises it. They name the agreement and its version, so that
a signature serves no other. Names are ASCII and numbers are integers, so a fast encoder gives the canonical form.

Compatibility: a document that was taken in stays readable for ever. A member may be added if it may be absent.
"""

from __future__ import annotations

import hashlib
from datetime import date  # noqa: TC003 - Pydantic reads it
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID  # noqa: TC003 - Pydantic reads it

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from api.consent import soundness
from api.consent.model import Agreement, Fault, Objection, Rule
from api.vocabulary import (
    AgreedTerm,
    AgreementId,
    AgreementKind,
    CareFunction,
    ConsentKind,
    DataCategory,
    LegalGround,
    Municipality,
    OrganisationId,
    Party,
    ProhibitionException,
    Purpose,
    Reason,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WAIVED: Final = "none"
"""In a rule: a category for which no consent is asked. Needs a motive where an NGO gives or gets."""

MOST: Final = 262_144
"""Bytes of a canonical document."""

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"
Line = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,63}$")]
Oin = Annotated[str, StringConstraints(pattern=r"^[0-9]{20}$")]
Duration = Annotated[str, StringConstraints(min_length=3, pattern=r"^P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?$")]


class _NotSoundError(ValueError):
    """What a validator of ours found, all of it."""

    def __init__(self, sentences: Iterable[str]) -> None:
        super().__init__()
        self.sentences = tuple(sentences)


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, hide_input_in_errors=True
    )


class PartyLine(_Part):
    """An organisation that is party, in the slot of its kind; named by its OIN or by its id in the exchange."""

    slot: Party
    name: Line
    oin: Oin | None = None
    organisation_id: UUID | None = None
    director: bool = False
    """Regievoerder: directs content and process."""

    @model_validator(mode="after")
    def _named(self) -> PartyLine:
        if (self.oin is None) == (self.organisation_id is None):
            raise _NotSoundError(("Name the organisation by its OIN or by its organisationId: one of the two.",))
        return self


class ControllerLine(_Part):
    """Who answers for what (GDPR articles 4(7) and 26)."""

    slot: Party
    responsible_for: Line


class ProcessorLine(_Part):
    """Who processes for the controllers (GDPR article 28)."""

    name: Line
    contract: Line


class Assessment(_Part):
    """The data protection impact assessment (DPIA, GDPR article 35)."""

    reference: Line
    state: Line


class TermLine(_Part):
    """A term in working days. While `waits_for` runs late, this one is suspended."""

    working_days: Annotated[int, Field(ge=1, le=366)]
    waits_for: AgreedTerm | None = None


class RuleLine(_Part):
    """One permission. `categories` tells which consent each category needs, or "none" where it is waived."""

    id: Name
    source: Annotated[Party, Field(alias="from")]
    recipient: Annotated[Party, Field(alias="to")]
    functions: frozenset[CareFunction] = frozenset()
    purpose: Purpose
    ground: LegalGround
    article: Line | None = None
    exceptions: frozenset[ProhibitionException] = frozenset()
    categories: Annotated[
        dict[DataCategory, ConsentKind | Annotated[str, Field(pattern="^none$")]], Field(min_length=1)
    ]
    motive: Line | None = None
    retention: Duration
    note: Line | None = None

    @model_validator(mode="after")
    def _lawful(self) -> RuleLine:
        _hold(soundness.of_rule(self.value(), article=self.article, motive=self.motive))
        return self

    def value(self) -> Rule:
        """The rule as a decision takes it."""
        return Rule(
            id=self.id,
            source=self.source,
            recipient=self.recipient,
            functions=self.functions,
            purpose=self.purpose,
            ground=self.ground,
            exceptions=self.exceptions,
            consents={
                category: None if kind == WAIVED else ConsentKind(kind) for category, kind in self.categories.items()
            },
        )


class AgreementDocument(_Part):
    """A version of an agreement (gegevensdelingsafspraak), whole."""

    id: UUID
    version: Annotated[int, Field(ge=1, le=10_000)]
    kind: AgreementKind
    municipality: Municipality
    rests_on: UUID | None = None
    title: Line
    valid_from: date
    valid_until: date | None = None
    parties: Annotated[tuple[PartyLine, ...], Field(min_length=2, max_length=200)]
    controllers: Annotated[tuple[ControllerLine, ...], Field(min_length=1)]
    processor: ProcessorLine
    dpia: Assessment
    development_questions: tuple[Line, ...] = ()
    """Ontwikkelvragen: the local goals that the parties add."""
    terms: dict[AgreedTerm, TermLine] = Field(default_factory=dict[AgreedTerm, TermLine])
    rules: Annotated[tuple[RuleLine, ...], Field(min_length=1, max_length=200)]
    notes: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> AgreementDocument:
        _hold(_of_whole(self))
        return self

    def value(self, directors: Iterable[OrganisationId] = ()) -> Agreement:
        """The agreement as a decision takes it. `directors`: the parties with that role, as registered."""
        on = None if self.rests_on is None else AgreementId(self.rests_on)
        return Agreement(
            id=AgreementId(self.id),
            version=self.version,
            municipality=self.municipality,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            rules=tuple(rule.value() for rule in self.rules),
            terms={str(name): term.working_days for name, term in self.terms.items()},
            waits_for={
                str(name): str(term.waits_for) for name, term in self.terms.items() if term.waits_for is not None
            },
            narrows=on if self.kind is AgreementKind.SIDE_AGREEMENT else None,
            directors=frozenset(directors),
        )


def read(raw: object) -> AgreementDocument | Objection:
    """Take a document in, from parsed JSON. Every fault is found and told."""
    try:
        text = canonical(raw)
    except TypeError:
        return _objection(Fault("", "This is not JSON of text, whole numbers, lists and objects."))
    if len(text) > MOST:
        return _objection(Fault("", f"A document has {MOST} bytes at most."))
    try:
        return AgreementDocument.model_validate_json(text)
    except ValidationError as error:
        return _objection(*_faults(error))


def canonical(value: Any) -> bytes:  # noqa: ANN401 - JSON
    """The RFC 8785 form of JSON without floating-point numbers and with ASCII names. Raises `TypeError`."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(text: bytes) -> bytes:
    """SHA-256 of the canonical bytes."""
    return hashlib.sha256(text).digest()


def _of_whole(document: AgreementDocument) -> Iterator[str]:
    if document.valid_until is not None and document.valid_until < document.valid_from:
        yield "validUntil is before validFrom."
    if (document.kind is AgreementKind.COVENANT) and document.rests_on is not None:
        yield "A covenant rests on nothing."
    if (document.kind is AgreementKind.SIDE_AGREEMENT) and document.rests_on is None:
        yield "A side agreement rests on another: name it in restsOn."
    if document.kind is AgreementKind.COVENANT and not any(party.director for party in document.parties):
        yield "A covenant names at least one director (regievoerder) among its parties."
    named = [party.oin or party.organisation_id for party in document.parties]
    if len(set(named)) < len(named):
        yield "An organisation is party once."
    yield from _of_rules(document)
    yield from _of_terms(document)


def _of_rules(document: AgreementDocument) -> Iterator[str]:
    ids = [rule.id for rule in document.rules]
    for doubled in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"Two rules have the id {doubled}."
    slots = [party.slot for party in document.parties]
    spoken = {slot for rule in document.rules for slot in (rule.source, rule.recipient)}
    for slot in sorted(spoken - set(slots)):
        yield f"Rules speak of {slot}, but no party stands in that slot."
    for rule in document.rules:
        if rule.source is rule.recipient and slots.count(rule.source) == 1:
            yield f"Rule {rule.id} goes from {rule.source} to {rule.source}, but there is only one."
    for slot in sorted(spoken - {controller.slot for controller in document.controllers}):
        yield f"Rules speak of {slot}: say in controllers what it answers for."


def _of_terms(document: AgreementDocument) -> Iterator[str]:
    for name, term in sorted(document.terms.items()):
        if term.waits_for is not None and term.waits_for not in document.terms:
            yield f"The term {name} waits for {term.waits_for}, which is not agreed."
        elif _circles(document, name):
            yield f"The term {name} waits for itself."


def _circles(document: AgreementDocument, name: AgreedTerm) -> bool:
    at = document.terms[name].waits_for
    for _ in document.terms:
        if at is None or at is name or at not in document.terms:
            break
        at = document.terms[at].waits_for
    return at is name


def _objection(*faults: Fault) -> Objection:
    return Objection(Reason.AGREEMENT_INVALID, faults)


def _hold(sentences: Iterable[str]) -> None:
    found = tuple(sentences)
    if found:
        raise _NotSoundError(found)


def _faults(error: ValidationError) -> Iterator[Fault]:
    found = error.errors(include_url=False, include_input=False)
    for each in found:
        place = each["loc"]
        if each["type"] == "too_short" and any(other["loc"][: len(place)] == place != other["loc"] for other in found):
            # It is too short only because what is in it has faults of its own, which are told.
            continue
        pointer = "".join(f"/{step}" for step in place)
        match each.get("ctx", {}).get("error"):
            case _NotSoundError() as told:
                for sentence in told.sentences:
                    yield Fault(pointer, sentence)
            case _:
                yield Fault(pointer, f"{each['msg']}.")
