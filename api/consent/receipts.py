"""What the person gets in hand: a receipt of a consent, a refusal or a withdrawal, signed by the service.

The shape is that of ISO/IEC TS 27560:2023 as the W3C Data Privacy Vocabulary profiles it (DPV 2, guide
"consent-27560"): header, processing, parties, events. The DPV guide is a community report, and the ISO text was not at
hand: the profile is named so that a reader knows what was meant, and conformance is not claimed. The person is named by
the id of the case alone: the alias of the audit log would tie a paper to the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from api.oauth import jose
from api.vocabulary import ConsentEventKind, ConsentKind, Sensitivity

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from api.consent.record import ConsentFacts
    from api.oauth.jose import KeyRing
    from api.oauth.signing import SigningKey
    from api.principal import Organisation

PROFILE: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
TYPE: Final = "ketenbrug-consent-receipt+jws"

_STATUS: Final = {
    ConsentEventKind.GIVEN: "dpv:ConsentGiven",
    ConsentEventKind.REFUSED: "dpv:ConsentRefused",
    ConsentEventKind.RECONFIRMED: "dpv:RenewedConsentGiven",
    ConsentEventKind.WITHDRAWN: "dpv:ConsentWithdrawn",
    ConsentEventKind.EXPIRED: "dpv:ConsentExpired",
    # DPV has no word for a consent that a later one replaced.
    ConsentEventKind.SUPERSEDED: "dpv:ConsentStatusInvalidForProcessing",
    ConsentEventKind.INVALIDATED: "dpv:ConsentInvalidated",
}

_MEANING: Final = {
    ConsentKind.AUTHORISATION: "A safeguard beside the legal ground, which the agreement names; it can be withdrawn.",
    ConsentKind.EXPLICIT_CONSENT: "Lifts the prohibition of GDPR articles 9 and 10; it can be withdrawn.",
}

_SENSITIVITY: Final = {
    Sensitivity.ORDINARY: "dpv:PersonalData",
    Sensitivity.SPECIAL: "dpv:SpecialCategoryPersonalData",
    Sensitivity.CRIMINAL: "dpv:SensitivePersonalData",
}


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs receipts with a key of the service. The type in the header keeps them apart from tokens (RFC 8725 3.11).

    `active`: the key that signs at a moment, so that one that leaked signs no longer.
    """

    active: Callable[[datetime], SigningKey]

    def __repr__(self) -> str:
        return "<Signer>"

    async def sign(self, receipt: dict[str, Any], now: datetime) -> str:
        """A compact JWS (ES256). The key id is the thumbprint of the key, as the service publishes it.

        Raises `Unavailable`.
        """
        return await self.active(now).sign(TYPE, receipt)


def verified(text: str, keys: KeyRing) -> dict[str, Any]:
    """The receipt in a JWS, once it is found to be the service's. Raises `jose.Unreadable`."""
    unverified = jose.peek(text)
    if unverified.header.get("typ") != TYPE:
        raise jose.Unreadable("this is not a receipt of a consent")
    return jose.verify(unverified, keys.choose(unverified.header))


def receipt(
    facts: ConsentFacts,
    receipt_id: UUID,
    recipient: Organisation,
    recorder: Organisation,
    now: datetime,
) -> dict[str, Any]:
    """The receipt as JSON. `recorder`: the organisation that asked the person."""
    return {
        "@context": {"dpv": "https://w3id.org/dpv#"},
        "schemaVersion": PROFILE,
        "receiptId": str(receipt_id),
        "recordId": str(facts.id),
        "recordVersion": facts.version,
        "issuedAt": _instant(now),
        "piiPrincipalId": str(facts.case),
        "language": facts.text.language,
        "privacyNotice": {"id": facts.text.id, "version": facts.text.version, "sha256": facts.text.sha256.hex()},
        "processing": [_processing(facts, recipient)],
        "parties": [
            _party(recorder, "dpv:DataController", "asked, and recorded the answer"),
            _party(recipient, "dpv:Recipient", "gets the data, if the answer is yes"),
        ],
        "events": [
            {"status": _STATUS[each.kind], "at": _instant(each.at), "recordedBy": str(each.organisation)}
            for each in facts.events
        ],
        "status": _STATUS[facts.state(now)],
        "rights": {
            "withdrawal": "At any time, without a reason, at the organisation that guides you. It costs you nothing.",
            "effect": "It counts from the next request. What was read before stays read; you can ask who read it.",
            "refusal": "A no changes nothing in your shelter or guidance.",
        },
    }


def _processing(facts: ConsentFacts, recipient: Organisation) -> dict[str, Any]:
    processing: dict[str, Any] = {
        "purpose": str(facts.purpose),
        "kind": str(facts.kind),
        "meaning": _MEANING[facts.kind],
        "givenBy": str(facts.given_by),
        "piiInformation": [
            {"category": str(each), "class": _SENSITIVITY[each.sensitivity]} for each in sorted(facts.categories)
        ],
        "recipientThirdParties": [str(recipient.id)],
        "jurisdiction": "NL",
        "validFrom": _instant(facts.valid_from),
        "validUntil": _instant(facts.valid_until),
    }
    if facts.function is not None:
        processing["function"] = str(facts.function)
    return processing


def _party(organisation: Organisation, role: str, what: str) -> dict[str, Any]:
    party = {"id": str(organisation.id), "name": organisation.name, "role": role, "what": what}
    if organisation.oin is not None:
        party["oin"] = organisation.oin
    return party


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
