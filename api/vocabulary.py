"""Where a word is born: the closed lists and id types of the project. Values; no behaviour beyond classification."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType
from uuid import UUID

OrganisationId = NewType("OrganisationId", UUID)
PersonId = NewType("PersonId", UUID)
PersonAlias = NewType("PersonAlias", UUID)
CaseId = NewType("CaseId", UUID)
AgreementId = NewType("AgreementId", UUID)
ConsentId = NewType("ConsentId", UUID)
DossierId = NewType("DossierId", UUID)
DocumentId = NewType("DocumentId", UUID)
DossierRequestId = NewType("DossierRequestId", UUID)
AdmissionCheckId = NewType("AdmissionCheckId", UUID)
ScreeningOutcomeId = NewType("ScreeningOutcomeId", UUID)
AdviceRequestId = NewType("AdviceRequestId", UUID)
AdviceId = NewType("AdviceId", UUID)
EmergencyId = NewType("EmergencyId", UUID)
ClientId = NewType("ClientId", str)


class Party(StrEnum):
    """What kind of organisation acts. `director` is no kind: an agreement gives that role."""

    NGO = "ngo"
    IND = "ind"
    DTV = "dtv"
    AVIM = "avim"
    MUNICIPALITY = "municipality"
    MRT = "mrt"
    STEERING_GROUP = "steering-group"
    PROGRAMME = "programme"
    REPRESENTATIVE = "representative"
    AUDITOR = "auditor"
    OPERATOR = "operator"


CHAIN = frozenset({Party.IND, Party.DTV, Party.AVIM})
"""The migration chain (migratieketen): the state parties that are asked and that advise."""

ADDRESSABLE = CHAIN | {Party.NGO, Party.MUNICIPALITY, Party.MRT, Party.REPRESENTATIVE}
"""Who can ever receive data about a person. The country of origin is not, and cannot be, in this list."""


class CareFunction(StrEnum):
    """Why an organisation is assigned to a case."""

    COORDINATION = "coordination"
    SHELTER = "shelter"
    LEGAL_SCREENING = "legal-screening"
    SOCIAL_GUIDANCE = "social-guidance"
    ACTIVATION = "activation"
    HOUSING = "housing"
    RETURN_GUIDANCE = "return-guidance"


class Purpose(StrEnum):
    """Why data is asked (doelbinding, GDPR article 5(1)(b)). Declared and audited, not proven."""

    ADMISSION = "admission"
    LEGAL_SCREENING = "legal-screening"
    RESIDENCE_ADVICE = "residence-advice"
    RETURN_ADVICE = "return-advice"
    IDENTITY_ADVICE = "identity-advice"
    CASE_MEETING = "case-meeting"
    ESCALATION = "escalation"
    SUBJECT_ACCESS = "subject-access"
    AUDIT_REVIEW = "audit-review"
    EMERGENCY = "emergency"
    """To save a life, of who cannot consent (noodprocedure). Each reading says so by itself."""
    ENFORCEMENT = "enforcement"
    """Exists only to be refused: data given for help is never used for enforcement or detention."""


class LegalGround(StrEnum):
    """The ground of a disclosure (grondslag). Consent stands beside it and never replaces it."""

    VW_107_8 = "vw-107-8"
    """Aliens Act 2000 article 107(8): from the aliens administration to a designated organisation."""
    VW_107_4 = "vw-107-4"
    """Aliens Act 2000 article 107(4): to government bodies, as their task needs."""
    PUBLIC_TASK = "public-task"
    """GDPR article 6(1)(e); the rule names the article that gives the task."""
    AVG_15 = "avg-15"
    """GDPR article 15, the person's own right; needs a mandate."""
    VITAL_INTEREST = "vital-interest"
    """GDPR article 6(1)(d): break-glass. Of a declared emergency, never of a rule."""


class ProhibitionException(StrEnum):
    """What lifts the prohibition on special or criminal data."""

    AVG_9_2_A = "avg-9-2-a"
    UAVG_22_2_A = "uavg-22-2-a"
    UAVG_32_A = "uavg-32-a"
    UAVG_32_D = "uavg-32-d"
    UAVG_30_3_A = "uavg-30-3-a"


class Sensitivity(StrEnum):
    """How the GDPR classes a category of data."""

    ORDINARY = "ordinary"
    SPECIAL = "special"
    """GDPR article 9."""
    CRIMINAL = "criminal"
    """GDPR article 10."""


class DataCategory(StrEnum):
    """A section of what is known about a person (gegevenscategorie)."""

    ADMISSION_FACTS = "admission-facts"
    IDENTITY = "identity"
    CONTACT = "contact"
    WHEREABOUTS = "whereabouts"
    TRAVEL_DOCUMENTS = "travel-documents"
    PROCEDURE_HISTORY = "procedure-history"
    FAMILY = "family"
    RETURN = "return"
    DECISIONS = "decisions"
    HEARINGS = "hearings"
    MEDICAL = "medical"
    BELIEF = "belief"
    ORIENTATION = "orientation"
    ETHNICITY = "ethnicity"
    PUBLIC_ORDER = "public-order"
    DETENTION = "detention"
    SHARED_OUTCOME = "shared-outcome"
    LEGAL_ANALYSIS = "legal-analysis"
    ADVICE = "advice"

    @property
    def sensitivity(self) -> Sensitivity:
        """The class of this category."""
        return _SENSITIVITY.get(self, Sensitivity.ORDINARY)


_SENSITIVITY: dict[DataCategory, Sensitivity] = {
    DataCategory.DECISIONS: Sensitivity.SPECIAL,
    DataCategory.HEARINGS: Sensitivity.SPECIAL,
    DataCategory.MEDICAL: Sensitivity.SPECIAL,
    DataCategory.BELIEF: Sensitivity.SPECIAL,
    DataCategory.ORIENTATION: Sensitivity.SPECIAL,
    DataCategory.ETHNICITY: Sensitivity.SPECIAL,
    DataCategory.LEGAL_ANALYSIS: Sensitivity.SPECIAL,
    DataCategory.PUBLIC_ORDER: Sensitivity.CRIMINAL,
    DataCategory.DETENTION: Sensitivity.CRIMINAL,
}

DOSSIER_SECTIONS = tuple(
    c for c in DataCategory if c not in {DataCategory.SHARED_OUTCOME, DataCategory.LEGAL_ANALYSIS, DataCategory.ADVICE}
)
"""The sections that a dossier (dossier) may hold."""


class Scope(StrEnum):
    """OAuth scopes, `resource:verb`: one per need and none wider."""

    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    CONSENTS_READ = "consents:read"
    CONSENTS_WRITE = "consents:write"
    AGREEMENTS_READ = "agreements:read"
    AGREEMENTS_WRITE = "agreements:write"
    DOSSIER_REQUESTS_READ = "dossier-requests:read"
    DOSSIER_REQUESTS_WRITE = "dossier-requests:write"
    DOSSIERS_READ = "dossiers:read"
    DOSSIERS_WRITE = "dossiers:write"
    SCREENING_OUTCOMES_READ = "screening-outcomes:read"
    SCREENING_OUTCOMES_WRITE = "screening-outcomes:write"
    ADVICE_READ = "advice:read"
    ADVICE_WRITE = "advice:write"
    ADVICE_REQUESTS_READ = "advice-requests:read"
    ADVICE_REQUESTS_WRITE = "advice-requests:write"
    MEETINGS_READ = "meetings:read"
    MEETINGS_WRITE = "meetings:write"
    EVENTS_READ = "events:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    STATISTICS_READ = "statistics:read"
    PERSONS_READ = "persons:read"
    AUDIT_READ_OWN = "audit:read-own"
    AUDIT_READ = "audit:read"
    AUDIT_WRITE = "audit:write"
    ADMIN_WRITE = "admin:write"


class Role(StrEnum):
    """What a person who signs in does in their organisation. Which kinds of party have which: `api.oauth.people`."""

    CASE_WORKER = "case-worker"
    """Guides persons, or decides on them (behandelaar)."""
    COORDINATOR = "coordinator"
    """Leads those who do (coördinator)."""
    PRIVACY_OFFICER = "privacy-officer"
    """Data protection officer (functionaris gegevensbescherming)."""
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Reach(StrEnum):
    """What an operation does with data about a person."""

    CROSSING = "crossing"
    """Data crosses organisations: purpose, ground, agreement and, where the rule says so, consent."""
    OWN = "own"
    """A party reads and corrects what it supplied, or administers its own case."""
    SUPERVISION = "supervision"
    """Auditors and the operator, on the exchange itself."""
    NONE = "none"
    """No data about a person."""


class Reason(StrEnum):
    """Why something is refused or withheld. `api.problems` and the clients tell the next step for each."""

    # about the caller
    UNAUTHENTICATED = "unauthenticated"
    INVALID_TOKEN = "invalid-token"  # noqa: S105 - a reason word
    INVALID_PROOF = "invalid-dpop-proof"
    INSUFFICIENT_SCOPE = "insufficient-scope"
    WRONG_PARTY = "wrong-party"
    WRONG_MUNICIPALITY = "wrong-municipality"
    WRONG_FUNCTION = "wrong-function"
    TOO_MANY_REQUESTS = "too-many-requests"
    # about the object
    NOT_VISIBLE = "not-found"
    """Absent, or not yours to know about; callers must not tell which."""
    RETENTION_OVER = "retention-over"
    """It was there, and is deleted: only its hash is left."""
    WRONG_STATE = "wrong-state"
    PRECONDITION_FAILED = "precondition-failed"
    """It has changed since the caller read it."""
    NOT_ASSIGNABLE = "not-assignable"
    WRONG_ADDRESSEE = "wrong-addressee"
    INCOMPLETE = "incomplete"
    """What was sent does not suffice for what is to be decided."""
    # about the asking
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    PURPOSE_MISSING = "purpose-missing"
    PURPOSE_NEVER = "purpose-never-permitted"
    NOTHING_PERMITTED = "not-permitted"
    PROPORTIONALITY_MISSING = "proportionality-note-missing"
    NOT_EXPLAINED = "outcome-not-explained"
    NOT_ASKED = "section-not-asked"
    NOT_AS_DECLARED = "content-not-as-declared"
    """The bytes that came are not those that were announced."""
    TOO_MUCH = "export-too-large"
    NOT_DELAYABLE = "not-delayable"
    OWN_REVIEW = "own-review"
    ACTOR_MISSING = "acting-person-missing"
    EMERGENCY_STANDS = "emergency-stands"
    # about one category
    NO_AGREEMENT = "no-agreement"
    NO_RULE = "no-rule"
    NO_DESIGNATION = "no-designation"
    NEVER_CROSSES = "category-never-crosses"
    CONSENT_NEVER_ASKED = "consent-never-asked"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONSENT_EXPIRED = "consent-expired"
    NOT_AVAILABLE = "not-available"
    """What everybody but the person and the guiding NGO sees instead of a consent reason, or of nothing being there."""
    # about consents and agreements
    CONSENT_EVIDENCE = "consent-evidence-incomplete"
    CONSENT_TEXT_UNREVIEWED = "consent-text-unreviewed"
    CONSENT_STANDS_REFUSED = "consent-stands-refused"
    AGREEMENT_INVALID = "agreement-invalid"
    ALREADY_SIGNED = "already-signed"
    SIGNATURE_INVALID = "signature-invalid"
    # about the signature over what was sent
    PAYLOAD_SIGNATURE_MISSING = "payload-signature-missing"
    PAYLOAD_SIGNATURE_INVALID = "payload-signature-invalid"


CONSENT_REASONS = frozenset(
    {Reason.CONSENT_NEVER_ASKED, Reason.CONSENT_REFUSED, Reason.CONSENT_WITHDRAWN, Reason.CONSENT_EXPIRED}
)
"""Only the person and the guiding NGO see these."""


class ConsentKind(StrEnum):
    """What a consent is for; the text shown to the person says which."""

    AUTHORISATION = "authorisation"
    """A revocable safeguard beside the legal ground (machtiging tot uitwisseling)."""
    EXPLICIT_CONSENT = "explicit-consent"
    """What lifts the prohibition for special and criminal data (uitdrukkelijke toestemming)."""


class ConsentEventKind(StrEnum):
    """What can happen to a consent; its state is derived from these, never stored."""

    GIVEN = "given"
    REFUSED = "refused"
    RECONFIRMED = "re-confirmed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    INVALIDATED = "invalidated"


class ConsentGiver(StrEnum):
    """Who spoke for the person."""

    SELF = "self"
    LEGAL_REPRESENTATIVE = "legal-representative"
    GUARDIAN = "guardian"
    MENTOR = "mentor"


class AgreementKind(StrEnum):
    """What kind of arrangement an agreement (gegevensdelingsafspraak) is."""

    COVENANT = "covenant"
    SIDE_AGREEMENT = "side-agreement"
    COMMISSION = "commission"
    DATA_SHARING = "data-sharing"


class AgreedTerm(StrEnum):
    """The terms that an agreement may set, in working days."""

    DELIVERY = "delivery"
    """From the dossier request to the last delivery."""
    SCREENING = "screening"
    """Of the legal screening by the NGO."""
    SHELTER = "shelter"
    """Of shelter and guidance."""
    ADVICE = "advice"
    """From the advice request to the answer."""


class ReadingForm(StrEnum):
    """How the text of a consent reached the person."""

    SELF = "self"
    READ_ALOUD = "read-aloud"
    INTERPRETER = "interpreter"
    AUDIO = "audio"


class InterpreterKind(StrEnum):
    """Who interpreted. A relative or fellow resident is a last resort, and needs a reason."""

    IN_PERSON = "in-person"
    BY_PHONE = "by-phone"
    BY_VIDEO = "by-video"
    RELATIVE_OR_RESIDENT = "relative-or-resident"


class Municipality(StrEnum):
    """The five pilot municipalities. Agreements, not code, say what holds in each."""

    AMSTERDAM = "amsterdam"
    EINDHOVEN = "eindhoven"
    GRONINGEN = "groningen"
    ROTTERDAM = "rotterdam"
    UTRECHT = "utrecht"


class DossierRequestState(StrEnum):
    """Where a dossier request (dossierverzoek) stands. Overdue is computed, never stored."""

    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"
    DELIVERED = "delivered"
    """Delivered in part: at least one delivery, more to come."""
    COMPLETE = "complete"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class RequestRefusalReason(StrEnum):
    """Why a supplier refuses a dossier request, in words that need no sealing."""

    NO_FILE_FOUND = "no-file-found"
    IDENTITY_UNCLEAR = "identity-unclear"
    DISPROPORTIONATE = "disproportionate"
    """Aliens Act 2000 article 107(10): the person's private life would be disproportionately harmed."""
    NOT_COMPETENT = "not-competent"


class MissingReason(StrEnum):
    """Why a supplier does not deliver a section that was asked for."""

    WITHHELD_BY_LAW = "withheld-by-law"
    NOT_FOUND = "not-found"


class DocumentType(StrEnum):
    """The kinds of documents that are taken in: what can be read without running it."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"
    TIFF = "image/tiff"
    TEXT = "text/plain"


DOCUMENT_MOST = 50 * 1024 * 1024
"""Bytes of one document."""


class DocumentState(StrEnum):
    """Whether the content of a document is there (stand van een stuk)."""

    AWAITED = "awaited"
    STORED = "stored"
    WITHDRAWN = "withdrawn"


class DocumentWithdrawalReason(StrEnum):
    """Why a supplier takes a document back (intrekking van een stuk), in words that need no sealing."""

    WRONG_PERSON = "wrong-person"
    WRONG_DOCUMENT = "wrong-document"
    """Of this person, and not the one that was meant."""
    TOO_MUCH = "too-much"
    """It holds what may not cross, or was not asked for: a face on a scan, somebody else's part of an interview."""


class Criterion(StrEnum):
    """The criteria that exclude from the target group."""

    ENTRY_BAN = "entry-ban-of-ten-years-or-more"
    DECLARED_UNDESIRABLE = "declared-undesirable"
    EU_CITIZEN = "eu-citizen"
    DUBLIN_CLAIMANT = "dublin-claimant"
    RIGHT_OF_RESIDENCE = "right-of-residence"
    STATE_SHELTER = "state-shelter"


class CriterionAnswer(StrEnum):
    """What IND answers on a criterion."""

    APPLIES = "applies"
    DOES_NOT_APPLY = "does-not-apply"
    UNKNOWN = "unknown"


class AdmissionResult(StrEnum):
    """How an admission check ends."""

    ADMITTED = "admitted"
    ADMITTED_BY_EXCEPTION = "admitted-by-exception"
    SHELTERED_WITHOUT_STATUS = "sheltered-without-lvv-status"
    NOT_ADMITTED = "not-admitted"


class Perspective(StrEnum):
    """What a screening sees as the way forward."""

    LEGALISATION = "legalisation"
    RETURN = "return"
    ONWARD_MIGRATION = "onward-migration"
    NO_SOLUTION_YET = "no-solution-found-yet"


class NotExplainedReason(StrEnum):
    """Why an outcome crosses without having been explained to the person."""

    LEFT_UNKNOWN = "left-unknown-destination"
    INCAPACITY = "incapacity"
    URGENT = "urgent"


class HoldGround(StrEnum):
    """Why a person's data must be kept for now (bewaarplicht), whoever asks for erasure. AVG 17(3)."""

    COURT = "court-order"
    PROCEEDINGS = "pending-proceedings"
    ARCHIVES = "archives-act"
    INVESTIGATION = "data-breach-investigation"


class ErasureGround(StrEnum):
    """Why a person is erased (vergetelheid). AVG 17(1)."""

    NO_LONGER_NEEDED = "no-longer-needed"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    OBLIGATION = "legal-obligation"


class EmergencyReason(StrEnum):
    """Why a person cannot consent now, while their life is in danger (noodprocedure). The rest stands in a file."""

    UNCONSCIOUS = "unconscious"
    ACUTE_MEDICAL = "acute-medical"
    ACUTE_PSYCHIATRIC = "acute-psychiatric"
    MISSING_IN_DANGER = "missing-in-danger"


class EmergencyOutcome(StrEnum):
    """What one person of supervision finds of an emergency (toetsing)."""

    JUSTIFIED = "justified"
    UNCLEAR = "unclear"
    BREACH = "breach"


class EmergencyReviewState(StrEnum):
    """Where the review of an emergency stands; derived, never stored."""

    OPEN = "open"
    REVIEWED = "reviewed"
    DISPUTED = "disputed"
    """The two who reviewed it do not agree."""


class Signable(StrEnum):
    """Operations whose payload can be signed for evidence (ondertekening), and by registration must be."""

    OUTCOME = "screening-outcomes.share"
    ADVICE = "advice.give"


class AdviceAnswer(StrEnum):
    """How an advice request is answered."""

    ADVICE = "advice"
    NO_ADVICE = "no-advice"
    MORE_INFORMATION = "more-information-needed"


class LeavingReason(StrEnum):
    """Why a person left. Whether a reason counts as lasting belongs to a versioned scheme, not to the word."""

    PERMIT_ASYLUM = "permit-asylum"
    PERMIT_REGULARISATION = "permit-regularisation"
    PERMIT_OTHER = "permit-other"
    RETURN = "return"
    ONWARD_MIGRATION = "onward-migration"
    STATE_SHELTER_REPEAT_APPLICATION = "state-shelter-repeat-application"
    DEPARTURE_POSTPONED_MEDICAL = "departure-postponed-medical"
    MOB = "mob"
    MUNICIPAL_SHELTER = "municipal-shelter"
    HANDOVER = "handover"
    EXCLUSION = "exclusion"
    SHELTER_TERM_ENDED = "shelter-term-ended"
    DECEASED = "deceased"
    OTHER = "other"


class OutflowClass(StrEnum):
    """How lasting a way of leaving is, in one outflow scheme."""

    LASTING = "lasting"
    SEMI_LASTING = "semi-lasting"
    NONE = "none"


class OutflowScheme(StrEnum):
    """Which evaluation's classes of leaving reasons: see `api/statistics/schemes.json`."""

    EVALUATION_2020 = "2020"
    EVALUATION_2022 = "2022"


class FigureProfile(StrEnum):
    """How much of the figures a caller gets."""

    OFFICIAL = "official"
    SMALL_CELLS_SUPPRESSED = "small-cells-suppressed"


class AuditReason(StrEnum):
    """Why an auditor takes out, opens or delays something (aanleiding). The rest stands in the auditor's own file."""

    PERIODIC_REVIEW = "periodic-review"
    SIGNAL = "signal"
    INCIDENT = "incident"
    COMPLAINT = "complaint"
    SUBJECT_ACCESS = "subject-access"
    SUPERVISORY_REQUEST = "supervisory-request"
    COURT_ORDER = "court-order"


class SignalRule(StrEnum):
    """The rules that look through the log (signaal): see `api/audit/rules.py`."""

    OFF_HOURS = "off-hours"
    NO_CASE_RELATION = "no-case-relation"
    VOLUME = "volume"
    SEQUENTIAL_IDS = "sequential-ids"
    DENIED_THEN_ALLOWED = "denied-then-allowed"
    AFTER_WITHDRAWAL = "after-withdrawal"
    BREAK_GLASS = "break-glass"
    REPEATED_BREAK_GLASS = "repeated-break-glass"
    COLLEAGUE_LIST = "colleague-list"
    DORMANT_CLIENT = "dormant-client"
    HONEY_RECORD = "honey-record"


class RestrictionGround(StrEnum):
    """What the right to see may be restricted for (beperkingsgrond). UAVG 41(1), after GDPR article 23(1)."""

    NATIONAL_SECURITY = "national-security"
    DEFENCE = "defence"
    PUBLIC_SECURITY = "public-security"
    CRIMINAL_INVESTIGATION = "criminal-investigation"
    GENERAL_INTEREST = "general-interest"
    JUDICIAL_INDEPENDENCE = "judicial-independence"
    PROFESSIONAL_ETHICS = "professional-ethics"
    OVERSIGHT = "oversight"
    PROTECTION_OF_OTHERS = "protection-of-others"
    CIVIL_CLAIMS = "civil-claims"


class ReviewOutcome(StrEnum):
    """What a second person decides about a delay (toetsing)."""

    UPHELD = "upheld"
    LIFTED = "lifted"


class ExportFormat(StrEnum):
    """In which form entries of the log are taken out (uitvoer)."""

    NDJSON = "ndjson"
    CSV = "csv"
    EVIDENCE = "evidence"


class Result(StrEnum):
    """How an audited action ended."""

    PERMITTED = "permitted"
    REFUSED = "refused"
    FAILED = "failed"
