"""The statement on the documents of a dossier, also those that were withdrawn. Titles are opened under a permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Integer, Text, Uuid, any_, bindparam, func, select, union

from api.crypto.tables import person_key
from api.dossiers import withdrawal_store as withdrawals
from api.dossiers.model import Listed
from api.dossiers.tables import DOCUMENT, document, document_withdrawal
from api.persons import store as persons
from api.storage.statement import statement
from api.vocabulary import DataCategory, DocumentId, DocumentType

if TYPE_CHECKING:
    from uuid import UUID

    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.storage.unit import Record
    from api.vocabulary import DossierId

_LISTED: Final = union(
    *(
        select(each.label("id")).where(
            each.table.c.dossier_id == bindparam("dossier_id"),
            each.table.c.category == any_(bindparam("categories", type_=ARRAY(Text))),
            each.table.c.stored_at.is_not(None) | bindparam("awaited_too"),
            each < bindparam("before"),
        )
        for each in (document.c.id, document_withdrawal.c.document_id)
    )
).subquery("listed")
_LIST: Final = statement(
    # One statement, so that what is withdrawn meanwhile is either there or gone, and never neither.
    select(
        *DOCUMENT.selected("title"),
        *(
            func.coalesce(document_withdrawal.c[name], document.c[name]).label(name)
            for name in ("category", "media_type", "added_at", "stored_at")
        ),
        _LISTED.c.id.label("listed"),
        document_withdrawal.c.reason,
        document_withdrawal.c.withdrawn_at,
        *persons.KEY_COLUMNS,
    )
    .select_from(_LISTED)
    .outerjoin(document, document.c.id == _LISTED.c.id)
    .outerjoin(document_withdrawal, document_withdrawal.c.document_id == _LISTED.c.id)
    .join(person_key, person_key.c.person_id == bindparam("person_id", type_=Uuid))
    .where(func.coalesce(document.c.person_id, person_key.c.person_id) == person_key.c.person_id)
    .order_by(_LISTED.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)


async def listed(
    permit: Permit, call: Call, dossier_id: DossierId, before: UUID, most: int, *, awaited_too: bool
) -> list[Listed]:
    """The documents of the categories that the permit names, also those that were withdrawn, newest first.

    This is the unit's last statement.
    """
    (person,) = permit.persons
    rows = await call.unit.last(
        _LIST(
            dossier_id=dossier_id,
            person_id=person,
            categories=[str(category) for category in permit.categories],
            awaited_too=awaited_too,
            before=before,
            most=most,
        )
    )
    await call.vault.take(persons.wrapped(rows))
    return [
        _opened(permit, call, row) if row["reason"] is None else withdrawals.gone(row["listed"], row) for row in rows
    ]


def _opened(permit: Permit, call: Call, row: Record) -> Listed:
    (person,) = permit.persons
    return Listed(
        DocumentId(DOCUMENT.row(row)),
        DataCategory(DOCUMENT.value(row, "category")),
        DocumentType(DOCUMENT.value(row, "media_type")),
        row["added_at"],
        row["stored_at"],
        DOCUMENT.value(row, "length"),
        call.vault.open_row(person, DOCUMENT, row, ("title",))["title"],
    )
