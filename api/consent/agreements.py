"""Agreements: signed by their parties, in force between two of them.

A version is in force between two organisations when both are party to it and have signed it, neither has revoked its
signature, and today is within its validity. The latest version that both have signed counts, from its first day on:
an older one does not come back when that one ends. A revocation ends what the revoker gives and gets, nobody else's.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import JSON, Integer, Uuid, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from api.consent import document, signatures
from api.consent.model import Objection, Version
from api.consent.tables import agreement, agreement_party, agreement_signature, agreement_version
from api.oauth import jose
from api.storage.statement import statement
from api.vocabulary import OrganisationId, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, FromClause, Join, ScalarSelect, Select

    from api.consent.model import Agreement
    from api.oauth.jose import KeyRing
    from api.storage.unit import Record, Unit
    from api.vocabulary import AgreementId

_MOST: Final = 1_024
_PARSED: Final[dict[tuple[str, int, str], Agreement]] = {}
"""What this process has read of versions, which never change. When full it is emptied."""


class InForce(NamedTuple):
    """A SELECT of versions in force, with the names by which it knows their tables."""

    version: FromClause
    agreement: FromClause
    chosen: Select[Any, Any]


async def sign(
    unit: Unit, agreement_id: AgreementId, version: int, organisation: OrganisationId, signature: str, keys: KeyRing
) -> Version | Objection:
    """Keep a party's signature, once it is found to be of one of its registered keys over exactly this version."""
    found = await unit.one(_SIGNING(agreement_id=agreement_id, version=version, organisation_id=organisation))
    if found is None:
        return Objection(Reason.NOT_VISIBLE)
    if not found["party"]:
        return Objection(Reason.WRONG_PARTY)
    try:
        kid = signatures.verified(signature, document.canonical(found["document"]), keys)
    except jose.Unreadable:
        return Objection(Reason.SIGNATURE_INVALID)
    rows = await unit.run(
        _SIGN(
            agreement_id=agreement_id,
            version=version,
            organisation_id=organisation,
            kid=kid,
            signature=signature,
            signed_at=unit.now,
        )
    )
    if not rows:
        return Objection(Reason.ALREADY_SIGNED)
    return Version(agreement_id, version, found["digest"])


async def revoke(
    unit: Unit, agreement_id: AgreementId, version: int, organisation: OrganisationId
) -> Version | Objection:
    """End a party's signature. To take part again it signs a new version. Revoking twice is revoking once."""
    here = {"agreement_id": agreement_id, "version": version, "organisation_id": organisation}
    ended = await unit.run(_REVOKE(of_agreement=agreement_id, of_version=version, of=organisation, at=unit.now))
    found = await unit.one(_SIGNING(**here))
    if found is None:
        return Objection(Reason.NOT_VISIBLE)
    if not found["signed"]:
        return Objection(Reason.WRONG_STATE)
    return Version(agreement_id, version, found["digest"], already=not ended)


def in_force_column(
    *,
    municipality: ColumnElement[Any],
    supplier: ColumnElement[Any],
    recipient: ColumnElement[Any],
    today: ColumnElement[Any],
) -> ScalarSelect[Any]:
    """For the statement of a room above: the versions in force between two organisations, as `parsed` takes them."""
    version, _, chosen = in_force(municipality, supplier, recipient, today)
    row = func.json_build_array(version.c.agreement_id, version.c.version, version.c.created_at)
    return chosen.with_only_columns(func.json_agg(row, type_=JSON)).scalar_subquery()


def in_force(
    municipality: ColumnElement[Any],
    supplier: ColumnElement[Any],
    recipient: ColumnElement[Any],
    today: ColumnElement[Any],
) -> InForce:
    """A SELECT of the versions in force: for the column, and for lists (`visibility`)."""
    one, later, of = _signed(supplier, recipient), _signed(supplier, recipient), agreement.alias()
    version = one.version
    replaced = (
        select(later.version.c.version)
        .select_from(later.joined)
        .where(
            later.version.c.agreement_id == version.c.agreement_id,
            later.version.c.version > version.c.version,
            later.version.c.valid_from <= today,
        )
        .correlate_except(later.version, later.theirs, later.ours)
    )
    chosen = (
        select(version.c.agreement_id, version.c.version)
        .select_from(one.joined.join(of, of.c.id == version.c.agreement_id))
        .where(
            of.c.municipality == municipality,
            one.theirs.c.revoked_at.is_(None),
            one.ours.c.revoked_at.is_(None),
            version.c.valid_from <= today,
            or_(version.c.valid_until.is_(None), version.c.valid_until >= today),
            ~replaced.exists(),
        )
        .correlate_except(version, one.theirs, one.ours, of)
    )
    return InForce(version, of, chosen)


async def parsed(unit: Unit, found: Sequence[Sequence[Any]] | None) -> tuple[Agreement, ...]:
    """The agreements that `in_force_column` found. Versions never change, so that each is read and parsed once.

    Raises `AssertionError` when a stored document is not the one that was taken in.
    """
    keys = [(str(each[0]), int(each[1]), str(each[2])) for each in found or ()]
    missing = [key for key in keys if key not in _PARSED]
    if missing:
        if len(_PARSED) + len(missing) > _MOST:
            _PARSED.clear()
            missing = keys
        rows = await unit.all(_READ(ids=[uuid.UUID(key[0]) for key in missing], versions=[key[1] for key in missing]))
        read = {(str(row["agreement_id"]), row["version"]): row for row in rows}
        _PARSED.update((key, _agreement(read[key[0], key[1]])) for key in missing)
    return tuple(_PARSED[key] for key in keys)


_SIGNED: Final = and_(
    agreement_signature.c.agreement_id == agreement_party.c.agreement_id,
    agreement_signature.c.version == agreement_party.c.version,
    agreement_signature.c.organisation_id == agreement_party.c.organisation_id,
)
_SIGNING: Final = statement(
    select(
        agreement_version.c.document,
        agreement_version.c.digest,
        agreement_party.c.organisation_id.is_not(None).label("party"),
        agreement_signature.c.organisation_id.is_not(None).label("signed"),
    )
    .select_from(agreement_version)
    .outerjoin(
        agreement_party,
        and_(
            agreement_party.c.agreement_id == agreement_version.c.agreement_id,
            agreement_party.c.version == agreement_version.c.version,
            agreement_party.c.organisation_id == bindparam("organisation_id", type_=Uuid),
        ),
    )
    .outerjoin(agreement_signature, _SIGNED)
    .where(
        agreement_version.c.agreement_id == bindparam("agreement_id", type_=Uuid),
        agreement_version.c.version == bindparam("version", type_=Integer),
    )
)
_SIGN: Final = statement(
    upsert(agreement_signature).on_conflict_do_nothing().returning(agreement_signature.c.version),
    "agreement_id",
    "version",
    "organisation_id",
    "kid",
    "signature",
    "signed_at",
)
_REVOKE: Final = statement(
    update(agreement_signature)
    .where(
        agreement_signature.c.agreement_id == bindparam("of_agreement", type_=Uuid),
        agreement_signature.c.version == bindparam("of_version", type_=Integer),
        agreement_signature.c.organisation_id == bindparam("of", type_=Uuid),
        agreement_signature.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("at", type_=agreement_signature.c.revoked_at.type))
    .returning(agreement_signature.c.version)
)
_ASKED: Final = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)), bindparam("versions", type_=ARRAY(Integer)))
    .table_valued("id", "version")
    .render_derived(name="asked")
)
_READ: Final = statement(
    select(
        agreement_version.c.agreement_id,
        agreement_version.c.version,
        agreement_version.c.document,
        agreement_version.c.digest,
        select(func.array_agg(agreement_party.c.organisation_id))
        .where(
            agreement_party.c.agreement_id == agreement_version.c.agreement_id,
            agreement_party.c.version == agreement_version.c.version,
            agreement_party.c.director,
        )
        .correlate(agreement_version)
        .scalar_subquery()
        .label("directors"),
    )
    .select_from(agreement_version)
    .join(
        _ASKED,
        and_(_ASKED.c.id == agreement_version.c.agreement_id, _ASKED.c.version == agreement_version.c.version),
    )
)


class _Signed(NamedTuple):
    """Versions that both have ever signed, with the two signatures."""

    version: FromClause
    theirs: FromClause
    ours: FromClause
    joined: Join


def _signed(supplier: ColumnElement[Any], recipient: ColumnElement[Any]) -> _Signed:
    version, theirs, ours = agreement_version.alias(), agreement_signature.alias(), agreement_signature.alias()

    def by(signature: FromClause, organisation: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(
            signature.c.agreement_id == version.c.agreement_id,
            signature.c.version == version.c.version,
            signature.c.organisation_id == organisation,
        )

    joined = version.join(theirs, by(theirs, supplier)).join(ours, by(ours, recipient))
    return _Signed(version, theirs, ours, joined)


def _agreement(row: Record) -> Agreement:
    read = document.read(row["document"])
    if isinstance(read, Objection) or document.digest(document.canonical(row["document"])) != row["digest"]:
        raise AssertionError("a stored agreement is not the one that was taken in")
    return read.value(OrganisationId(each) for each in row["directors"] or ())
