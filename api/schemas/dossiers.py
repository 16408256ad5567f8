"""Wire types of dossier requests (dossierverzoek) and dossiers."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from api.schemas.base import Instant, LongText, VNumber, Wire
from api.schemas.cases import OptionalDay
from api.vocabulary import (
    DOSSIER_SECTIONS,
    DataCategory,
    DossierRequestState,
    MissingReason,
    Purpose,
    Reason,
    RequestRefusalReason,
)

_DEPTH_MOST = 5
_FIELDS_MOST = 64


def _section_category(category: DataCategory) -> DataCategory:
    if category not in DOSSIER_SECTIONS:
        raise ValueError("not a section of a dossier")
    return category


def _bounded(content: dict[str, Any]) -> dict[str, Any]:
    def depth(value: Any) -> int:  # noqa: ANN401 - any JSON value
        if isinstance(value, dict):
            return 1 + max((depth(each) for each in value.values()), default=0)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if isinstance(value, list):
            return 1 + max((depth(each) for each in value), default=0)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return 0

    if len(content) > _FIELDS_MOST or depth(content) > _DEPTH_MOST:
        raise ValueError("a section holds at most 64 fields, nested at most 5 deep")
    return content


FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]{0,47}$")]
SectionCategory = Annotated[DataCategory, AfterValidator(_section_category)]
Content = Annotated[
    dict[FieldName, Any],
    AfterValidator(_bounded),
    Field(min_length=1, description="Fields by name (camelCase). No facial images, no fingerprints, no BSN."),
]


class NewDossierRequest(Wire):
    """Ask a party of the migration chain for a dossier, under Aliens Act 2000 article 107(8)."""

    case_id: UUID
    supplier_id: UUID = Field(
        description="The organisation that is asked: one that an agreement has supply some of the sections, as the IND."
    )
    purpose: Purpose = Field(examples=["legal-screening"])
    categories: tuple[SectionCategory, ...] = Field(min_length=1, max_length=len(DOSSIER_SECTIONS))
    proportionality_note: LongText | None = Field(
        default=None,
        description="Why the person's private life is not disproportionately harmed (Aliens Act 2000 article 107(10)).",
    )


class DossierRequest(Wire):
    """A dossier request (dossierverzoek). `overdue` is computed; without an agreed term nothing is ever overdue."""

    id: UUID
    case_id: UUID
    requester_id: UUID
    supplier_id: UUID
    purpose: Purpose
    categories: tuple[DataCategory, ...]
    state: DossierRequestState
    requested_at: Instant
    due_date: OptionalDay = Field(default=None, description="Last day of the agreed delivery term (leveringstermijn).")
    working_days_term: int | None = None
    overdue: bool
    dossier_id: UUID | None = None
    refusal_reason: RequestRefusalReason | None = None
    v_number: VNumber | None = Field(default=None, description="Only to the supplier, that needs it to find the file.")
    version: int


class DossierRequestSummary(Wire):
    """A dossier request in a list: nothing sealed is opened for it."""

    id: UUID
    case_id: UUID
    state: DossierRequestState
    requested_at: Instant
    due_date: OptionalDay = None
    overdue: bool


class Section(Wire):
    """A section (rubriek) of a dossier."""

    category: SectionCategory
    content: Content


class MissingSection(Wire):
    """A section that is not delivered, and why, in the supplier's terms."""

    category: SectionCategory
    reason: MissingReason


class Delivery(Wire):
    """A delivery: whole or in part. `missing` tells what the supplier will not or cannot deliver, per category."""

    sections: tuple[Section, ...] = Field(max_length=len(DOSSIER_SECTIONS))
    complete: bool = Field(description="Whether nothing more will come.")
    missing: tuple[MissingSection, ...] = ()


class RequestRefusal(Wire):
    """Why a supplier refuses a request."""

    reason: RequestRefusalReason


class WithheldSection(Wire):
    """A section that stays closed to the caller: the reason, and what to do next."""

    category: DataCategory
    reason: Reason
    next_step: str


class Dossier(Wire):
    """A dossier as far as the caller may see it."""

    id: UUID
    dossier_request_id: UUID
    case_id: UUID
    purpose: Purpose | None = Field(
        default=None, description="As declared; null when the supplier reads what it supplied."
    )
    complete: bool
    sections: tuple[Section, ...]
    withheld: tuple[WithheldSection, ...]
    version: int


class ManifestLine(Wire):
    """What became of one asked section."""

    category: DataCategory
    status: Annotated[str, StringConstraints(pattern="^(delivered|awaited|withheld|withheld-by-law|not-found)$")]
    field_count: int | None = Field(
        default=None, description="How many fields it holds; only for what the caller may open."
    )
    reason: Reason | None = None


class Manifest(Wire):
    """What was asked, what is delivered and what is withheld, without any content (leveringsoverzicht)."""

    dossier_id: UUID
    complete: bool
    lines: tuple[ManifestLine, ...]


class PreviewLine(Wire):
    """What would happen to one section."""

    category: DataCategory
    permitted: bool
    ground: str | None = None
    reason: Reason | None = None
    next_step: str | None = None


class Preview(Wire):
    """The answer that a request would get today, without disclosing anything."""

    lines: tuple[PreviewLine, ...]
