"""The only table of status codes: what can go wrong, what it means, and what the caller does next (RFC 9457).

A `ProblemType` is one row. Its page stands at `/problems/{slug}` of our own server and under `openapi/problems/`; both
are generated from this table. Status codes are born here and nowhere else. `detail` and `next_step` are about the kind
of problem: nothing that was sent, and nothing that is withheld, ever appears in an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from api import errors
from api.oauth import dpop
from api.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from api.consent.model import Fault
    from api.vocabulary import DataCategory

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem. `slug` is the last segment of its URI and never changes; `dutch` is the title in Dutch."""

    slug: str
    status: int
    title: str
    dutch: str
    detail: str
    next_step: str


_ROWS: Final[list[ProblemType]] = []


def _row(slug: str, status: int, title: str, dutch: str, detail: str, next_step: str) -> ProblemType:
    row = ProblemType(slug, status, title, dutch, detail, next_step)
    _ROWS.append(row)
    return row


# a table reads by rows: names and titles; when it happens; what the caller does next
# fmt: off

# the edge: the request cannot be taken in as it is
INVALID_INPUT: Final = _row(
    "invalid-input", 400, "The request is not as described", "De aanvraag voldoet niet aan de beschrijving",
    "One or more parameters, headers or body members are not as the API description says.",
    "Correct everything that `errors` lists and send the request again.",
)
MALFORMED_JSON: Final = _row(
    "malformed-json", 400, "The body is not strict JSON", "De body is geen strikt JSON",
    "The body is not I-JSON (RFC 7493): UTF-8, finite numbers, no NUL, no lone surrogates, bounded nesting.",
    "Send a body that a strict JSON parser accepts.",
)
NOT_SEALED_TO_US: Final = _row(
    "not-sealed-to-us", 400, "The body does not open here", "De body kan hier niet geopend worden",
    "No present key of this service opens it, or it is not as it is taken here: cut, changed, or for another document.",
    "Fetch `/.well-known/encryption-keys` anew, seal with `alg` and `kid` of a key of it and A256GCM, without `zip` or "
    "`crit`, and send it again, whole.",
)
DUPLICATE_KEY: Final = _row(
    "duplicate-key", 400, "A JSON object repeats a key", "Een JSON-object herhaalt een sleutel",
    "A key appears twice in one object, so that two readers could understand two different things.",
    "Send each key once.",
)
INVALID_CURSOR: Final = _row(
    "invalid-cursor", 400, "The cursor does not belong to this list", "De cursor hoort niet bij deze lijst",
    "A cursor holds for one client, one list and one set of filters, and only as it was handed out.",
    "Start again without a cursor, with the filters you want.",
)
IDEMPOTENCY_KEY_MISSING: Final = _row(
    "idempotency-key-missing", 400, "An Idempotency-Key is needed", "Een Idempotency-Key is nodig",
    "An operation that creates something takes the header `Idempotency-Key`, so that a retry has one effect.",
    "Send a new random key (a UUID) with each new intention, and the same key with each retry of it.",
)
IDEMPOTENCY_KEY_REUSED: Final = _row(
    "idempotency-key-reused", 422, "The Idempotency-Key is of another request", "De Idempotency-Key is al gebruikt",
    "The same client sent this key before with another request.",
    "Use a new key for a new request. To retry the old one, send exactly what was sent then.",
)
NOT_FOUND: Final = _row(
    "not-found", 404, "Not found", "Niet gevonden",
    "There is nothing here for you: it does not exist, or it is not yours to know about.",
    "Check the address. If a request should have been addressed to you, ask the organisation that sent it.",
)
RETENTION_OVER: Final = _row(
    "retention-over", 410, "The retention term is over", "De bewaartermijn is verstreken",
    "What these entries of the log said is deleted. Their hashes stay, and so does every proof that they were there.",
    "Ask the operator for the archive. Whoever kept the entry can still prove it: ask for its proof.",
)
METHOD_NOT_ALLOWED: Final = _row(
    "method-not-allowed", 405, "The method is not supported here", "De methode wordt hier niet ondersteund",
    "The address exists, but not for this method.",
    "Use a method that the header `Allow` names.",
)
NOT_ACCEPTABLE: Final = _row(
    "not-acceptable", 406, "No representation that you accept", "Geen representatie die u accepteert",
    "The header `Accept` matches nothing that this operation can answer with.",
    "Accept the media type that the API description names, or leave the header out.",
)
TIMED_OUT_READING: Final = _row(
    "request-timeout", 408, "The request came in too slowly", "De aanvraag kwam te langzaam binnen",
    "The request was not complete in time.",
    "Send the request again, in one go.",
)
PRECONDITION_FAILED: Final = _row(
    "precondition-failed", 412, "It has changed since you read it", "Het is gewijzigd sinds u het las",
    "The header `If-Match` names a version that is no longer the current one.",
    "Read it again, decide whether your change still holds, and send it with the new `ETag`.",
)
NOT_AS_DECLARED: Final = _row(
    "content-not-as-declared", 400, "The content is not what was announced", "De inhoud is niet wat is aangekondigd",
    "Length, SHA-256 digest or kind of what came differ from what was announced: in the head or, if sealed, within.",
    "Nothing was kept. See that the file is whole and of the kind that you announced, and send it again.",
)
PAYLOAD_TOO_LARGE: Final = _row(
    "payload-too-large", 413, "The body is too large", "De body is te groot",
    "The body is larger than this operation takes.",
    "Send less. A document is 50 MiB at most, and goes through the document upload, not through JSON.",
)
URI_TOO_LONG: Final = _row(
    "uri-too-long", 414, "The address is too long", "Het adres is te lang",
    "The path and query together are longer than the server reads.",
    "Send filters in the body of the `_search` operation.",
)
UNSUPPORTED_MEDIA_TYPE: Final = _row(
    "unsupported-media-type", 415, "The body is of a kind not taken here", "Dit soort body wordt hier niet aangenomen",
    "The header `Content-Type` is missing or names a media type or charset that this operation does not take.",
    "Send the media type that the API description names, in UTF-8; send no body where none is described.",
)
RANGE_NOT_SATISFIABLE: Final = _row(
    "range-not-satisfiable", 416, "There are no such bytes", "Dit bereik bestaat niet",
    "The range that the header `Range` asks for begins behind the end.",
    "`Content-Range` tells how long it is: ask for bytes below that, or leave the header out.",
)
PRECONDITION_REQUIRED: Final = _row(
    "precondition-required", 428, "An If-Match is needed", "Een If-Match is nodig",
    "A change needs the header `If-Match`, so that nobody overwrites what they have not seen (RFC 6585).",
    "Read the resource and send its `ETag` as `If-Match`.",
)
TOO_MANY_REQUESTS: Final = _row(
    "too-many-requests", 429, "Too many requests", "Te veel aanvragen",
    "The limit for your client is reached for now.",
    "Wait the seconds of `Retry-After` before the next request.",
)
HEADERS_TOO_LARGE: Final = _row(
    "header-fields-too-large", 431, "The headers are too large", "De headers zijn te groot",
    "The header fields together are more than the server reads.",
    "Send fewer or smaller headers.",
)
INTERNAL: Final = _row(
    "internal", 500, "Something went wrong on our side", "Er ging iets mis aan onze kant",
    "The request could not be completed. Nothing was disclosed.",
    "Retry with the same Idempotency-Key. If it persists, send us the request id; it holds no personal data.",
)
LOG_DAMAGED: Final = _row(
    "log-damaged", 500, "The log is not whole", "Het logboek is niet heel",
    "Something that was signed is not there any more. No answer is given without it, so that no gap looks whole.",
    "Tell the operator, with the request id. An auditor finds what is on either side of it with `seq:`.",
)
OVERLOADED: Final = _row(
    "overloaded", 503, "No capacity at this moment", "Op dit moment geen capaciteit",
    "The service is at its limit and took nothing in.",
    "Wait the seconds of `Retry-After` and send the same request with the same Idempotency-Key.",
)
UNAVAILABLE: Final = _row(
    "unavailable", 503, "Temporarily not available", "Tijdelijk niet beschikbaar",
    "Something that the service needs does not answer. Without it nothing is disclosed.",
    "Wait the seconds of `Retry-After` and send the same request with the same Idempotency-Key.",
)
TIMED_OUT: Final = _row(
    "timed-out", 503, "It took too long", "Het duurde te lang",
    "The request was not completed in the time that one request may take. Its effect may or may not be there.",
    "Send the same request with the same Idempotency-Key: it has one effect at most.",
)

# who calls
UNAUTHENTICATED: Final = _row(
    "unauthenticated", 401, "Who calls is not proven", "Wie aanroept is niet bewezen",
    "The request has no access token with a proof of possession.",
    "Get a token at the token endpoint and send it as `Authorization: DPoP …` with a `DPoP` proof.",
)
INVALID_TOKEN: Final = _row(
    "invalid-token", 401, "The access token does not hold", "Het toegangstoken geldt niet",
    "The token is expired, revoked, not ours, or its client has been disabled or changed.",
    "Get a new token and send the request again.",
)
INVALID_PROOF: Final = _row(
    "invalid-dpop-proof", 401, "The proof of possession does not hold", "Het bezitsbewijs geldt niet",
    "The DPoP proof is missing, malformed, too old, used before, or made for another key, method or address.",
    "Make a new proof for exactly this request (RFC 9449 section 4.2) and send it once.",
)
INSUFFICIENT_SCOPE: Final = _row(
    "insufficient-scope", 403, "The token lacks the scope", "Het token mist de scope",
    "The operation needs a scope that the token does not have.",
    "Ask a token with the scope that the API description names; registration decides which scopes you can have.",
)
WRONG_PARTY: Final = _row(
    "wrong-party", 403, "Not an operation for your kind of organisation", "Niet voor uw soort organisatie",
    "The operation is for other parties of the exchange.",
    "See the authority matrix in the documentation for what your organisation can do.",
)
WRONG_MUNICIPALITY: Final = _row(
    "wrong-municipality", 403, "Not one of your municipalities", "Niet een van uw gemeenten",
    "Your organisation is not registered for this municipality.",
    "Use a municipality that you are registered for, or have your registration extended.",
)
WRONG_FUNCTION: Final = _row(
    "wrong-function", 403, "Not for your function on this case", "Niet voor uw functie in deze casus",
    "Your organisation is assigned to the case, but not in a function that does this.",
    "Ask whoever coordinates the case to do it, or to assign you in that function.",
)

# what the law, the agreement and the person allow
PURPOSE_MISSING: Final = _row(
    "purpose-missing", 400, "A purpose is needed", "Een doel is nodig",
    "Data that crosses organisations is asked for a purpose: the header `Purpose` is missing or not a known purpose.",
    "Send the purpose for which you need the data, for example `Purpose: legal-screening`.",
)
PURPOSE_NEVER: Final = _row(
    "purpose-never-permitted", 403, "This purpose is never permitted", "Dit doel is nooit toegestaan",
    "Data given for help is never used for enforcement or detention.",
    "Do not ask for this purpose. No agreement or consent can allow it.",
)
NOT_PERMITTED: Final = _row(
    "not-permitted", 403, "Nothing that you asked for may be disclosed", "Niets van het gevraagde mag worden verstrekt",
    "For each category, `reasons` says why it stays closed.",
    "Follow the next step of each reason; use `_preview` to see the effect without disclosing anything.",
)
PROPORTIONALITY_MISSING: Final = _row(
    "proportionality-note-missing", 403, "A proportionality note is needed", "Een proportionaliteitsafweging is nodig",
    "Aliens Act 2000 article 107(10): no disclosure without weighing it against the person's private life.",
    "Record why the disclosure does not disproportionately harm the person's private life, and send it again.",
)
NO_AGREEMENT: Final = _row(
    "no-agreement", 403, "No agreement in force", "Geen geldende gegevensdelingsafspraak",
    "No agreement in force between the two organisations covers this in this municipality.",
    "Ask the director to have the agreement signed by both organisations.",
)
_row(
    "no-rule", 403, "The agreement has no rule for this", "De afspraak heeft hiervoor geen regel",
    "No rule of the agreement lets this category cross to you for this purpose and function.",
    "Ask for less, or for the purpose that your function on the case has.",
)
NO_DESIGNATION: Final = _row(
    "no-designation", 403, "The organisation is not designated", "De organisatie is niet aangewezen",
    "Aliens Act 2000 article 107(8): only designated organisations receive data from the aliens administration.",
    "Have the designation recorded with its source before the disclosure.",
)
_row(
    "category-never-crosses", 403, "This category never crosses", "Deze categorie gaat nooit over",
    "This category never goes to this kind of organisation, whatever an agreement or consent says.",
    "Leave the category out.",
)
_row(
    "consent-never-asked", 403, "The person was never asked", "De persoon is nooit gevraagd",
    "The rule needs the person's consent for this category, purpose and recipient, and none was ever asked.",
    "Ask the person, with an interpreter where needed, and record the answer. A refusal costs them nothing.",
)
_row(
    "consent-refused", 403, "The person refused", "De persoon heeft geweigerd",
    "The person refused consent for this category, purpose and recipient. A refusal is neutral.",
    "Work without this data. Do not press; ask again only if the person raises it or the purpose changes.",
)
_row(
    "consent-withdrawn", 403, "The person withdrew consent", "De persoon heeft de toestemming ingetrokken",
    "The consent that carried this was withdrawn; that counts from the next request.",
    "Work without this data. A new consent is needed before it can cross again.",
)
_row(
    "consent-expired", 403, "The consent has expired", "De toestemming is verlopen",
    "The consent that carried this has reached its end date.",
    "Talk with the person and record whether they re-confirm or not.",
)
_row(
    "not-available", 404, "Not available", "Niet beschikbaar",
    "This part is not available to you. It may not exist; nothing can be concluded from this.",
    "Work without this data, or raise it in the case meeting.",
)
CONSENT_EVIDENCE: Final = _row(
    "consent-evidence-incomplete", 400, "The evidence of the consent is incomplete", "Het bewijs is onvolledig",
    "A consent needs its evidence: the text shown, the language, how it was read, who was present.",
    "Complete the evidence block that the API description names.",
)
CONSENT_TEXT_UNREVIEWED: Final = _row(
    "consent-text-unreviewed", 409, "The consent text is not reviewed", "De toestemmingstekst is niet beoordeeld",
    "The text that was shown is not a reviewed text in that language, so that it cannot carry a consent.",
    "Use a reviewed text, or have this one reviewed first.",
)
CONSENT_STANDS_REFUSED: Final = _row(
    "consent-stands-refused", 409, "The person answered no before", "De persoon heeft eerder nee geantwoord",
    "A refusal or withdrawal of the same question stands. A yes takes its place only when it names it.",
    "Read the consents of the case. If the person has changed their mind, name each earlier no in `supersedes`.",
)
WRONG_STATE: Final = _row(
    "wrong-state", 409, "Not possible in this state", "Niet mogelijk in deze toestand",
    "What you ask does not follow on the present state of the resource.",
    "Read the resource and see what its state allows.",
)
NOT_EXPLAINED: Final = _row(
    "outcome-not-explained", 409, "Not yet explained to the person", "Nog niet aan de persoon uitgelegd",
    "An outcome goes to an authority, alone or with a question, only once it was explained, or with a coded reason.",
    "Share it with that authority, and record when, in which language and by whom it was explained, or the reason.",
)
NOT_ASSIGNABLE: Final = _row(
    "not-assignable", 409, "This organisation cannot be assigned", "Deze organisatie kan niet worden toegewezen",
    "Only registered organisations of a kind that guides people can be assigned to a case.",
    "Choose another organisation from the list of organisations.",
)
WRONG_ADDRESSEE: Final = _row(
    "wrong-addressee", 409, "Not to this organisation", "Niet aan deze organisatie",
    "The organisation that you name does not answer for this, or not for all of it.",
    "Ask the organisation whose task it is, and for what was agreed; the list of organisations tells their kinds.",
)
INCOMPLETE: Final = _row(
    "incomplete", 409, "More is needed to decide this", "Hiervoor is meer nodig",
    "What you sent is valid, but does not hold all that this decision or answer needs, or holds one thing twice.",
    "Complete it as the description of the operation says, and send it again.",
)
NOT_ASKED: Final = _row(
    "section-not-asked", 409, "A section that nobody asked for", "Een rubriek waar niet om is gevraagd",
    "The delivery holds a section that the dossier request does not name.",
    "Deliver the sections that were asked, and nothing more.",
)
TOO_MUCH: Final = _row(
    "export-too-large", 400, "More entries than one export takes", "Meer regels dan een uitvoer bevat",
    "The query finds more entries than leave in one export of this form.",
    "Narrow the query, for example to a time with `at:`, or take the log out in parts with `seq:`.",
)
NOT_DELAYABLE: Final = _row(
    "not-delayable", 409, "This cannot be delayed, or no longer", "Dit kan niet (langer) worden uitgesteld",
    "The entry discloses nothing, is delayed already, or would be kept from the person for longer than is lawful.",
    "A delay lasts 180 days at most, and ends within a year after the disclosure. Choose an earlier `untilAt`.",
)
OWN_REVIEW: Final = _row(
    "own-review", 409, "A decision is reviewed by somebody else", "Een besluit wordt door een ander getoetst",
    "Whoever decided on it or reviewed it before does not review it; or its review is complete, or it has ended.",
    "Have another person review it, if it is still to be reviewed. A delay that nobody reviews ends after 14 days.",
)
ACTOR_MISSING: Final = _row(
    "acting-person-missing", 400, "Say which person acts", "Zeg welke persoon handelt",
    "What somebody answers for in person, or is reviewed by another, needs the acting person in the proof.",
    "Send the claim `acting_person` in the DPoP proof: opaque, never a name.",
)
EMERGENCY_STANDS: Final = _row(
    "emergency-stands", 409, "An emergency is declared already", "Er is al een noodprocedure",
    "Your organisation has declared an emergency in this case that is not over. It is not prolonged.",
    "Read what you need with `Purpose: emergency`. When it is over, declare it anew if the danger lasts.",
)
AGREEMENT_INVALID: Final = _row(
    "agreement-invalid", 400, "The agreement cannot stand", "De afspraak kan zo niet gelden",
    "The document says what no agreement may say, contradicts itself, or names who is not registered.",
    "Correct everything that `errors` lists and send the document again.",
)
ALREADY_SIGNED: Final = _row(
    "already-signed", 409, "Already signed", "Al ondertekend",
    "This organisation has signed this version.",
    "Nothing needs to be done.",
)
SIGNATURE_INVALID: Final = _row(
    "signature-invalid", 400, "The signature does not hold", "De handtekening klopt niet",
    "The signature is not over this version of the text by a registered key of the organisation.",
    "Sign exactly the bytes that the agreement endpoint gives, with the registered key.",
)
PAYLOAD_SIGNATURE_MISSING: Final = _row(
    "payload-signature-missing", 400, "The body is to be signed", "De body moet ondertekend zijn",
    "Your organisation is registered to sign what it sends here, so that it stands as evidence of who said it.",
    "Send `Digest` and `Payload-Signature` with a key that is registered for the payloads of your client.",
)
PAYLOAD_SIGNATURE_INVALID: Final = _row(
    "payload-signature-invalid", 400, "The body is not signed as it must be", "De body is niet juist ondertekend",
    "`Payload-Signature` is not a signature of a registered key of your client over this body, made just now.",
    "Correct what `detail` names, sign exactly the bytes that you send, and send both once, with the same key.",
)

# fmt: on

TYPES: Final = tuple(_ROWS)
BY_SLUG: Final[Mapping[str, ProblemType]] = {row.slug: row for row in TYPES}


@dataclass(frozen=True, slots=True)
class InputError:
    """What is wrong with one value: where it stands, never what it is.

    `place` is body, query, path or header; `name` is the parameter's name, or for a body the JSON pointer (RFC 6901).
    """

    place: str
    name: str
    code: str
    message: str

    def wire(self) -> dict[str, str]:
        """Its JSON."""
        name = "pointer" if self.place == "body" else "name"
        return {"in": self.place, name: self.name, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer that is a "no". `detail` replaces the type's own text; `reasons` holds the reason per category."""

    type: ProblemType
    detail: str = ""
    errors: tuple[InputError, ...] = ()
    reasons: Mapping[DataCategory, Reason] = field(default_factory=dict["DataCategory", "Reason"])
    headers: tuple[tuple[str, str], ...] = ()

    def body(self, base_url: str, request_id: str) -> bytes:
        """The JSON of RFC 9457. `type` is absolute; `instance` names this one occurrence."""
        text: dict[str, Any] = {
            "type": f"{base_url}/problems/{self.type.slug}",
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail or self.type.detail,
            "instance": f"urn:uuid:{request_id}",
            "requestId": request_id,
            "nextStep": self.type.next_step,
        }
        if self.errors:
            text["errors"] = [error.wire() for error in self.errors]
        if self.reasons:
            text["reasons"] = [
                {"category": category, "reason": reason, "nextStep": next_step(reason)}
                for category, reason in sorted(self.reasons.items())
            ]
        return orjson.dumps(text)


class Stopped(errors.KetenbrugError):
    """A problem that ends the request where no value can be returned: raised and caught in the edge only."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.type.slug)
        self.problem = problem


def next_step(reason: Reason) -> str:
    """What the caller does about a reason; also for the withheld parts of an answer that is not a problem."""
    return BY_SLUG[reason].next_step


def refused(
    reason: Reason, withheld: Mapping[DataCategory, Reason] | None = None, faults: Iterable[Fault] = ()
) -> Problem:
    """The answer to a refusal of the gate. Absent and not-yours give the same bytes, so they carry nothing else."""
    if reason in {Reason.NOT_VISIBLE, Reason.NOT_AVAILABLE}:
        return Problem(NOT_FOUND)
    errors = tuple(InputError("body", fault.place, "fault", fault.sentence) for fault in faults)
    return Problem(BY_SLUG[reason], errors=errors, reasons=withheld or {})


def of(error: errors.KetenbrugError) -> Problem:
    """The answer to one of our errors. What has no row of its own is `internal`, without text from inside."""
    match error:
        case Stopped():
            return error.problem
        case errors.Replayed():
            return Problem(INVALID_PROOF, headers=(_challenge("invalid_dpop_proof"),))
        case errors.StaleStanding():
            return Problem(INVALID_TOKEN, headers=(_challenge("invalid_token"),))
        case errors.Overloaded() | errors.Unavailable():
            row = OVERLOADED if isinstance(error, errors.Overloaded) else UNAVAILABLE
            return Problem(row, headers=(("Retry-After", str(error.retry_after)),))
        case errors.LogDamaged():
            return Problem(LOG_DAMAGED, f"{LOG_DAMAGED.detail} It is this: {error}.")
        case errors.TooManyRequests():
            return Problem(TOO_MANY_REQUESTS, headers=(("Retry-After", str(error.retry_after)),))
        case errors.Refused():
            return _of_refused(error)
        case _:
            return Problem(INTERNAL)


def _of_refused(error: errors.Refused) -> Problem:
    answer = refused(error.reason)
    if answer.type is NOT_FOUND:
        return answer
    short = "insufficient_scope" if error.reason is Reason.INSUFFICIENT_SCOPE else None
    said = error.error if isinstance(error, errors.Unauthenticated) else short
    headers = () if said is None else (_challenge(said),)
    return Problem(answer.type, error.detail, headers=headers)


def _challenge(error: str) -> tuple[str, str]:
    """RFC 9449 section 7.1: how to prove possession. An empty `error` is the plain challenge (RFC 6750 section 3.1)."""
    return ("WWW-Authenticate", dpop.challenge(error))
