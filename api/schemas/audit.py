"""Wire types of the audit log."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.schemas.base import Instant, ShortText, VNumber, Wire
from api.vocabulary import AuditReason, ExportFormat, Purpose, Result, SignalRule

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
            "withheld, request, after, before, at (day or instant, or a range with `..`), seq (place, or a range), "
            "signal (a rule that found something there)."
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


Reference = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{1,10}(-[0-9]{1,6}){1,3}$",
        description="Number of the auditor's own file (kenmerk), where the motive stands: no name, no V-number.",
        examples=["AUD-2026-14"],
    ),
]
Why = Annotated[AuditReason, Field(description="Why (aanleiding). It stands in the log for good.")]


class AuditExport(AuditSearch):
    """What is to be taken out of the log (uitvoer), in which form, and why. The query stands in the log for good."""

    format: Annotated[
        ExportFormat,
        Field(
            description=(
                "`ndjson`: an `AuditEntry` a line. `csv`: for spreadsheets, without formulas. `evidence`: a tar of the "
                "entries with their proofs, which `ketenbrug audit verify` checks offline."
            )
        ),
    ]
    reason: Why
    reference: Reference
    sample_from: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**53 - 1,
            description=(
                "Instead of a query: one in a hundred of the entries from this place on, drawn by the signed head "
                "(steekproef). Whoever has the head draws the same."
            ),
        ),
    ] = None


class AuditSignal(Wire):
    """What a rule found (signaal): a reason to look, never a verdict. Search `signal:` to find such entries."""

    rule: SignalRule
    index: Annotated[Index, Field(description="The entry at which it was found.")]
    at: Annotated[Instant, Field(description="When that was.")]
    organisation_id: UUID
    client_id: str
    actor: Annotated[str | None, Field(description="Who acted, as the client said.")]
    figure: Annotated[int, Field(description="What was counted.")]
    threshold: Annotated[int, Field(description="What is usual; the operator sets it.")]
    explanation: str
    explanation_dutch: str


class AuditAlias(Wire):
    """An alias of the log that is to be opened (herleiden), and why."""

    person_alias: Annotated[UUID, Field(description="As the entries name the person.")]
    with_v_number: Annotated[bool, Field(description="The V-number too, and not only the cases of the person.")] = False
    reason: Why
    reference: Reference


class AuditIdentity(Wire):
    """Who stands behind an alias. That it was opened stands in the log, and in the person's account."""

    case_ids: Annotated[tuple[UUID, ...], Field(description="As those who work on the cases know them; oldest first.")]
    v_number: Annotated[VNumber | None, Field(description="None where it was not asked for, or where there is none.")]


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
