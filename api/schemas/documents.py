"""Wire types of the documents of a dossier (stukken)."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from api.schemas.base import Instant, ShortText, Wire
from api.schemas.dossiers import SectionCategory
from api.vocabulary import DataCategory, DocumentState, DocumentType, DocumentWithdrawalReason


class NewDocument(Wire):
    """Announce a document: what it is, before its content comes. Its title goes here, and never in an address."""

    category: SectionCategory = Field(description="The section that it belongs to, and crosses with.")
    media_type: DocumentType = Field(examples=["application/pdf"])
    title: ShortText = Field(description="What it is called (titel van het stuk).", examples=["Invented decision"])


class NewDocumentWithdrawal(Wire):
    """Take a document back. It cannot be undone."""

    reason: DocumentWithdrawalReason


class DocumentWithdrawal(Wire):
    """That a document was taken back (intrekking van een stuk): delete what you have of it."""

    reason: DocumentWithdrawalReason
    withdrawn_at: Instant


class Document(Wire):
    """A document (stuk) of a dossier. Nothing sealed is opened for it."""

    id: UUID
    dossier_id: UUID
    category: DataCategory
    media_type: DocumentType
    state: DocumentState
    length: int | None = Field(default=None, description="Bytes of the content, once it is there.")
    added_at: Instant
    stored_at: Instant | None = None
    withdrawal: DocumentWithdrawal | None = Field(default=None, description="Of one that was taken back.")


class ListedDocument(Document):
    """A document in the list of its dossier."""

    title: ShortText | None = Field(default=None, description="Not of one that was taken back.")
