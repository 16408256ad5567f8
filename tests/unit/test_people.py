"""Signing in, without a database: what must hold of an ID token, of a cookie, and of a provider that is registered."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request

from api.cli import people as command
from api.crypto.mac import Mac
from api.edge import doorstep
from api.errors import Misconfigured, Undecryptable
from api.oauth import jose
from api.oauth.model import NewClient
from api.oauth.people import id_token, pending
from api.oauth.people.door import Turned
from api.oauth.people.id_token import Expected
from api.oauth.people.model import NewProvider, Provider, Why, roles_of
from api.oauth.people.ticket import Ticket, unpacked
from api.oauth.remote import COOLDOWN, Remote
from api.principal import Organisation
from api.vocabulary import ClientId, OrganisationId, Party, Role, Scope
from tests import oauth_kit as kit

NOW = datetime.fromtimestamp(kit.NOW, UTC)
THERE = UUID("019a0000-0000-7000-8000-000000000001")
KEY = kit.key("es256-people")
KEYS = {"one": jose.public_key(KEY.public)}
EXPECTED = Expected("https://idp.example", "ketenbrug", "the-nonce", kit.NOW - 100)
NGO = Organisation(OrganisationId(THERE), Party.NGO, "an NGO", None)
NEW = NewProvider(THERE, NGO.id, "https://idp.example", "ketenbrug", "roles", {"lvv": Role.CASE_WORKER}, "ICT")


def token(header: dict[str, Any] | None = None, by: kit.Key = KEY, **changes: Any) -> jose.Unverified:
    said = {
        "iss": EXPECTED.issuer,
        "aud": EXPECTED.client_id,
        "nonce": EXPECTED.nonce,
        "sub": "somebody",
        "iat": kit.NOW,
        "exp": kit.NOW + 300,
        "auth_time": kit.NOW - 100,
    }
    return jose.peek(by.jws({"kid": "one"} | (header or {}), kit.without(said | changes)))


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({}, {}),
        ({"typ": "JWT"}, {}),
        ({"kid": kit.GONE}, {}),
        ({}, {"aud": ["ketenbrug"], "azp": "ketenbrug"}),
        ({}, {"iat": kit.NOW + 10}),
        ({}, {"auth_time": kit.NOW - 110}),
    ],
)
def test_an_id_token_for_this_sign_in_holds(header: dict[str, Any], changes: dict[str, Any]) -> None:
    assert id_token.verify(token(header, **changes), KEYS, EXPECTED, kit.NOW)["sub"] == "somebody"


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({"typ": "at+jwt"}, {}),
        ({"typ": "logout+jwt"}, {}),
        ({"kid": "two"}, {}),
        ({"kid": 1}, {"iss": "https://elsewhere.example"}),
        ({"alg": "none"}, {}),
        ({"alg": "HS256"}, {}),
        ({}, {"iss": "https://idp.example/"}),
        ({}, {"aud": "another"}),
        ({}, {"aud": ["ketenbrug", "another"]}),
        ({}, {"aud": kit.GONE}),
        ({}, {"azp": "another"}),
        ({}, {"exp": kit.NOW}),
        ({}, {"exp": kit.GONE}),
        ({}, {"iat": kit.NOW + 11}),
        ({}, {"iat": kit.NOW - 601}),
        ({}, {"iat": "now"}),
        ({}, {"auth_time": kit.NOW - 111}),
        ({}, {"auth_time": kit.GONE}),
        ({}, {"auth_time": "now"}),
        ({}, {"nonce": "another"}),
        ({}, {"nonce": kit.GONE}),
        ({}, {"nonce": 1}),
        ({}, {"sub": ""}),
        ({}, {"sub": "x" * 256}),
        ({}, {"sub": kit.GONE}),
    ],
    ids=kit.name,
)
def test_an_id_token_that_is_not_all_that_is_refused(header: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises(jose.Unreadable):
        id_token.verify(token(header, **changes), KEYS, EXPECTED, kit.NOW)


def test_an_id_token_of_another_key_is_refused() -> None:
    with pytest.raises(jose.Unreadable):
        id_token.verify(token(by=kit.key("es256")), KEYS, EXPECTED, kit.NOW)
    with pytest.raises(jose.Unreadable):  # several keys, and none is named
        id_token.verify(token({"kid": kit.GONE}), KEYS | {"two": KEYS["one"]}, EXPECTED, kit.NOW)


def test_a_sign_in_comes_back_from_its_cookie_alone() -> None:
    mac = Mac(bytes(32))
    begun = pending.begin(mac, THERE, "en", NOW + timedelta(microseconds=7))
    assert pending.read(mac, begun.cookie) == begun
    assert (begun.provider_id, begun.begun_at, begun.language) == (THERE, NOW, "en")
    assert begun.is_answered_by(begun.state)
    assert len({begun.state, begun.nonce, begun.verifier, pending.begin(mac, THERE, "en", NOW).state}) == 4
    anew = pending.read(mac, pending.begin(mac, THERE, "nl", NOW, anew=True).cookie)
    assert anew is not None
    assert (anew.anew, begun.anew, anew.language) == (True, False, "nl")
    assert begun.verifier not in repr(begun)
    assert begun.state not in repr(begun)


@pytest.mark.parametrize("change", ["", "A", "x" * 200, "\N{SNOWMAN}", "flip", "other key", "padded"])
def test_a_cookie_that_we_did_not_make_is_no_sign_in(change: str) -> None:
    mac = Mac(bytes(32))
    cookie = pending.begin(mac, THERE, "nl", NOW).cookie
    match change:
        case "flip":
            cookie = ("B" if cookie[0] == "A" else "A") + cookie[1:]
        case "other key":
            mac = Mac(bytes(31) + b"\1")
        case "padded":
            cookie += "="
        case _:
            cookie = change
    assert pending.read(mac, cookie) is None


def test_a_ticket_seals_to_one_session_and_shows_nothing() -> None:
    ticket = Ticket.fresh()
    read = Ticket.read(ticket.reveal())
    assert read is not None
    sealed = ticket.seal(b"Noor", THERE)
    assert read.open(sealed, THERE) == b"Noor"
    assert b"Noor" not in sealed
    assert read.has_sent(ticket.form_token)
    assert not read.has_sent(Ticket.fresh().form_token)
    assert not read.has_sent("\N{SNOWMAN}")
    assert ticket.reveal() not in repr(ticket)
    for other, session in ((Ticket.fresh(), THERE), (ticket, UUID(int=1))):
        with pytest.raises(Undecryptable):
            other.open(sealed, session)
    with pytest.raises(Undecryptable):
        ticket.open(b"short", THERE)
    with pytest.raises(TypeError):
        pickle.dumps(ticket)


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "\N{SNOWMAN}" * 43, "A" * 42 + "B", "A" * 42 + "="])
def test_what_is_no_ticket_is_none(text: str) -> None:
    """Also a second spelling of the same bytes: one ticket has one text."""
    assert Ticket.read(text) is None
    assert unpacked("A" * 43) == bytes(32)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "http://idp.example"}, "https address"),
        ({"issuer": "https://idp.example?x"}, "https address"),
        ({"issuer": "https://user@idp.example"}, "https address"),
        ({"issuer": "https://[idp.example"}, "https address"),
        ({"issuer": "https://"}, "https address"),
        ({"issuer": "http://localhost"}, "https address"),
        ({"client_id": "with space"}, "visible ASCII"),
        ({"role_claim": ""}, "visible ASCII"),
        ({"roles": {}}, "values of the claim"),
        ({"roles": {"": Role.CASE_WORKER}}, "values of the claim"),
        ({"contact": " "}, "whom people ask"),
        ({"contact": "x" * 201}, "whom people ask"),
    ],
)
def test_a_provider_that_cannot_be_is_not_registered(changes: dict[str, Any], said: str) -> None:
    assert NEW.faults() == ()
    assert replace(NEW, issuer="http://127.0.0.1:8080").faults() == ()
    (fault,) = replace(NEW, **changes).faults()
    assert said in fault


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"roles": "lvv"}, {Role.CASE_WORKER}),
        ({"roles": ["staff", "lvv", "fg"]}, {Role.CASE_WORKER, Role.PRIVACY_OFFICER}),
        ({"roles": ["staff"]}, set()),
        ({"roles": ["audit"]}, set()),
        ({"roles": {"lvv": True}}, set()),
        ({"roles": [["lvv"], 1, None]}, set()),
        ({"groups": ["lvv"]}, set()),
        ({}, set()),
    ],
)
def test_a_role_is_what_was_registered_for_a_value_and_fits_the_organisation(
    claims: dict[str, Any], roles: set[Role]
) -> None:
    """Also where the database says otherwise: no provider of an NGO makes an auditor."""
    mapping = {"lvv": Role.CASE_WORKER, "fg": Role.PRIVACY_OFFICER, "audit": Role.AUDITOR}
    assert Provider(THERE, NGO, "https://idp.example", "k", "roles", mapping, "ICT").roles_in(claims) == roles


def test_auditors_and_operators_are_made_by_their_own_organisations_only() -> None:
    makers = {role: {kind for kind in Party if role in roles_of(kind)} for role in Role}
    assert makers[Role.AUDITOR] == {Party.AUDITOR}
    assert makers[Role.OPERATOR] == {Party.OPERATOR}
    assert not makers[Role.CASE_WORKER] & {Party.AUDITOR, Party.OPERATOR}


@pytest.mark.parametrize("name", ["console", "local-operator"])
def test_no_machine_is_called_as_the_log_calls_who_is_none(name: str) -> None:
    new = NewClient(ClientId(name), NGO.id, (KEY.public,), frozenset({Scope.CASES_READ}))
    (fault,) = new.faults()
    assert "how the log names" in fault
    assert replace(new, id=ClientId(f"{name}-1")).faults() == ()


async def test_who_names_no_key_asks_for_none_anew() -> None:
    """While keys are known and fresh; a key that is not known still asks."""
    fetched: list[float] = []

    async def fetch() -> dict[str, jose.PublicKey]:
        fetched.append(1)
        return KEYS

    remote = Remote("provider", fetch)
    for at in (0.0, COOLDOWN, 2.0 * COOLDOWN):
        assert await remote.find("", at) == KEYS
    assert len(fetched) == 1
    await remote.find("unknown", 3.0 * COOLDOWN)
    assert len(fetched) == 2


@pytest.mark.parametrize("pairs", [["lvv"], ["=case-worker"], ["lvv=king"], ["a=auditor", "a=operator"]])
def test_a_mapping_that_cannot_be_read_is_refused(pairs: list[str]) -> None:
    assert command.mapped(["a=b=auditor"]) == {"a=b": "auditor"}
    with pytest.raises(Misconfigured, match="VALUE=ROLE"):
        command.mapped(pairs)


@pytest.mark.parametrize(
    ("query", "accepts", "language"),
    [
        ("", "", "nl"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "de,nl;q=0.8,en;q=0.5", "nl"),
        ("", "en;q=0.2,nl-BE;q=0.9", "nl"),
        ("", "en;q=nonsense,nl;q=0.1", "nl"),
        ("", "fr", "nl"),
        ("lang=en", "nl", "en"),
        ("lang=fr", "en", "en"),
    ],
)
def test_a_page_is_in_the_language_that_was_asked_for(query: str, accepts: str, language: str) -> None:
    scope = {"type": "http", "query_string": query.encode(), "headers": [(b"accept-language", accepts.encode())]}
    assert doorstep.language(Request(scope)) == language


def test_every_reason_has_its_words_in_both_languages() -> None:
    for why in Why:
        pages = {each: doorstep.refused(Turned(why), each).body for each in ("nl", "en")}
        assert pages["nl"] != pages["en"]
        assert b'<html lang="nl">' in bytes(pages["nl"])
        assert b'role="alert"' in bytes(pages["en"])
