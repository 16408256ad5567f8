"""npm `jose` holds what our clients sign, and signs what the running service takes and keeps as evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.oauth import jose, payloads
from api.sandbox import cast as playing
from api.schemas.advice import NewAdvice, NewAdviceRequest, ResidenceAdvice
from api.vocabulary import AdviceAnswer, DataCategory, Purpose
from clients import evidence
from clients._payloads import PayloadSigner
from clients._transport import Http
from clients.chain import ChainClient
from tests import live

if TYPE_CHECKING:
    from pathlib import Path

    from clients._messages import Request, Response
    from tests.foreign.tools import Node

BODY: Final = '{"summary": "Verzonnen, met é."}'
KEYS: Final[dict[str, RSAKey | ECKey | OKPKey]] = {
    "PS256": RSAKey.generate_key(3_072),
    "ES256": ECKey.generate_key("P-256"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}


def whole(algorithm: str) -> dict[str, Any]:
    return dict(KEYS[algorithm].as_dict(private=True))


def public(algorithm: str) -> dict[str, Any]:
    return dict(KEYS[algorithm].as_dict(private=False))


def test_jose_holds_what_our_clients_sign_and_nothing_that_was_changed(node: Node) -> None:
    now = datetime.now(UTC).timestamp()  # noqa: TID251 - the library of others has a clock of its own
    hold = [
        {"jwk": public(each), "algorithm": each, "body": body, "headers": headers}
        for each in KEYS
        for headers in (PayloadSigner(whole(each)).headers(BODY.encode(), now),)
        for body in (BODY, BODY + " ")
    ]
    found = node.run("payloads", {"hold": hold})["held"]
    assert found == [True, "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"] * len(KEYS)


@pytest.mark.parametrize("algorithm", [*KEYS, "EdDSA"])
def test_we_take_what_jose_signs(node: Node, algorithm: str) -> None:
    kind = "Ed25519" if algorithm == "EdDSA" else algorithm
    sign = [{"jwk": whole(kind), "algorithm": algorithm, "body": BODY}]
    (made,) = node.run("payloads", {"sign": sign})["signed"]
    keys, now = jose.key_ring([public(kind)]), datetime.now(UTC)  # noqa: TID251 - as above
    taken = payloads.verified([made["Payload-Signature"]], [made["Digest"]], BODY.encode(), keys, now)
    assert taken.key.thumbprint == KEYS[kind].thumbprint()


class Signing:
    """Sends what npm `jose` signed beside it."""

    def __init__(self, node: Node) -> None:
        self._http = Http(timeout=30)
        self._node = node
        self.sent: list[bytes] = []

    def send(self, request: Request) -> Response:
        """Send it; an advice, signed."""
        if request.method == "POST" and request.url.endswith("/advice"):
            self.sent.append(request.content)
            sign = [{"jwk": whole("PS256"), "algorithm": "PS256", "body": request.content.decode()}]
            (made,) = self._node.run("payloads", {"sign": sign})["signed"]
            request = replace(request, headers={**request.headers, **made})
        return self._http.send(request)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


def test_the_service_keeps_an_advice_that_jose_signed(sandbox: live.Sandbox, node: Node, tmp_path: Path) -> None:
    """Registered and required as an operator does it; read back as evidence by the requester, and held offline."""
    told = sandbox.description()
    ind = told["clients"]["ind"]
    (tmp_path / "public.json").write_text(json.dumps(public("PS256")))
    for words in (
        ("payload-keys", ind["clientId"], "--key", str(tmp_path / "public.json")),
        ("payload-signatures", ind["organisation"], "--require", "advice.give"),
    ):
        ended = live.command("register", *words, database_url=told["applicationDatabaseUrl"], sandbox=True)
        assert ended.returncode == 0, ended.stderr
    with sandbox.cast() as cast:
        case = playing.open_case(cast, "0000000917")
        playing.consent(cast, case.id, Purpose.RESIDENCE_ADVICE, "ind", [DataCategory.SHARED_OUTCOME])
        asked = cast.ngo.advice_requests.request(
            NewAdviceRequest(
                case_id=case.id,
                addressee_id=cast.id_of("ind"),
                purpose=Purpose.RESIDENCE_ADVICE.value,
                question="Made up?",
            )
        ).value
        signing = Signing(node)
        with ChainClient(
            told["baseUrl"],
            issuer=told["issuer"],
            client_id=ind["clientId"],
            key=ind["jwk"],
            scope=ind["scope"],
            transport=signing,
        ) as chain:
            given = chain.advice.give(
                NewAdvice(
                    advice_request_id=asked.id,
                    answer=AdviceAnswer.ADVICE,
                    summary="Verzonnen, met é.",
                    body=ResidenceAdvice(kind="residence", perspective="possible"),
                )
            ).value
        found = cast.ngo.advice.evidence(given.id, purpose=Purpose.RESIDENCE_ADVICE).value
    assert found.body.encode() == signing.sent[-1]
    assert evidence.verify(found, KEYS["PS256"].thumbprint()) == found.signed_at
    held = node.run(
        "payloads",
        {
            "hold": [
                {
                    "jwk": found.key,
                    "algorithm": "PS256",
                    "body": found.body,
                    "headers": {"Digest": found.digest, "Payload-Signature": found.payload_signature},
                }
            ]
        },
    )
    assert held["held"] == [True]
    ended = live.command(
        "register", "payload-signatures", ind["organisation"], database_url=told["applicationDatabaseUrl"], sandbox=True
    )
    assert ended.returncode == 0, ended.stderr
