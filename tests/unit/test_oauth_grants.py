"""Client authentication and the one grant: RFC 7523 and RFC 6749 section 4.4, held to FAPI 2.0 section 5.3.2.1."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from joserfc.jwk import ECKey

from api.oauth import grants, jose, tokens
from api.oauth.model import Client
from api.oauth.signing import SigningKeys
from api.principal import Organisation
from api.vocabulary import ClientId, OrganisationId, Party, Scope
from tests import oauth_kit as kit

NOW = datetime.fromtimestamp(kit.NOW, UTC)
ISSUER = tokens.Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(ECKey.generate_key("P-256")))
NGO = Organisation(OrganisationId(UUID(int=1)), Party.NGO, "an NGO", None)
ID = "ngo-one"


def client(by: kit.Key, *, enabled: bool = True, grant: str = "client_credentials") -> Client:
    scopes = frozenset({Scope.DOSSIERS_READ, Scope.CASES_READ})
    return Client(ClientId(ID), NGO, jose.key_ring([by.public]), scopes, grant, enabled, 1, NOW)


def decide(form: dict[str, str], known: Client | None) -> grants.Outcome:
    return grants.decide(grants.Attempt(form, known, ISSUER, NOW), kit.TOKEN_URL)


def ask(by: kit.Key, scope: str = "dossiers:read", **claims: Any) -> dict[str, str]:
    return kit.form(by, ID, scope, **claims)


@pytest.mark.parametrize("name", ["es256", "ps256", "ed25519"])
def test_a_client_with_each_kind_of_key_gets_what_it_asks(name: str) -> None:
    by = kit.key(name)
    outcome = decide(ask(by, "dossiers:read cases:read", jti="an-id-of-one-use"), client(by))
    assert isinstance(outcome, grants.Granted)
    assert outcome.scopes == {Scope.DOSSIERS_READ, Scope.CASES_READ}
    assert outcome.assertion == grants.Assertion("an-id-of-one-use", datetime.fromtimestamp(kit.NOW + 60, UTC))


def test_the_old_name_of_ed25519_is_taken() -> None:
    by = kit.key("ed25519")
    assert isinstance(decide(ask(by, header={"alg": "EdDSA"}), client(by)), grants.Granted)


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"typ": kit.GONE}},
        {"header": {"typ": "client-authentication+jwt"}},
        {"iat": kit.NOW + 10},
        {"nbf": kit.NOW + 10},
        {"exp": kit.NOW + 600},
    ],
    ids=kit.name,
)
def test_what_fapi_allows_is_taken(changes: dict[str, Any]) -> None:
    by = kit.key("es256")
    assert isinstance(decide(ask(by, **changes), client(by)), grants.Granted)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": kit.GONE},
        {"aud": kit.TOKEN_URL},
        {"aud": [kit.ISSUER]},
        {"aud": [kit.ISSUER, "https://evil.test"]},
        {"aud": kit.ISSUER + "/"},
        {"iss": kit.GONE},
        {"iss": "other"},
        {"exp": kit.GONE},
        {"exp": kit.NOW},
        {"exp": kit.NOW + 601},
        {"exp": kit.NOW + 315_360_000},
        {"exp": "soon"},
        {"exp": 1e300},
        {"iat": kit.GONE},
        {"iat": kit.NOW + 11},
        {"iat": "now"},
        {"nbf": kit.NOW + 11},
        {"nbf": None},
        {"jti": kit.GONE},
        {"jti": "short"},
        {"jti": "x" * 129},
        {"jti": 7},
        {"header": {"typ": "at+jwt"}},
        {"header": {"typ": "dpop+jwt"}},
        {"header": {"typ": 7}},
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"header": {"alg": "RS256"}},
        {"header": {"alg": 'x"y'}},
        {"header": {"crit": ["zz"], "zz": 1}},
        {"by": kit.key("ps256-mallory")},
    ],
    ids=kit.name,
)
def test_an_assertion_that_differs_in_one_thing_proves_nobody(changes: dict[str, Any]) -> None:
    by = kit.key("ps256")
    known = client(by)
    assert decide(ask(changes.pop("by", by), **changes), known) == grants.Denied("invalid_client", None)


@pytest.mark.parametrize("sub", [kit.GONE, "other", 7, ["ngo-one"], None, {}])
def test_an_assertion_about_another_proves_nobody(sub: object) -> None:
    by = kit.key("es256")
    assert decide(ask(by, sub=sub), client(by)) == grants.Denied("invalid_client", None)


def test_an_unknown_client_is_as_a_wrong_key() -> None:
    assert decide(ask(kit.key("es256")), None) == grants.Denied("invalid_client", None)


@pytest.mark.parametrize(
    "form",
    [
        {"client_assertion": "x"},
        {"client_assertion": "a.b.c"},
        {"client_assertion": ""},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_id": "other"},
        {"client_assertion": kit.key("es256").jws({}, "e30") + '"'},
        {"client_assertion": kit.key("es256").jws({}, kit.b64(b'{"sub":' + b"[" * 4000 + b"]" * 4000 + b"}"))},
        {"client_assertion": f"{kit.b64(b'[' * 700)}.e30.AA"},
    ],
    ids=kit.name,
)
def test_a_form_without_a_readable_assertion_proves_nobody(form: dict[str, str]) -> None:
    by = kit.key("es256")
    assert decide(ask(by) | form, client(by)) == grants.Denied("invalid_client", None)


@pytest.mark.parametrize("extra", [{"client_secret": "s"}, {"client_id": ID, "client_secret": ""}])
def test_a_secret_is_no_authentication(extra: dict[str, str]) -> None:
    """FAPI 2.0 section 5.3.2.1: private_key_jwt or mTLS, nothing else."""
    form = {"grant_type": "client_credentials", "scope": "dossiers:read"} | extra
    assert decide(form, client(kit.key("es256"))) == grants.Denied("invalid_client", None)


@pytest.mark.parametrize("grant", ["password", "authorization_code", "refresh_token", "implicit", "", 'x"y', "\u00e9"])
def test_there_is_one_grant(grant: str) -> None:
    by = kit.key("es256")
    assert decide(ask(by) | {"grant_type": grant}, client(by)) == grants.Denied("unsupported_grant_type", None)


def denied(by: kit.Key, known: Client, **form: str) -> str:
    """The error of a proven client."""
    outcome = decide(ask(by) | form, known)
    assert isinstance(outcome, grants.Denied)
    assert outcome.assertion is not None
    return outcome.error


def test_a_disabled_client_is_refused_and_known_by_its_key() -> None:
    by = kit.key("es256")
    assert denied(by, client(by, enabled=False)) == "invalid_client"


def test_a_client_has_one_grant_type() -> None:
    """NL GOV profile: exactly one per client."""
    by = kit.key("es256")
    assert denied(by, client(by, grant="authorization_code")) == "unauthorized_client"


@pytest.mark.parametrize(
    "scope", ["", " ", "cases:write", "dossiers:read cases:write", "dossiers:read  cases:read", "dossiers:*", 'a"b']
)
def test_scopes_are_granted_as_asked_or_not_at_all(scope: str) -> None:
    """RFC 6749 section 3.3: no default, and no narrowing without saying."""
    by = kit.key("es256")
    assert denied(by, client(by), scope=scope) == "invalid_scope"


def test_the_resource_is_ours_if_it_is_named() -> None:
    """RFC 8707."""
    by = kit.key("es256")
    assert isinstance(decide(ask(by) | {"resource": kit.AUDIENCE}, client(by)), grants.Granted)
    assert denied(by, client(by), resource="https://evil.test") == "invalid_target"


def test_an_outcome_does_not_show_what_is_secret() -> None:
    by = kit.key("es256")
    outcome = decide(ask(by, jti="an-id-of-one-use"), client(by))
    assert isinstance(outcome, grants.Granted)
    assert "an-id-of-one-use" not in repr(outcome)
