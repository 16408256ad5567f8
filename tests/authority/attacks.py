"""Every operation as a request that its rightful party may make, and the stage on which it may: for the sweep.

Ids stand in a mapping by name, so that the same request can be made about something else, or about nothing.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from api.disclosure import authority
from api.schemas.delays import NewDelay
from api.schemas.emergencies import NewEmergency
from api.schemas.erasures import NewErasure
from api.vocabulary import EmergencyReason, ErasureGround, Municipality, Purpose, RestrictionGround
from tests import agreeing, audit_store, payload_kit
from tests import dealings as dealing
from tests.actor import ANY_VERSION
from tests.dealings import BODY, IDENTITY, Dealings, v_number, wire
from tests.documents_kit import Attached, announced, pdf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from api.disclosure.authority import Operation
    from tests.actor import Actor
    from tests.exchange import Exchange

    Ids = Mapping[str, Any]
    Body = Callable[[Ids], Any]

SCREENING: Final = Purpose.LEGAL_SCREENING
RESIDENCE: Final = Purpose.RESIDENCE_ADVICE


@dataclass(frozen=True)
class Attack:
    """One operation: how it is asked, by which member rightly, and who acts. `about`: the ids that it names."""

    operation: Operation
    method: str
    path: str
    by: str
    body: Body | None = None
    purpose: Purpose | None = None
    about: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    person: str | None = None

    async def made(self, actor: Actor, ids: Ids, **asked: Any) -> httpx.Response:
        """The request, made by somebody."""
        body = None if self.body is None else self.body(ids)
        asked = {"purpose": self.purpose, "headers": dict(self.headers), "person": self.person, **asked}
        return await actor.send(self.method, self.path.format(**ids), body, **asked)

    async def made_of_nothing(self, actor: Actor, ids: Ids, **asked: Any) -> httpx.Response:
        """The request about what does not exist."""
        return await self.made(actor, {**ids, **{name: uuid4() for name in self.about}}, **asked)


def _case(ids: Ids, **members: Any) -> dict[str, Any]:
    return {"caseId": str(ids["case"])} | members


def _request(ids: Ids) -> dict[str, Any]:
    return _case(
        ids,
        supplierId=str(ids["ind"]),
        purpose="legal-screening",
        categories=["identity"],
        proportionalityNote="Weighed.",
    )


_DELIVERY: Final = {"sections": [{"category": "identity", "content": {"name": "made up"}}], "complete": True}
_SHARED: Final = {"perspective": "return", "nextSteps": []}
_CONSENT: Final = ("consent",)
_REQUEST: Final = "/dossier-requests/{request}"
_CHECK: Final = "/admission-checks/{check}"
_DOCUMENTS: Final = "/dossiers/{open}/documents"
CONTENT: Final = pdf(40)

ATTACKS: Final[dict[str, Attack]] = {
    "openCase": Attack(
        authority.OPEN_CASE,
        "POST",
        "/cases",
        "ngo",
        lambda _: {"municipality": "utrecht", "vNumber": v_number(), "functions": ["coordination"]},
    ),
    "readCase": Attack(authority.READ_CASE, "GET", "/cases/{case}", "ngo", about=("case",)),
    "listCases": Attack(authority.LIST_CASES, "GET", "/cases", "ngo"),
    "searchCases": Attack(
        authority.SEARCH_CASES, "POST", "/cases/_search", "ngo", lambda ids: {"vNumber": ids["number"]}
    ),
    "assignCase": Attack(
        authority.ASSIGN_CASE,
        "POST",
        "/cases/{case}/assignments",
        "ngo",
        lambda ids: {"organisationId": str(ids["otherNgo"]), "function": "shelter"},
        about=("case",),
    ),
    "askAdmission": Attack(
        authority.ASK_ADMISSION,
        "POST",
        "/admission-checks",
        "ngo",
        lambda ids: _case(ids, addresseeId=str(ids["ind"])),
        about=("case",),
    ),
    "readAdmission": Attack(
        authority.READ_ADMISSION, "GET", _CHECK, "ind", purpose=Purpose.ADMISSION, about=("check",)
    ),
    "answerAdmission": Attack(
        authority.ANSWER_ADMISSION,
        "POST",
        f"{_CHECK}/answers",
        "ind",
        lambda _: wire(dealing.answers()),
        about=("check",),
    ),
    "decideAdmission": Attack(
        authority.DECIDE_ADMISSION,
        "POST",
        f"{_CHECK}/decisions",
        "municipality",
        lambda _: {"result": "admitted"},
        about=("check",),
    ),
    "recordConsent": Attack(
        authority.RECORD_CONSENT,
        "POST",
        "/consents",
        "ngo",
        lambda ids: ids["newConsent"] | _case(ids),
        about=("case",),
    ),
    "listConsents": Attack(authority.LIST_CONSENTS, "GET", "/consents?caseId={case}", "ngo", about=("case",)),
    "readConsent": Attack(authority.READ_CONSENT, "GET", "/consents/{consent}", "ngo", about=_CONSENT),
    "readConsentReceipt": Attack(authority.READ_RECEIPT, "GET", "/consents/{consent}/receipt", "ngo", about=_CONSENT),
    "reconfirmConsent": Attack(
        authority.RECONFIRM_CONSENT,
        "POST",
        "/consents/{consent}/reconfirmations",
        "ngo",
        lambda ids: {name: ids["newConsent"][name] for name in ("validUntilAt", "evidence")},
        about=_CONSENT,
    ),
    "invalidateConsent": Attack(
        authority.INVALIDATE_CONSENT,
        "POST",
        "/consents/{mistaken}/invalidations",
        "ngo",
        lambda _: {"reason": "The wrong person."},
        about=("mistaken",),
    ),
    "withdrawConsent": Attack(
        authority.WITHDRAW_CONSENT, "POST", "/consents/{consent}/withdrawals", "ngo", lambda _: {}, about=_CONSENT
    ),
    "listAgreements": Attack(authority.LIST_AGREEMENTS, "GET", "/agreements", "auditor"),
    "addAgreement": Attack(
        authority.ADD_AGREEMENT, "POST", "/agreements", "operator", lambda ids: {"document": ids["document"]}
    ),
    "readAgreement": Attack(
        authority.READ_AGREEMENT, "GET", "/agreements/{agreement}", "auditor", about=("agreement",)
    ),
    "signAgreement": Attack(
        authority.SIGN_AGREEMENT,
        "POST",
        "/agreements/{agreement}/signatures",
        "ngo",
        lambda ids: ids["signature"],
        about=("agreement",),
    ),
    "listOrganisations": Attack(authority.LIST_ORGANISATIONS, "GET", "/organisations", "auditor"),
    "requestDossier": Attack(authority.REQUEST_DOSSIER, "POST", "/dossier-requests", "ngo", _request, about=("case",)),
    "listDossierRequests": Attack(authority.LIST_REQUESTS, "GET", "/dossier-requests", "ngo"),
    "previewDossierRequest": Attack(
        authority.PREVIEW_DOSSIER, "POST", "/dossier-requests/_preview", "ngo", _request, about=("case",)
    ),
    "readDossierRequest": Attack(authority.READ_REQUEST, "GET", _REQUEST, "ind", purpose=SCREENING, about=("request",)),
    "acknowledgeDossierRequest": Attack(
        authority.ACKNOWLEDGE_REQUEST, "POST", f"{_REQUEST}/acknowledgements", "ind", about=("request",)
    ),
    "refuseDossierRequest": Attack(
        authority.REFUSE_REQUEST,
        "POST",
        f"{_REQUEST}/refusals",
        "ind",
        lambda _: {"reason": "no-file-found"},
        about=("request",),
    ),
    "cancelDossierRequest": Attack(
        authority.CANCEL_REQUEST, "POST", "/dossier-requests/{another}/cancellations", "ngo", about=("another",)
    ),
    "deliverDossier": Attack(
        authority.DELIVER_DOSSIER,
        "POST",
        "/dossier-requests/{third}/deliveries",
        "ind",
        lambda _: _DELIVERY,
        about=("third",),
    ),
    "readDossier": Attack(
        authority.READ_DOSSIER, "GET", "/dossiers/{dossier}", "ngo", purpose=SCREENING, about=("dossier",)
    ),
    "readManifest": Attack(
        authority.READ_MANIFEST, "GET", "/dossiers/{dossier}/manifest", "ngo", purpose=SCREENING, about=("dossier",)
    ),
    "attachDocument": Attack(
        authority.ATTACH_DOCUMENT,
        "POST",
        _DOCUMENTS,
        "ind",
        lambda _: {"category": "identity", "mediaType": "application/pdf", "title": "Made up"},
        about=("open",),
    ),
    "storeDocument": Attack(
        authority.STORE_DOCUMENT,
        "PUT",
        f"{_DOCUMENTS}/{{awaited}}",
        "ind",
        lambda _: CONTENT,
        about=("awaited",),
        headers=announced(CONTENT),
    ),
    "listDocuments": Attack(authority.LIST_DOCUMENTS, "GET", _DOCUMENTS, "ngo", purpose=SCREENING, about=("open",)),
    "readDocument": Attack(
        authority.READ_DOCUMENT, "GET", f"{_DOCUMENTS}/{{stored}}", "ngo", purpose=SCREENING, about=("stored",)
    ),
    "withdrawDocument": Attack(
        authority.WITHDRAW_DOCUMENT,
        "POST",
        f"{_DOCUMENTS}/{{mistake}}/withdrawals",
        "ind",
        lambda _: {"reason": "wrong-person"},
        about=("mistake",),
    ),
    "declareEmergency": Attack(
        authority.DECLARE_EMERGENCY,
        "POST",
        "/emergencies",
        "ngo",
        lambda ids: _case(ids, reason="unconscious", reference="NGO-2026-1"),
        about=("case",),
        person="worker-1",
    ),
    "readEmergency": Attack(authority.READ_EMERGENCY, "GET", "/emergencies/{emergency}", "ngo", about=("emergency",)),
    "endEmergency": Attack(
        authority.END_EMERGENCY, "POST", "/emergencies/{emergency}/endings", "ngo", about=("emergency",)
    ),
    "shareOutcome": Attack(
        authority.SHARE_OUTCOME,
        "POST",
        "/screening-outcomes",
        "ngo",
        lambda ids: _case(ids, sharedOutcome=_SHARED),
        about=("case",),
    ),
    "listOutcomes": Attack(authority.LIST_OUTCOMES, "GET", "/screening-outcomes?caseId={case}", "ngo", about=("case",)),
    "readOutcome": Attack(
        authority.READ_OUTCOME, "GET", "/screening-outcomes/{outcome}", "ind", purpose=RESIDENCE, about=("outcome",)
    ),
    "readOutcomeEvidence": Attack(
        authority.READ_OUTCOME_EVIDENCE, "GET", "/screening-outcomes/{outcome}/evidence", "ngo", about=("outcome",)
    ),
    "requestAdvice": Attack(
        authority.REQUEST_ADVICE,
        "POST",
        "/advice-requests",
        "ngo",
        lambda ids: _case(ids, addresseeId=str(ids["ind"]), purpose="residence-advice", question="?"),
        about=("case",),
    ),
    "listAdviceRequests": Attack(authority.LIST_ADVICE_REQUESTS, "GET", "/advice-requests", "ngo"),
    "readAdviceRequest": Attack(
        authority.READ_ADVICE_REQUEST, "GET", "/advice-requests/{asked}", "ind", purpose=RESIDENCE, about=("asked",)
    ),
    "giveAdvice": Attack(
        authority.GIVE_ADVICE,
        "POST",
        "/advice",
        "ind",
        lambda ids: {
            "adviceRequestId": str(ids["asked"]),
            "answer": "advice",
            "summary": "Made up.",
            "body": wire(BODY),
        },
        about=("asked",),
    ),
    "readAdvice": Attack(authority.READ_ADVICE, "GET", "/advice/{advice}", "ngo", purpose=RESIDENCE, about=("advice",)),
    "readAdviceEvidence": Attack(
        authority.READ_ADVICE_EVIDENCE,
        "GET",
        "/advice/{advice}/evidence",
        "ngo",
        purpose=RESIDENCE,
        about=("advice",),
    ),
    "listAdvice": Attack(
        authority.LIST_ADVICE, "GET", "/advice?caseId={case}", "ngo", purpose=RESIDENCE, about=("case",)
    ),
    "listDisclosures": Attack(
        authority.LIST_DISCLOSURES, "GET", "/persons/{person}/disclosures", "ngo", about=("person",)
    ),
    "readEvents": Attack(authority.READ_EVENTS, "GET", "/events", "ngo"),
    "readFlow": Attack(authority.READ_FLOW, "GET", "/statistics/flow?referenceDate=2019-12-31", "ngo"),
    "searchAudit": Attack(authority.SEARCH_AUDIT, "POST", "/audit/entries/_search", "auditor", lambda _: {}),
    "exportAudit": Attack(
        authority.EXPORT_AUDIT,
        "POST",
        "/audit/entries/_export",
        "auditor",
        lambda _: {"query": "seq:0", "format": "csv", "reason": "periodic-review", "reference": "AUD-2026-1"},
    ),
    "listSignals": Attack(authority.LIST_SIGNALS, "GET", "/audit/signals", "auditor"),
    "decideDelay": Attack(
        authority.DECIDE_DELAY,
        "POST",
        "/audit/delays",
        "auditor",
        lambda ids: {
            "index": ids["seen"],
            "ground": "oversight",
            "reference": "AUD-2026-3",
            "untilAt": ids["soon"],
        },
    ),
    "reviewDelay": Attack(
        authority.REVIEW_DELAY,
        "POST",
        "/audit/delays/{delay}/reviews",
        "auditor",
        lambda _: {"outcome": "upheld", "reference": "AUD-2026-4"},
        about=("delay",),
    ),
    "listDelays": Attack(authority.LIST_DELAYS, "GET", "/audit/delays", "auditor"),
    "readDelay": Attack(authority.READ_DELAY, "GET", "/audit/delays/{delay}", "auditor", about=("delay",)),
    "reviewEmergency": Attack(
        authority.REVIEW_EMERGENCY,
        "POST",
        "/audit/emergencies/{over}/reviews",
        "auditor",
        lambda _: {"outcome": "justified", "reference": "AUD-2026-5"},
        about=("over",),
        person="officer-1",
    ),
    "listEmergencies": Attack(authority.LIST_EMERGENCIES, "GET", "/audit/emergencies", "auditor"),
    "readReviewedEmergency": Attack(
        authority.READ_REVIEWED_EMERGENCY, "GET", "/audit/emergencies/{over}", "auditor", about=("over",)
    ),
    "openIdentity": Attack(
        authority.OPEN_IDENTITY,
        "POST",
        "/audit/identities/_open",
        "auditor",
        lambda ids: {"personAlias": str(ids["alias"]), "reason": "complaint", "reference": "AUD-2026-2"},
        about=("alias",),
    ),
    "readAudit": Attack(authority.READ_AUDIT, "GET", "/audit/entries/0", "auditor"),
    "proveAudit": Attack(authority.PROVE_AUDIT, "GET", "/audit/entries/0/proof", "auditor"),
    "proveReceipt": Attack(authority.PROVE_RECEIPT, "GET", "/audit/receipts/{leaf}/proof", "ngo"),
    "readCheckpoint": Attack(authority.READ_CHECKPOINT, "GET", "/audit/checkpoint", "auditor"),
    "proveConsistency": Attack(authority.PROVE_AUDIT, "GET", "/audit/consistency?first=1&second=1", "auditor"),
    "readErasure": Attack(authority.READ_ERASURE, "GET", "/erasures/{erasure}", "auditor", about=("erasure",)),
    "erasePerson": Attack(
        authority.ERASE_PERSON,
        "POST",
        "/erasures",
        "operator",
        lambda ids: {"caseId": str(ids["gone"]), "ground": "objection"},
        about=("gone",),
    ),
    "closeCase": Attack(
        authority.CLOSE_CASE,
        "POST",
        "/cases/{case}/closures",
        "ngo",
        lambda _: {"closedDate": "2026-11-24", "leavingReason": "mob"},
        about=("case",),
        headers=ANY_VERSION,
    ),
}
"""In an order in which all of them can be made once on one stage."""


async def staged(
    exchange: Exchange, *, consented: bool = True, municipality: Municipality = Municipality.UTRECHT
) -> dict[str, Any]:
    """A case on which each operation can be made; the ids that the attacks name."""
    number = v_number()
    dealings = await Dealings.begin(exchange, number=number, municipality=municipality)
    if consented:
        await dealings.consented()
    advised = await dealings.asked()
    consent, mistaken = [await dealings.consent(Purpose.CASE_MEETING, "municipality", IDENTITY) for _ in range(2)]
    # In Amsterdam, where the sweep's municipality is at home: also there it is no party to it.
    raw = agreeing.drafted(exchange, Municipality.AMSTERDAM, "ngo", "ind")
    await agreeing.in_force(exchange, raw)
    opened = await exchange.actor("ngo").get(f"/cases/{dealings.id}")
    await exchange.actor("ngo").get(f"/cases/{dealings.id}")
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)
    erased = NewErasure(case_id=(await Dealings.begin(exchange)).id, ground=ErasureGround.OBJECTION)
    seen = await exchange.rows(
        "SELECT index FROM audit.projection WHERE result = 'permitted' AND categories IS NOT NULL ORDER BY index DESC"
        " LIMIT 2"
    )
    soon = exchange.clock() + timedelta(days=9)
    delay = NewDelay(index=seen[0]["index"], ground=RestrictionGround.OVERSIGHT, reference="AUD-2026-3", until_at=soon)
    await payload_kit.registered(exchange)
    outcome = await payload_kit.posted(exchange, "ngo", "/screening-outcomes", wire(dealings.new_outcome("ind")))
    answer = ATTACKS["giveAdvice"].body
    assert answer is not None
    advice = await payload_kit.posted(exchange, "ind", "/advice", answer({"asked": advised.id}))
    (first,) = await exchange.rows("SELECT leaf_hash FROM audit.leaf WHERE index = 0")
    attached = await Attached.of(exchange, dealings)
    stored, awaited = await attached.stored(CONTENT, "identity"), await attached.awaited("identity")
    mistake = await attached.stored(CONTENT, "identity")
    worker = exchange.ngo.acting("worker-1").emergencies
    urgent = NewEmergency(
        case_id=(await Dealings.begin(exchange)).id, reason=EmergencyReason.ACUTE_MEDICAL, reference="NGO-2026-2"
    )
    over = (await worker.end((await worker.declare(urgent)).value.id)).value
    return {
        "over": over.id,
        "emergency": (await worker.declare(urgent)).value.id,
        "open": attached.dossier,
        "stored": stored.rpartition("/")[2],
        "awaited": awaited.rpartition("/")[2],
        "mistake": mistake.rpartition("/")[2],
        "leaf": urlsafe_b64encode(first["leaf_hash"]).rstrip(b"=").decode(),
        "case": dealings.id,
        "person": dealings.case.person_id,
        "delay": (await exchange.auditor.acting("officer-1").delays.decide(delay)).value.id,
        "seen": seen[1]["index"],
        "soon": soon.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "alias": UUID((await exchange.entry(opened.headers["request-id"]))["person"]),
        "number": number,
        "consent": consent.id,
        "mistaken": mistaken.id,
        "newConsent": wire(dealings.new_consent(Purpose.CASE_MEETING, "municipality", IDENTITY)),
        "check": (await dealings.check()).id,
        "request": (await dealings.requested()).id,
        "another": (await dealings.requested()).id,
        "third": (await dealings.requested()).id,
        "dossier": await dealings.dossier(),
        "outcome": outcome.json()["id"],
        "asked": (await dealings.asked()).id,
        "advice": advice.json()["id"],
        "agreement": raw["id"],
        "erasure": (await exchange.operator.erasures.erase(erased)).value.id,
        "gone": (await Dealings.begin(exchange)).id,
        "signature": agreeing.signed(exchange, raw, "ngo"),
        "document": agreeing.drafted(exchange, Municipality.AMSTERDAM, "ngo", "ind"),
        **{key: exchange.id_of(key) for key in ("ind", "otherNgo")},
    }
