"""What is wrong with a connection, in words, and what to do about it."""

from __future__ import annotations

import email.utils
import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

import api.errors
from api.cli import client
from clients import connection, renewal
from clients._messages import Request, Response
from clients._transport import Http
from clients.connection import Place
from clients.errors import ConnectionFailed, InvalidInput, Misconfigured, TokenRefused, UnexpectedAnswer
from tests import mtls_kit
from tests.clients_kit import CLIENT_ID, NOW, ORIGIN, SCOPE, Exchange, private_jwk, problem, reply, served

if TYPE_CHECKING:
    from pathlib import Path

    from clients.connection import Finding


class Direct:
    """Sends to the small exchange, which says what time it is; some answers are others."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.told: dict[str, Response | ConnectionFailed] = {}
        self.date: str | None = email.utils.formatdate(NOW)

    def send(self, request: Request) -> Response:
        """The answer."""
        answer = next((told for end, told in self.told.items() if request.url.endswith(end)), None)
        if isinstance(answer, ConnectionFailed):
            raise answer
        answer = answer or self.exchange.answer(request)
        return Response(answer.status, {"date": self.date or "", **answer.headers}, answer.content)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def exchange() -> Exchange:
    made = Exchange(nonce="a nonce")
    made.answers["GET", "organisations"] = reply(200, {"items": []})
    return made


@pytest.fixture
def there(exchange: Exchange) -> Direct:
    made = Direct(exchange)
    made.told["/v1/organisations"] = reply(200, {"items": []})
    return made


def examined(there: Direct, clock: float = NOW, **place: Any) -> list[Finding]:
    given = {
        "base_url": f"{ORIGIN}/v1",
        "issuer": ORIGIN,
        "client_id": CLIENT_ID,
        "key": there.exchange.jwk,
        "scope": SCOPE,
    }
    return list(connection.examine(Place(**(given | place)), lambda: clock, there))


def wrong(found: list[Finding]) -> tuple[str, str]:
    """The step that does not hold, and what is said of it; every step before held."""
    *before, last = found
    assert all(each.holds for each in before)
    assert not last.holds
    assert str(last).startswith("NO  ")
    return last.step, f"{last.said} {last.next_step}"


def test_a_connection_that_is_right_is_said_to_be(there: Direct) -> None:
    found = examined(there)
    assert [each.step for each in found] == ["key", "connection", "issuer", "clock", "token", "API"]
    assert all(each.holds and str(each).startswith("ok  ") for each in found)
    assert there.exchange.jwk["d"] not in " ".join(map(str, found))


def test_the_proof_at_the_api_is_a_real_one(exchange: Exchange, there: Direct) -> None:
    """The small exchange holds it against the server's own verification."""
    exchange.nonce = None
    del there.told["/v1/organisations"]
    assert all(each.holds for each in examined(there))


@pytest.mark.parametrize("slug", ["insufficient-scope", "wrong-party"])
def test_who_may_not_see_the_organisations_is_connected_all_the_same(there: Direct, slug: str) -> None:
    there.told["/v1/organisations"] = problem(403, slug)
    assert all(each.holds for each in examined(there))


def test_a_key_that_is_to_be_renewed_soon_is_told(there: Direct) -> None:
    granted = {"access_token": "t", "token_type": "DPoP", "client_keys_renew_by": "2026-12-01"}
    there.told["/oauth/token"] = reply(200, granted)
    found = examined(there)
    (old,) = (each for each in found if not each.holds)
    assert (old.step, "2026-12-01" in old.said, "client renew" in old.next_step) == ("age of the key", True, True)
    assert found[-1].step == "API"


def test_a_key_that_cannot_be_used_is_told(there: Direct, tmp_path: Path) -> None:
    open_to_all = tmp_path / "key.json"
    open_to_all.write_text(json.dumps(private_jwk()))
    open_to_all.chmod(0o644)
    for key, words in (
        (tmp_path / "nowhere", "cannot be read"),
        (open_to_all, "0400"),
        ({"kty": "RSA"}, "P-256 or Ed25519"),
    ):
        step, said = wrong(examined(there, key=key))
        assert step == "key"
        assert words in said
        assert "keygen" in said


@pytest.mark.parametrize("place", [{"base_url": "http://exchange.test/v1"}, {"issuer": "http://exchange.test"}])
def test_an_address_without_https_is_told(there: Direct, place: dict[str, Any]) -> None:
    step, said = wrong(examined(there, **place))
    assert (step, "no https address" in said) == ("connection", True)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("certificate", "not one that this machine trusts"),
        ("tls", "TLS 1.2"),
        ("name", "name service"),
        ("refused", "nobody listens"),
        ("timeout", "firewall"),
        ("RemoteProtocolError", "no answer came"),
    ],
)
def test_a_service_that_cannot_be_reached_is_told(there: Direct, kind: str, words: str) -> None:
    there.told["/oauth-authorization-server"] = ConnectionFailed(kind)
    step, said = wrong(examined(there))
    assert step == "connection"
    assert words in said
    assert "exchange.test" in said


def _metadata(**said: Any) -> Response:
    return reply(200, {"issuer": ORIGIN, "token_endpoint": f"{ORIGIN}/oauth/token"} | said)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404), "no authorization server (HTTP 404)"),
        (Response(200, {}, b"<html>"), "proxy"),
        (Response(200, {}, b"[]"), "letter by letter"),
        (_metadata(issuer="https://exchange.test/"), "calls itself https://exchange.test/, not https://exchange.test."),
        (_metadata(issuer="\x1b[2Jx"), "calls itself [2Jx"),
        (_metadata(issuer=7), "calls itself , not"),
        (_metadata(token_endpoint="http://exchange.test/oauth/token"), "no token endpoint"),
        (_metadata(token_endpoint=None), "no token endpoint"),
    ],
    ids=["absent", "a page", "a list", "another issuer", "control characters", "a number", "plain HTTP", "no endpoint"],
)
def test_a_wrong_issuer_is_told(there: Direct, answer: Response, words: str) -> None:
    there.told["/oauth-authorization-server"] = answer
    step, said = wrong(examined(there))
    assert step == "issuer"
    assert words in said


@pytest.mark.parametrize(("off", "words"), [(61.0, "61 seconds ahead of"), (-3_600.0, "3600 seconds behind")])
def test_a_clock_that_is_wrong_is_told(there: Direct, off: float, words: str) -> None:
    step, said = wrong(examined(there, NOW + off))
    assert step == "clock"
    assert words in said
    assert "NTP" in said


def test_a_service_that_says_no_time_is_believed(there: Direct) -> None:
    there.date = None
    assert all(each.holds for each in examined(there))


def _error(error: str, description: str = "", status: int = 400, **headers: str) -> Response:
    return reply(status, {"error": error, "error_description": description}, **headers)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_error("invalid_client", "client authentication failed", 401), "by telephone: the client id, and the thumb"),
        (_error("invalid_client", "this client is disabled: ask", 401), "registered, and disabled"),
        (_error("invalid_scope"), f"registered for this client: {SCOPE}"),
        (_error("invalid_dpop_proof", "iat is not the time of this request: check the clock"), "NTP"),
        (_error("invalid_dpop_proof", "htu is not the URL of this request"), "known outside"),
        (_error("invalid_dpop_proof", "else"), "stays so"),
        (_error("unauthorized_client", "this client may not do this"), "unauthorized_client: this client may not"),
        (_error("use_dpop_nonce", dpop_nonce="x"), "same key file"),
        (problem(429, "too-many-requests", headers={"retry-after": "17"}), "Try again in 17 seconds"),
        (problem(503, "unavailable"), "unavailable (HTTP 503). Do this"),
        (Response(502, {}, b"<html>"), "proxies between you"),
        (reply(200, {"access_token": "t", "token_type": "Bearer"}), "not bound to the key"),
    ],
    ids=["key", "disabled", "scope", "iat", "htu", "proof", "client", "nonce", "limit", "away", "proxy", "bearer"],
)
def test_why_there_is_no_token_is_told(there: Direct, answer: Response, words: str) -> None:
    there.told["/oauth/token"] = answer
    step, said = wrong(examined(there))
    assert step == "token"
    assert words in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem(401, "invalid-dpop-proof", detail="htu is not the URL"), "known outside"),
        (problem(401, "invalid-token"), "they belong together"),
        (problem(404, "not-found"), "such as /v1"),
        (problem(503, "unavailable"), "unavailable (HTTP 503)"),
        (Response(504, {}, b""), "not the service (HTTP 504)"),
    ],
    ids=["proof", "token", "address", "away", "proxy"],
)
def test_why_the_api_does_not_take_the_token_is_told(there: Direct, answer: Response, words: str) -> None:
    there.told["/v1/organisations"] = answer
    step, said = wrong(examined(there))
    assert step == "API"
    assert words in said


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a certificate and its key."""
    made, file = mtls_kit.certificate("ours"), tmp_path / "client.pem"
    file.write_text(made.pem + made.key_pem)
    file.chmod(0o400)
    return file


def test_a_client_with_a_certificate_is_looked_at_as_it_connects(there: Direct, certificate: Path) -> None:
    """At the address for those, and without an assertion; the key is for proofs alone."""
    alias = "https://mtls.exchange.test/oauth/token"
    there.exchange.metadata = {"mtls_endpoint_aliases": {"token_endpoint": alias}}
    found = examined(there, certificate=certificate, base_url="https://mtls.exchange.test/v1")
    assert all(each.holds for each in found)
    assert f"knows {CLIENT_ID} and its certificate" in found[4].said
    asked = [each for each in there.exchange.asked if each.url == alias]
    assert asked
    assert all(b"client_assertion" not in each.content for each in asked)
    due = {"access_token": "t", "token_type": "DPoP", "client_certificate_renew_by": "2026-12-01"}
    there.told["/oauth/token"] = reply(200, due)
    (old,) = (each for each in examined(there, certificate=certificate) if not each.holds)
    assert (old.step, "OIN" in old.next_step) == ("age of the certificate", True)
    there.told["/oauth/token"] = _error("invalid_client", "the certificate is of another client", 401)
    step, said = wrong(examined(there, certificate=certificate))
    assert (step, "this certificate" in said, "of another client" in said) == ("token", True, True)
    del there.told["/oauth/token"]
    there.told["/v1/organisations"] = problem(401, "invalid-token")
    assert "address for those" in wrong(examined(there, certificate=certificate))[1]


def test_a_certificate_that_cannot_be_shown_or_is_not_asked_for_is_told(there: Direct, certificate: Path) -> None:
    step, said = wrong(examined(there, certificate=certificate))
    assert (step, "for clients with a certificate" in said) == ("issuer", True)
    there.exchange.metadata = {"mtls_endpoint_aliases": 7}
    assert wrong(examined(there, certificate=certificate))[0] == "issuer"
    certificate.chmod(0o444)
    step, said = wrong(examined(there, certificate=certificate))
    assert (step, "0400" in said) == ("certificate", True)
    assert wrong(examined(there, certificate=certificate.with_name("absent")))[0] == "certificate"


def test_the_command_asks_for_the_address_for_certificates(certificate: Path) -> None:
    words = ("--issuer", ORIGIN, "--client-id", CLIENT_ID, "--key", "k", "--scope", SCOPE)
    run = CliRunner().invoke(client.app, ["check", *words, "--certificate", str(certificate)])
    assert isinstance(run.exception, api.errors.Misconfigured)
    assert "--base-url" in str(run.exception)
    run = CliRunner().invoke(
        client.app, ["check", *words, "--certificate", "absent", "--base-url", "https://m.test/v1"]
    )
    assert (run.exit_code, run.output.startswith("NO  certificate: ")) == (1, True)


def test_over_a_socket_it_is_the_same(exchange: Exchange) -> None:
    exchange.nonce = None
    with served(exchange) as origin:
        place = Place(f"{origin}/v1", origin, CLIENT_ID, exchange.jwk, SCOPE)
        found = list(connection.examine(place, lambda: exchange.now))
    assert [each.step for each in found][:3] == ["key", "connection", "issuer"]
    assert wrong(found)[0] == "clock", "the socket's server knows what time it is"


def raising(error: Exception, cause: Exception | None = None) -> Http:
    """A transport whose network fails in this way."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise error from cause

    return Http(timeout=1, inner=httpx.MockTransport(fail))


@pytest.mark.parametrize(
    ("error", "cause", "kind"),
    [
        (httpx.ConnectError("x"), ssl.SSLCertVerificationError("x"), "certificate"),
        (httpx.ConnectError("x"), ssl.SSLError("x"), "tls"),
        (httpx.ConnectTimeout("x"), None, "timeout"),
        (httpx.ReadError("x"), None, "ReadError"),
    ],
    ids=["certificate", "tls", "timeout", "other"],
)
def test_a_failure_is_one_word(error: Exception, cause: Exception | None, kind: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        raising(error, cause).send(Request("GET", "https://exchange.test/", {}))
    assert caught.value.kind == kind


class Renewing(Direct):
    """A small exchange at which keys are replaced."""

    asked: dict[str, str]

    def send(self, request: Request) -> Response:
        """Take the form, and answer."""
        if request.url.endswith("/keys"):
            self.asked = dict(httpx.QueryParams(request.content.decode()))
        return super().send(request)


@pytest.fixture
def renewing(exchange: Exchange) -> Renewing:
    exchange.metadata["client_keys_endpoint"] = f"{ORIGIN}/keys"
    made = Renewing(exchange)
    made.told["/keys"] = reply(200, {"client_keys_renew_by": "2027-11-25"})
    return made


def renewed(there: Direct, issuer: str = ORIGIN) -> str:
    return renewal.renew(issuer, CLIENT_ID, there.exchange.jwk, [private_jwk("Ed25519")], lambda: NOW, there)


def test_keys_are_replaced(renewing: Renewing) -> None:
    """What the server makes of it: `tests/e2e/test_workers.py`."""
    assert renewed(renewing) == "2027-11-25"
    assert set(renewing.asked) == {"client_assertion_type", "client_assertion", "proofs"}
    assert renewing.exchange.jwk["d"] not in str(renewing.asked)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_error("invalid_client", status=401), TokenRefused),
        (problem(400, "invalid-input"), InvalidInput),
        (Response(200, {}, b"<html>"), UnexpectedAnswer),
        (Response(200, {}, b"[]"), UnexpectedAnswer),
    ],
    ids=["refused", "problem", "page", "list"],
)
def test_keys_that_are_not_replaced_are_told(renewing: Renewing, answer: Response, error: type[Exception]) -> None:
    renewing.told["/keys"] = answer
    with pytest.raises(error):
        renewed(renewing)


def test_keys_are_replaced_where_the_issuer_says(renewing: Renewing) -> None:
    with pytest.raises(Misconfigured):
        renewed(renewing, "http://exchange.test")
    for said in ({"client_keys_endpoint": "http://exchange.test/keys"}, {"client_keys_endpoint": 7}, {"issuer": "x"}):
        renewing.exchange.metadata.update(said)
        with pytest.raises(UnexpectedAnswer):
            renewed(renewing)


def test_without_a_transport_it_goes_over_the_network(exchange: Exchange) -> None:
    with served(exchange) as origin, pytest.raises(UnexpectedAnswer, match="where clients replace"):
        renewal.renew(origin, CLIENT_ID, exchange.jwk, [], lambda: NOW)
