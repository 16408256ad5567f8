"""Statements on agreements as they are shown. No data about persons."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from api.agreements.model import AgreementVersion, PartyState
from api.consent.tables import agreement, agreement_party, agreement_signature, agreement_version
from api.storage.statement import statement
from api.vocabulary import AgreementId, AgreementKind, Municipality, OrganisationId, Party

if TYPE_CHECKING:
    from api.storage.unit import Record, Unit

_SIGNED: Final = (
    (agreement_signature.c.agreement_id == agreement_party.c.agreement_id)
    & (agreement_signature.c.version == agreement_party.c.version)
    & (agreement_signature.c.organisation_id == agreement_party.c.organisation_id)
)
_PARTIES: Final = (
    select(
        func.json_agg(
            func.json_build_object(
                "organisation_id",
                agreement_party.c.organisation_id,
                "slot",
                agreement_party.c.slot,
                "director",
                agreement_party.c.director,
                "signed_at",
                agreement_signature.c.signed_at,
                "revoked_at",
                agreement_signature.c.revoked_at,
            )
        )
    )
    .select_from(agreement_party.outerjoin(agreement_signature, _SIGNED))
    .where(
        agreement_party.c.agreement_id == agreement_version.c.agreement_id,
        agreement_party.c.version == agreement_version.c.version,
    )
    .correlate(agreement_version)
    .scalar_subquery()
)
_VERSIONS: Final = (
    select(
        agreement_version.c.agreement_id.label("id"),
        agreement_version.c.version,
        agreement_version.c.valid_from,
        agreement_version.c.valid_until,
        agreement_version.c.digest,
        agreement_version.c.document,
        agreement.c.kind,
        agreement.c.municipality,
        _PARTIES.label("parties"),
    )
    .join(agreement, agreement.c.id == agreement_version.c.agreement_id)
    .ext(distinct_on(agreement_version.c.agreement_id))
    .order_by(agreement_version.c.agreement_id.desc(), agreement_version.c.version.desc())
)
_LIST: Final = statement(
    _VERSIONS.where(agreement_version.c.agreement_id < bindparam("before")).limit(bindparam("most", type_=Integer))
)
_FIND: Final = statement(
    _VERSIONS.where(
        agreement_version.c.agreement_id == bindparam("agreement_id"),
        or_(
            agreement_version.c.version == bindparam("of_version", type_=Integer),
            bindparam("of_version", type_=Integer).is_(None),
        ),
    )
)


async def listed(unit: Unit, before: uuid.UUID, most: int) -> list[AgreementVersion]:
    """The latest version of each agreement, by descending id below `before`."""
    return [_version(row) for row in await unit.all(_LIST(before=before, most=most))]


async def find(unit: Unit, agreement_id: AgreementId, version: int | None) -> AgreementVersion | None:
    """A version of an agreement, the latest one unless told otherwise; or None."""
    row = await unit.one(_FIND(agreement_id=agreement_id, of_version=version))
    return None if row is None else _version(row)


def _version(row: Record) -> AgreementVersion:
    return AgreementVersion(
        AgreementId(row["id"]),
        row["version"],
        AgreementKind(row["kind"]),
        Municipality(row["municipality"]),
        row["valid_from"],
        row["valid_until"],
        row["digest"],
        row["document"],
        tuple(_party(each) for each in row["parties"] or ()),
    )


def _party(each: dict[str, Any]) -> PartyState:
    return PartyState(
        OrganisationId(uuid.UUID(each["organisation_id"])),
        Party(each["slot"]),
        each["director"],
        None if each["signed_at"] is None else datetime.fromisoformat(each["signed_at"]),
        None if each["revoked_at"] is None else datetime.fromisoformat(each["revoked_at"]),
    )
