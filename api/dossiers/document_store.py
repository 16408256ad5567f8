"""Statements on documents and on the parts of their content. What is sealed is opened only under a permit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, exists, insert, literal_column, select, update

from api.cases import situation
from api.crypto import stream
from api.crypto.rows import SEAL, digest, named
from api.crypto.tables import person_key
from api.dossiers import request_store as requests
from api.dossiers.document_keys import Secret
from api.dossiers.model import DocumentFacts
from api.dossiers.tables import DOCUMENT, document, document_part, document_withdrawal, dossier
from api.errors import Overloaded
from api.persons import store as persons
from api.storage.statement import statement
from api.vocabulary import DataCategory, DocumentId, DocumentType, DossierId

if TYPE_CHECKING:
    from uuid import UUID

    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.dossiers.model import DossierFacts, NewDocument
    from api.dossiers.uploads import Taken
    from api.storage.unit import Record, Unit

PART: Final = 32 * stream.SEALED_CHUNK
"""Bytes of a part: whole chunks."""

_ABANDONED: Final = timedelta(hours=1)
"""After which no attempt is under way any more: longer than an upload may take."""
_AWAITED: Final = timedelta(days=1)
"""How long a content is awaited: as long as the idempotency key of its announcement is known."""

_THERE: Final = ~exists().where(document_withdrawal.c.document_id == document.c.id)
"""A legal hold may keep what was withdrawn; nobody gets it."""

_FACTS: Final = requests.FACTS.add_columns(
    document.c.id.label("document_id"),
    document.c.category,
    document.c.media_type,
    document.c.added_at,
    document.c.stored_at,
    document.c.length,
    document.c.upload,
    document.c.fingerprint,
    document.c.seal.label("document_seal"),
).join(document, document.c.dossier_id == dossier.c.id)
_FIND: Final = statement(
    _FACTS.where(dossier.c.id == bindparam("dossier_id"), document.c.id == bindparam("document_id"), _THERE)
)
_INSERT: Final = statement(
    insert(document),
    "id",
    "dossier_id",
    "person_id",
    "category",
    "media_type",
    "title",
    "secret",
    "seal",
    "length",
    "upload",
    "fingerprint",
    "added_at",
    "stored_at",
)
_HOLD: Final = statement(
    select(*DOCUMENT.selected())
    .where(document.c.id == bindparam("document_id"), document.c.upload.is_(None))
    .with_for_update()
)
_STORED: Final = statement(
    update(document)
    .where(document.c.id == bindparam("document_id"))
    .values(
        secret=bindparam("new_secret", type_=document.c.secret.type),
        seal=bindparam("new_seal"),
        length=bindparam("new_length"),
        upload=bindparam("new_upload"),
        fingerprint=bindparam("new_fingerprint"),
        stored_at=bindparam("at"),
    )
)
_OPEN: Final = statement(
    select(*DOCUMENT.selected("secret"), *persons.KEY_COLUMNS)
    .join(person_key, person_key.c.person_id == document.c.person_id)
    .where(
        document.c.id == bindparam("document_id"),
        document.c.person_id == bindparam("person_id"),
        document.c.upload == bindparam("of_upload"),
        _THERE,
    )
)
_ADD_PART: Final = statement(insert(document_part), "upload", "number", "content", "stored_at")
_PART: Final = statement(
    select(document_part.c.content)
    .join(document, document.c.upload == document_part.c.upload)
    .where(
        document.c.id == bindparam("document_id"),
        document_part.c.upload == bindparam("of_upload"),
        document_part.c.number == bindparam("of_number"),
        _THERE,
    )
)
_DISCARD: Final = statement(delete(document_part).where(document_part.c.upload == bindparam("of_upload")))
_ORPHANS: Final = (
    select(document_part.c.upload)
    .where(
        document_part.c.number == literal_column("0"),
        document_part.c.stored_at < bindparam("before", type_=document_part.c.stored_at.type),
        ~exists().where(document.c.upload == document_part.c.upload),
    )
    .limit(literal_column("10"))
)
_COLLECT: Final = statement(delete(document_part).where(document_part.c.upload.in_(_ORPHANS)))
_FORGET: Final = statement(
    delete(document).where(
        document.c.upload.is_(None), document.c.added_at < bindparam("before", type_=document.c.added_at.type), _THERE
    )
)


async def find(call: Call, dossier_id: DossierId, document_id: DocumentId) -> DocumentFacts | None:
    """A document and the situation of the caller around it, or None."""
    asked = {"dossier_id": dossier_id, "document_id": document_id, **situation.binds(call)}
    row = await call.unit.one(_FIND(**asked))
    return None if row is None else await _facts(call, row)


async def add(call: Call, document_id: DocumentId, facts: DossierFacts, new: NewDocument) -> None:
    """Add a document whose content is awaited."""
    person = facts.situation.person
    await persons.take_keys(call.unit, call.vault, person)
    clear: dict[str, Any] = {
        "id": document_id,
        "dossier_id": facts.id,
        "person_id": person,
        "category": str(new.category),
        "media_type": str(new.media_type),
        "added_at": call.unit.now,
        **dict.fromkeys(("length", "upload", "fingerprint", "stored_at")),
    }
    values = {"title": new.title, "secret": None}
    await call.unit.run(_INSERT(**call.vault.row(person, DOCUMENT, values, clear)))


async def complete(permit: Permit, call: Call, facts: DocumentFacts, taken: Taken, fingerprint: bytes) -> None:
    """Let the parts of an upload be the content of a document that awaits it. Raises `Overloaded` if none does."""
    (person,) = permit.persons
    await persons.take_keys(call.unit, call.vault, person)
    rows = await call.unit.run(_HOLD(document_id=facts.id))
    if not rows:
        raise Overloaded
    (row,) = rows
    call.vault.open_row(person, DOCUMENT, row, ())
    kept = {"title": DOCUMENT.value(row, "title")}
    bound = DOCUMENT.bound_in(row) | {"length": taken.length, "upload": taken.upload}
    sealed = call.vault.seal_row(person, DOCUMENT, facts.id, {"secret": taken.secret.stored()}, bound, kept)
    await call.unit.run(
        _STORED(
            document_id=facts.id,
            new_secret=sealed["secret"],
            new_seal=sealed[SEAL],
            new_length=taken.length,
            new_upload=taken.upload,
            new_fingerprint=fingerprint,
            at=call.unit.now,
        )
    )


async def open_secret(permit: Permit, call: Call, facts: DocumentFacts) -> Secret:
    """What opens the content of a document. This is the unit's last statement: it commits the entry that names it.

    Raises `Overloaded` when it was there a statement ago: the person was erased in between.
    """
    if facts.category not in permit.categories:
        raise AssertionError("the gate names the category or refuses")
    (person,) = permit.persons
    rows = await call.unit.last(_OPEN(document_id=facts.id, person_id=person, of_upload=facts.upload))
    row = await persons.opening(call.vault, rows)
    return Secret.read(call.vault.open_row(person, DOCUMENT, row, ("secret",))["secret"])


async def add_part(unit: Unit, upload: UUID, number: int, content: bytes) -> None:
    """Store a part of an upload."""
    await unit.run(_ADD_PART(upload=upload, number=number, content=content, stored_at=unit.now))


async def part(unit: Unit, document_id: DocumentId, upload: UUID, number: int) -> bytes | None:
    """A part of the content of a document that is there still, or None."""
    row = await unit.one(_PART(document_id=document_id, of_upload=upload, of_number=number))
    return None if row is None else bytes(row["content"])


async def discard(unit: Unit, upload: UUID) -> None:
    """Delete the parts of an upload."""
    await unit.run(_DISCARD(of_upload=upload))


async def collect(unit: Unit) -> None:
    """Delete parts that no document names (broken off, or of who was erased), and what was announced and never came."""
    await unit.run(_COLLECT(before=unit.now - _ABANDONED))
    await unit.run(_FORGET(before=unit.now - _AWAITED))


async def _facts(call: Call, row: Record) -> DocumentFacts:
    document_id = DocumentId(row["document_id"])
    return DocumentFacts(
        document_id,
        DossierId(row["dossier_id"]),
        DataCategory(row["category"]),
        DocumentType(row["media_type"]),
        row["added_at"],
        row["stored_at"],
        row["length"],
        row["upload"],
        row["fingerprint"],
        await requests.facts_of(call, row),
        {named(document, document_id): digest(row["document_seal"])},
    )
