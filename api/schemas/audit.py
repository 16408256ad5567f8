"""Wire types of the audit log."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.schemas.base import Instant, ShortText, Wire
from api.vocabulary import Purpose, Result

Index = Annotated[int, Field(ge=0, description="Place in the log, from 0.", examples=[41])]
Size = Annotated[int, Field(ge=0, description="Number of entries in the tree.", examples=[1095])]


Query = Annotated[
    str,
    Field(
        max_length=1_000,
        description=(
            "Terms as `key:value`, separated by spaces; all must hold. `-` before a term turns it round; a comma is "
            "between alternatives, `*` in a value for anything, quotes round a value with spaces. Keys: actor, client, "
            "org (id or kind), person (alias), action, object (type or id), purpose, ground, result, reason, category, "
            "withheld, request, after, before, at (day or instant, or a range with `..`), seq (place, or a range)."
        ),
        examples=["action:dossiers.* -result:permitted after:2026-11-01", "org:ngo category:medical,belief"],
    ),
]


class AuditSearch(Wire):
    """What is looked for (auditlog doorzoeken): a query and filters, which all must hold. Nothing gives everything."""

    query: Query = ""
    organisation_id: Annotated[UUID | None, Field(description="Who acted.")] = None
    client_id: Annotated[ShortText | None, Field(description="Which client acted.")] = None
    person_alias: Annotated[UUID | None, Field(description="Whom it is about, as named in the log.")] = None
    action: Annotated[ShortText | None, Field(examples=["dossiers.read"])] = None
    result: Result | None = None
    purpose: Purpose | None = None
    object_type: Annotated[ShortText | None, Field(examples=["dossier"])] = None
    object_id: UUID | None = None
    request_id: Annotated[UUID | None, Field(description="The header `Request-Id` of the answer.")] = None
    after_at: Annotated[Instant | None, Field(description="From this instant on.")] = None
    before_at: Annotated[Instant | None, Field(description="Until just before this instant.")] = None


class AuditEntry(Wire):
    """An entry (logregel). `leaf` is the exact bytes that were logged and hashed; `content` is what they say."""

    index: Index
    content: Annotated[dict[str, Any], Field(description="The members of the entry, as they were logged.")]
    leaf: Annotated[str, Field(description="Base64. Its RFC 6962 leaf hash is what proofs are about.")]


class AuditProof(Wire):
    """That the entry at `index` is in the log (bewijs van opname)."""

    index: Index
    tree_size: Size
    tlog_proof: Annotated[str, Field(description="C2SP tlog-proof: path and signed checkpoint; it stands alone.")]


class AuditCheckpoint(Wire):
    """The signed head of the log (ondertekende stand). Compare it with what others were given."""

    tree_size: Size
    root_hash: Annotated[str, Field(description="Base64.")]
    signed_at: Instant
    checkpoint: Annotated[str, Field(description="C2SP tlog-checkpoint: the text that was signed, with signatures.")]
    verifier_keys: Annotated[
        tuple[str, ...], Field(description="C2SP signed-note verifier keys. Get them from elsewhere too.")
    ]


class AuditConsistency(Wire):
    """That the log of the first size is the beginning of that of the second (bewijs van samenhang)."""

    first: Size
    second: Size
    hashes: Annotated[tuple[str, ...], Field(description="Base64, in the order of RFC 9162 section 2.1.4.")]
