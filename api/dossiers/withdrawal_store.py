"""Statements on documents that were withdrawn. The row of a document and its parts go; that it was there stays.

While a legal hold on the person stands they stay too, out of everybody's reach, and go when it is released.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, exists, insert, select

from api.custody import custodian
from api.dossiers import document_store
from api.dossiers.model import Listed, Withdrawal
from api.dossiers.tables import document, document_withdrawal
from api.oauth import operator
from api.persons import store as persons
from api.persons.tables import legal_hold, person_alias
from api.storage.statement import statement
from api.vocabulary import DataCategory, DocumentId, DocumentType, DocumentWithdrawalReason

if TYPE_CHECKING:
    from api.disclosure.call import Call
    from api.dossiers.model import DocumentFacts
    from api.storage.unit import Record, Unit
    from api.vocabulary import DossierId

_ADD: Final = statement(
    insert(document_withdrawal).returning(document_withdrawal), *(each.name for each in document_withdrawal.c)
)
_DELETE: Final = statement(delete(document).where(document.c.id == bindparam("document_id")))
_FIND: Final = statement(
    select(document_withdrawal).where(
        document_withdrawal.c.document_id == bindparam("of_document"),
        document_withdrawal.c.dossier_id == bindparam("dossier_id"),
    )
)
_ALIAS: Final = select(person_alias.c.alias).where(person_alias.c.person_id == document.c.person_id)
_RELEASED: Final = statement(
    delete(document)
    .where(
        exists().where(document_withdrawal.c.document_id == document.c.id),
        ~exists().where(legal_hold.c.person_id == document.c.person_id, legal_hold.c.released_at.is_(None)),
    )
    .returning(document.c.id, _ALIAS.scalar_subquery().label("alias"))
)

DESTROY: Final = "documents.destroy"
"""The action, in the audit log."""


async def withdraw(call: Call, facts: DocumentFacts, reason: DocumentWithdrawalReason) -> Listed:
    """Take a document from everybody; its person is locked. Its content and its key go now, unless a hold stands."""
    (row,) = await call.unit.run(
        _ADD(
            document_id=facts.id,
            dossier_id=facts.dossier_id,
            category=str(facts.category),
            media_type=str(facts.media_type),
            added_at=facts.added_at,
            stored_at=facts.stored_at,
            reason=str(reason),
            withdrawn_at=call.unit.now,
        )
    )
    if await persons.held(call.unit, facts.request.situation.person) is None:
        await call.unit.run(_DELETE(document_id=facts.id))
        if facts.upload is not None:
            await document_store.discard(call.unit, facts.upload)
    return gone(facts.id, row)


async def find(call: Call, dossier_id: DossierId, document_id: DocumentId) -> Listed | None:
    """What is left of a document that was withdrawn, or None."""
    row = await call.unit.one(_FIND(of_document=document_id, dossier_id=dossier_id))
    return None if row is None else gone(document_id, row)


async def collect(unit: Unit) -> None:
    """Delete what a hold kept that is released by now, each with its entry. Parts are collected with all others."""
    for row in await unit.run(_RELEASED()):
        custodian.write_down(unit, operator.local(), DESTROY, "document", row["id"], row["alias"])


def gone(document_id: DocumentId, row: Record) -> Listed:
    """What is left of a document that was withdrawn, in a row that selected the columns of its withdrawal."""
    return Listed(
        document_id,
        DataCategory(row["category"]),
        DocumentType(row["media_type"]),
        row["added_at"],
        row["stored_at"],
        withdrawal=Withdrawal(DocumentWithdrawalReason(row["reason"]), row["withdrawn_at"]),
    )
