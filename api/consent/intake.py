"""Taking an agreement in: a document that is sound, of registered parties, and the next version of what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel
from sqlalchemy import JSON, Boolean, Integer, Text, Uuid, bindparam, column, func, insert, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from api.consent import document, soundness
from api.consent.model import Fault, Objection, Version
from api.consent.tables import agreement, agreement_party, agreement_rule, agreement_version
from api.storage.statement import statement
from api.vocabulary import AgreementId, AgreementKind, OrganisationId, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import ColumnClause, Table

    from api.consent.document import AgreementDocument
    from api.principal import Organisation
    from api.storage.statement import Statement
    from api.storage.unit import Record, Unit
    from api.vocabulary import Municipality


async def add(unit: Unit, raw: object, organisations: Iterable[Organisation]) -> Version | Objection:
    """Take a version in: the first of an agreement, or the next one. It is in force once parties have signed it.

    `raw` is parsed JSON. `organisations`: those that are registered.
    """
    read = document.read(raw)
    if isinstance(read, Objection):
        return read
    known = await unit.one(_LATEST(agreement_id=read.id))
    below = await unit.one(_LATEST(agreement_id=read.rests_on))
    parties = tuple(_parties(read, organisations))
    faults = [each for each in parties if isinstance(each, Fault)]
    faults += [*_not_next(read, known), *_not_resting(read, below)]
    if faults:
        return Objection(Reason.AGREEMENT_INVALID, tuple(faults))
    return await _write(unit, read, raw, parties)


def named(raw: object) -> tuple[AgreementId, int] | Objection:
    """Which version of which agreement a document says that it is."""
    read = document.read(raw)
    return read if isinstance(read, Objection) else (AgreementId(read.id), read.version)


def municipality(raw: object) -> Municipality | None:
    """Which municipality a document is of; None when it cannot be read, which `add` then says."""
    read = document.read(raw)
    return None if isinstance(read, Objection) else read.municipality


_LATEST: Final = statement(
    select(
        agreement.c.kind,
        agreement.c.municipality,
        agreement.c.rests_on,
        agreement_version.c.version,
        agreement_version.c.document,
    )
    .join(agreement_version, agreement_version.c.agreement_id == agreement.c.id)
    .where(agreement.c.id == bindparam("agreement_id", type_=Uuid))
    .order_by(agreement_version.c.version.desc())
    .limit(literal_column("1"))
)
_ADD: Final = statement(
    upsert(agreement).on_conflict_do_nothing(), "id", "kind", "municipality", "rests_on", "created_at"
)
_ADD_VERSION: Final = statement(
    upsert(agreement_version).on_conflict_do_nothing().returning(agreement_version.c.version),
    "agreement_id",
    "version",
    "document",
    "digest",
    "valid_from",
    "valid_until",
    "created_at",
)


def _rows_of(table: Table, *columns: ColumnClause[Any]) -> Statement:
    """Insert what belongs to a version: `rows` is a list of JSON objects."""
    rows = (
        func.json_to_recordset(bindparam("rows", type_=JSON))
        .table_valued(*columns)
        .render_derived(name="line", with_types=True)
    )
    names = [each.name for each in columns]
    of = (bindparam("agreement_id", type_=Uuid), bindparam("version", type_=Integer))
    return statement(
        insert(table).from_select(["agreement_id", "version", *names], select(*of, *(rows.c[name] for name in names)))
    )


_ADD_PARTIES: Final = _rows_of(
    agreement_party, column("organisation_id", Uuid), column("slot", Text), column("director", Boolean)
)
_ADD_RULES: Final = _rows_of(
    agreement_rule,
    *(column(name, Text) for name in ("rule", "category", "source", "recipient", "purpose", "ground", "consent")),
    *(column(name, ARRAY(Text)) for name in ("functions", "exceptions")),
)


async def _write(unit: Unit, read: AgreementDocument, raw: object, parties: Sequence[object]) -> Version | Objection:
    digest = document.digest(document.canonical(raw))
    await unit.run(
        _ADD(
            id=read.id,
            kind=str(read.kind),
            municipality=str(read.municipality),
            rests_on=read.rests_on,
            created_at=unit.now,
        )
    )
    added = await unit.run(
        _ADD_VERSION(
            agreement_id=read.id,
            version=read.version,
            document=raw,
            digest=digest,
            valid_from=read.valid_from,
            valid_until=read.valid_until,
            created_at=unit.now,
        )
    )
    if not added:
        # Another unit took in the same version at this instant.
        return Objection(Reason.WRONG_STATE)
    here = {"agreement_id": read.id, "version": read.version}
    await unit.run(_ADD_PARTIES(**here, rows=parties))
    await unit.run(_ADD_RULES(**here, rows=list(_rules(read))))
    return Version(AgreementId(read.id), read.version, digest)


def _parties(read: AgreementDocument, organisations: Iterable[Organisation]) -> Iterator[dict[str, Any] | Fault]:
    """Each party as a row, or what is wrong with it."""
    registered: dict[object, Organisation] = {}
    for each in organisations:
        registered[each.id] = each
        if each.oin is not None:
            registered[each.oin] = each
    seen: set[OrganisationId] = set()
    for place, line in enumerate(read.parties):
        found = registered.get(line.oin or line.organisation_id)
        if found is None:
            yield Fault(f"/parties/{place}", f"No organisation is registered as {line.name} is named here.")
        elif found.kind is not line.slot:
            yield Fault(f"/parties/{place}/slot", f"{line.name} is registered as {found.kind}, not as {line.slot}.")
        elif found.id in seen:
            yield Fault(f"/parties/{place}", f"{line.name} is party twice.")
        else:
            seen.add(found.id)
            yield {"organisation_id": str(found.id), "slot": str(line.slot), "director": line.director}


def _rules(read: AgreementDocument) -> Iterator[dict[str, Any]]:
    for line in read.rules:
        for category, consent in line.categories.items():
            yield {
                "rule": line.id,
                "category": str(category),
                "source": str(line.source),
                "recipient": str(line.recipient),
                "purpose": str(line.purpose),
                "functions": sorted(line.functions),
                "ground": str(line.ground),
                "exceptions": sorted(line.exceptions),
                "consent": str(consent),
            }


def _not_next(read: AgreementDocument, known: Record | None) -> Iterator[Fault]:
    """What is wrong with it as the successor of the latest version there is."""
    expected = 1 if known is None else known["version"] + 1
    if read.version != expected:
        yield Fault("/version", f"The next version of this agreement is {expected}.")
    if known is None:
        return
    for name, now in (("kind", read.kind), ("municipality", read.municipality), ("rests_on", read.rests_on)):
        if known[name] != now:
            yield Fault(f"/{to_camel(name)}", "A new version cannot change this: make another agreement.")


def _not_resting(read: AgreementDocument, base: Record | None) -> Iterator[Fault]:
    """What is wrong with it as an agreement that rests on another."""
    if read.rests_on is None:
        return
    if base is None:
        yield Fault("/restsOn", "No such agreement is registered.")
        return
    if base["municipality"] != read.municipality:
        yield Fault("/restsOn", "That agreement is of another municipality.")
    if base["kind"] == AgreementKind.SIDE_AGREEMENT:
        yield Fault("/restsOn", "That is a side agreement itself.")
    below = document.read(base["document"])
    if read.kind is AgreementKind.SIDE_AGREEMENT and not isinstance(below, Objection):
        for sentence in soundness.widening(read.value(), below.value()):
            yield Fault("/rules", sentence)
