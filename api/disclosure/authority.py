"""Every operation there is. tests/authority/authority.txt prints this table, so that a change of rights is a diff.

An operation has a name (the action in the audit log), one scope, a reach, and the kinds of parties that may ask it.
Which cases and which categories a party then gets is the gate's decision. What it answers is sealed to a client that
registered an encryption key (`api.edge.eyes`), unless it says why anybody may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.vocabulary import CHAIN, Party, Reach, Scope


@dataclass(frozen=True, slots=True)
class Operation:
    """What a caller may ask of us. `clear`: why its answer tells of no person; where nothing is said, it is sealed."""

    name: str
    scope: Scope
    reach: Reach
    parties: frozenset[Party]
    clear: str = ""


_NGO: Final = frozenset({Party.NGO})
_GUIDES: Final = frozenset({Party.NGO, Party.MUNICIPALITY})
_ADMITS: Final = frozenset({Party.IND})
_EXCHANGE: Final = _GUIDES | CHAIN
_OFFICIAL: Final = frozenset({Party.MUNICIPALITY, Party.PROGRAMME, Party.AUDITOR, Party.STEERING_GROUP})
_AUDITOR: Final = frozenset({Party.AUDITOR})
_OPERATOR: Final = frozenset({Party.OPERATOR})
_EVERYBODY: Final = frozenset(Party)

_TERMS: Final = "what organisations agreed, without any person"
_HASHES: Final = "hashes and signatures, which the log publishes"

# Cases
OPEN_CASE: Final = Operation("cases.open", Scope.CASES_WRITE, Reach.OWN, _GUIDES)
READ_CASE: Final = Operation("cases.read", Scope.CASES_READ, Reach.OWN, _GUIDES)
LIST_CASES: Final = Operation("cases.list", Scope.CASES_READ, Reach.OWN, _GUIDES)
SEARCH_CASES: Final = Operation("cases.search", Scope.CASES_READ, Reach.OWN, _GUIDES)
ASSIGN_CASE: Final = Operation("cases.assign", Scope.CASES_WRITE, Reach.OWN, _GUIDES)
CLOSE_CASE: Final = Operation("cases.close", Scope.CASES_WRITE, Reach.OWN, _GUIDES)

# Consents
RECORD_CONSENT: Final = Operation("consents.record", Scope.CONSENTS_WRITE, Reach.OWN, _NGO)
READ_CONSENT: Final = Operation("consents.read", Scope.CONSENTS_READ, Reach.OWN, _NGO)
LIST_CONSENTS: Final = Operation("consents.list", Scope.CONSENTS_READ, Reach.OWN, _NGO)
READ_RECEIPT: Final = Operation("consents.read-receipt", Scope.CONSENTS_READ, Reach.OWN, _NGO)
RECONFIRM_CONSENT: Final = Operation("consents.reconfirm", Scope.CONSENTS_WRITE, Reach.OWN, _NGO)
INVALIDATE_CONSENT: Final = Operation("consents.invalidate", Scope.CONSENTS_WRITE, Reach.OWN, _NGO)
WITHDRAW_CONSENT: Final = Operation("consents.withdraw", Scope.CONSENTS_WRITE, Reach.OWN, _NGO)

# Agreements
ADD_AGREEMENT: Final = Operation(
    "agreements.add", Scope.AGREEMENTS_WRITE, Reach.NONE, _OPERATOR | {Party.MUNICIPALITY}, _TERMS
)
SIGN_AGREEMENT: Final = Operation("agreements.sign", Scope.AGREEMENTS_WRITE, Reach.NONE, _EXCHANGE, _TERMS)
READ_AGREEMENT: Final = Operation("agreements.read", Scope.AGREEMENTS_READ, Reach.NONE, _EVERYBODY, _TERMS)
LIST_AGREEMENTS: Final = Operation("agreements.list", Scope.AGREEMENTS_READ, Reach.NONE, _EVERYBODY, _TERMS)

# Admission
ASK_ADMISSION: Final = Operation("admission-checks.ask", Scope.CASES_WRITE, Reach.OWN, _GUIDES)
READ_ADMISSION: Final = Operation("admission-checks.read", Scope.CASES_READ, Reach.CROSSING, _EXCHANGE)
ANSWER_ADMISSION: Final = Operation("admission-checks.answer", Scope.CASES_WRITE, Reach.OWN, _ADMITS)
DECIDE_ADMISSION: Final = Operation(
    "admission-checks.decide", Scope.CASES_WRITE, Reach.OWN, frozenset({Party.MUNICIPALITY})
)

# Dossier requests and dossiers: which party of the chain supplies what is what agreements say
REQUEST_DOSSIER: Final = Operation("dossier-requests.request", Scope.DOSSIER_REQUESTS_WRITE, Reach.OWN, _NGO)
PREVIEW_DOSSIER: Final = Operation("dossier-requests.preview", Scope.DOSSIER_REQUESTS_READ, Reach.CROSSING, _NGO)
READ_REQUEST: Final = Operation("dossier-requests.read", Scope.DOSSIER_REQUESTS_READ, Reach.CROSSING, _NGO | CHAIN)
LIST_REQUESTS: Final = Operation("dossier-requests.list", Scope.DOSSIER_REQUESTS_READ, Reach.OWN, _NGO | CHAIN)
ACKNOWLEDGE_REQUEST: Final = Operation("dossier-requests.acknowledge", Scope.DOSSIER_REQUESTS_WRITE, Reach.OWN, CHAIN)
REFUSE_REQUEST: Final = Operation("dossier-requests.refuse", Scope.DOSSIER_REQUESTS_WRITE, Reach.OWN, CHAIN)
CANCEL_REQUEST: Final = Operation("dossier-requests.cancel", Scope.DOSSIER_REQUESTS_WRITE, Reach.OWN, _NGO)
DELIVER_DOSSIER: Final = Operation("dossier-requests.deliver", Scope.DOSSIERS_WRITE, Reach.OWN, CHAIN)
READ_DOSSIER: Final = Operation("dossiers.read", Scope.DOSSIERS_READ, Reach.CROSSING, _NGO | CHAIN)
READ_MANIFEST: Final = Operation("dossiers.read-manifest", Scope.DOSSIERS_READ, Reach.CROSSING, _NGO | CHAIN)
ATTACH_DOCUMENT: Final = Operation("documents.attach", Scope.DOSSIERS_WRITE, Reach.OWN, CHAIN)
STORE_DOCUMENT: Final = Operation(
    "documents.store", Scope.DOSSIERS_WRITE, Reach.OWN, CHAIN, clear="it says nothing but that it is done"
)
WITHDRAW_DOCUMENT: Final = Operation("documents.withdraw", Scope.DOSSIERS_WRITE, Reach.OWN, CHAIN)
LIST_DOCUMENTS: Final = Operation("documents.list", Scope.DOSSIERS_READ, Reach.CROSSING, _NGO | CHAIN)
READ_DOCUMENT: Final = Operation("documents.read", Scope.DOSSIERS_READ, Reach.CROSSING, _NGO | CHAIN)

# Emergencies
DECLARE_EMERGENCY: Final = Operation("emergencies.declare", Scope.CASES_WRITE, Reach.OWN, _NGO)
END_EMERGENCY: Final = Operation("emergencies.end", Scope.CASES_WRITE, Reach.OWN, _NGO)
READ_EMERGENCY: Final = Operation("emergencies.read", Scope.CASES_READ, Reach.OWN, _NGO)

# Screening outcomes
SHARE_OUTCOME: Final = Operation("screening-outcomes.share", Scope.SCREENING_OUTCOMES_WRITE, Reach.OWN, _NGO)
READ_OUTCOME: Final = Operation("screening-outcomes.read", Scope.SCREENING_OUTCOMES_READ, Reach.CROSSING, _EXCHANGE)
READ_OUTCOME_EVIDENCE: Final = Operation(
    "screening-outcomes.read-evidence", Scope.SCREENING_OUTCOMES_READ, Reach.OWN, _NGO
)
LIST_OUTCOMES: Final = Operation("screening-outcomes.list", Scope.SCREENING_OUTCOMES_READ, Reach.OWN, _NGO)

# Advice
REQUEST_ADVICE: Final = Operation("advice-requests.request", Scope.ADVICE_REQUESTS_WRITE, Reach.OWN, _GUIDES)
READ_ADVICE_REQUEST: Final = Operation("advice-requests.read", Scope.ADVICE_REQUESTS_READ, Reach.CROSSING, _EXCHANGE)
LIST_ADVICE_REQUESTS: Final = Operation("advice-requests.list", Scope.ADVICE_REQUESTS_READ, Reach.OWN, _EXCHANGE)
GIVE_ADVICE: Final = Operation("advice.give", Scope.ADVICE_WRITE, Reach.OWN, CHAIN)
READ_ADVICE: Final = Operation("advice.read", Scope.ADVICE_READ, Reach.CROSSING, _EXCHANGE)
READ_ADVICE_EVIDENCE: Final = Operation("advice.read-evidence", Scope.ADVICE_READ, Reach.CROSSING, _EXCHANGE)
LIST_ADVICE: Final = Operation("advice.list", Scope.ADVICE_READ, Reach.CROSSING, _GUIDES)

# Events and figures
READ_EVENTS: Final = Operation("events.read", Scope.EVENTS_READ, Reach.NONE, _EXCHANGE)
READ_FLOW: Final = Operation(
    "statistics.flow", Scope.STATISTICS_READ, Reach.NONE, _EXCHANGE | _OFFICIAL, "figures, with small cells suppressed"
)

# The person's own account
LIST_DISCLOSURES: Final = Operation("persons.list-disclosures", Scope.PERSONS_READ, Reach.OWN, _NGO)

# Supervision
SEARCH_AUDIT: Final = Operation("audit.search", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
EXPORT_AUDIT: Final = Operation("audit.export", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
OPEN_IDENTITY: Final = Operation("audit.read-identity", Scope.PERSONS_READ, Reach.SUPERVISION, _AUDITOR)
LIST_SIGNALS: Final = Operation("audit.list-signals", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
READ_AUDIT: Final = Operation("audit.read", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
PROVE_AUDIT: Final = Operation("audit.prove", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR, _HASHES)
PROVE_RECEIPT: Final = Operation("audit.prove-receipt", Scope.AUDIT_READ_OWN, Reach.NONE, _EVERYBODY, _HASHES)
READ_CHECKPOINT: Final = Operation("audit.checkpoint", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR, _HASHES)
DECIDE_DELAY: Final = Operation("audit.delay-disclosure", Scope.AUDIT_WRITE, Reach.SUPERVISION, _AUDITOR)
REVIEW_DELAY: Final = Operation("audit.review-delay", Scope.AUDIT_WRITE, Reach.SUPERVISION, _AUDITOR)
LIST_DELAYS: Final = Operation("audit.list-delays", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
READ_DELAY: Final = Operation("audit.read-delay", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
REVIEW_EMERGENCY: Final = Operation("audit.review-emergency", Scope.AUDIT_WRITE, Reach.SUPERVISION, _AUDITOR)
LIST_EMERGENCIES: Final = Operation("audit.list-emergencies", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
READ_REVIEWED_EMERGENCY: Final = Operation("audit.read-emergency", Scope.AUDIT_READ, Reach.SUPERVISION, _AUDITOR)
LIST_ORGANISATIONS: Final = Operation(
    "organisations.list", Scope.AGREEMENTS_READ, Reach.NONE, _EVERYBODY, "who takes part is public"
)

# Erasure
ERASE_PERSON: Final = Operation("erasures.erase", Scope.ADMIN_WRITE, Reach.SUPERVISION, _OPERATOR)
READ_ERASURE: Final = Operation("erasures.read", Scope.PERSONS_READ, Reach.SUPERVISION, _OPERATOR | _AUDITOR)

LOOKUPS: Final = frozenset({OPEN_CASE, SEARCH_CASES})
"""Those that take a V-number: what they can be used for is finding out who is known here, so they have a limit."""

# Outside /v1, beside what `api.oauth` names: administration
IMPORT_POPULATION: Final = "statistics.import"
ADOPT_LOG: Final = "audit.adopt"
RETAIN_LOG: Final = "audit.retain"
EXPORT_LOG: Final = "audit.export-log"
REINDEX_LOG: Final = "audit.reindex"
TURN_PAGE: Final = "audit.turn-page"

OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Operation)
)
