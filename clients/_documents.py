"""Documents of a dossier (stukken), for who supplies them (the IND, as agreements are now) and for NGOs that read them.

They stream: neither side holds one whole in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.documents import Document, ListedDocument, NewDocument, NewDocumentWithdrawal
from clients._messages import path
from clients._rooms import D, Room, creates, fetches, listing, operation, paged, reads, stores

if TYPE_CHECKING:
    from uuid import UUID

    from api.vocabulary import Purpose
    from clients._messages import Call, Sink
    from clients._rooms import Series
    from clients.documents import Content


class ReceivedDocuments(Room[D]):
    """Documents of a dossier, for the NGO that receives it."""

    @listing("documents.list")
    def list(
        self, dossier_id: UUID, *, purpose: Purpose, limit: int | None = None
    ) -> Series[Page[ListedDocument], ListedDocument]:
        """The documents of the sections that you may see, newest first; `limit` items at most a page."""
        at, query = path("dossiers", dossier_id, "documents"), (("limit", limit),)
        return paged(reads(at, Page[ListedDocument], purpose=purpose, query=query))

    @operation("documents.read")
    def read(self, dossier_id: UUID, document_id: UUID, into: Sink, *, purpose: Purpose, start: int = 0) -> Call[None]:
        """Write the content, from byte `start` on, into a file that is open for writing bytes.

        What was written when it fails is a true beginning: go on behind it with `start`.
        """
        return fetches(path("dossiers", dossier_id, "documents", document_id), document_id, into, start, purpose)


class SuppliedDocuments(Room[D]):
    """Documents of a dossier, for who supplies it."""

    @operation("documents.attach")
    def attach(self, dossier_id: UUID, new: NewDocument, *, key: UUID | None = None) -> Call[Document]:
        """Announce a document, while the request runs. Then `store` its content."""
        return creates(path("dossiers", dossier_id, "documents"), Document, new, key)

    @operation("documents.store")
    def store(self, dossier_id: UUID, document_id: UUID, content: Content) -> Call[None]:
        """Send the content of a document. It is there once all of it came; the same one may be sent again."""
        return stores(path("dossiers", dossier_id, "documents", document_id), content, document_id)

    @operation("documents.withdraw")
    def withdraw(
        self, dossier_id: UUID, document_id: UUID, withdrawal: NewDocumentWithdrawal, *, key: UUID | None = None
    ) -> Call[Document]:
        """Take a document back, at any time: what it says is destroyed, and the NGO is told to delete what it has."""
        at = path("dossiers", dossier_id, "documents", document_id, "withdrawals")
        return creates(at, Document, withdrawal, key)

    @listing("documents.list")
    def list(self, dossier_id: UUID, *, limit: int | None = None) -> Series[Page[ListedDocument], ListedDocument]:
        """The documents that you supplied, newest first, also those that are awaited or were taken back."""
        at, query = path("dossiers", dossier_id, "documents"), (("limit", limit),)
        return paged(reads(at, Page[ListedDocument], query=query))

    @operation("documents.read")
    def read(self, dossier_id: UUID, document_id: UUID, into: Sink, *, start: int = 0) -> Call[None]:
        """Write a content that you supplied, from byte `start` on, into a file that is open for writing bytes."""
        return fetches(path("dossiers", dossier_id, "documents", document_id), document_id, into, start)
