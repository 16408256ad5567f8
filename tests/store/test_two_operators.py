"""Two operators agree before anybody is let in: as both would type it."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest
import typer
from typer.testing import CliRunner

from api import settings
from api.cli import doing, keygen, people, register
from api.errors import Misconfigured
from api.oauth import agreeing, jose, registry
from api.storage.pool import Database
from api.vocabulary import ClientId, Signable
from tests import mtls_kit
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from typer.testing import Result

    from api.oauth.model import Client
    from api.storage.unit import Unit
    from tests import servers

APP = typer.Typer()
APP.add_typer(register.app, name="register")
APP.add_typer(keygen.app, name="client")
APP.add_typer(people.app, name="people")
CLIENT = kit.key("es256")
NOBODY = "0197d1e0-0000-7000-8000-000000000001"


class Office:
    """Operators, each with a key file, on one database that is no sandbox."""

    def __init__(self, folder: Path, database: servers.Database) -> None:
        self.folder = folder
        self.url = database.app_url
        self.owner_url = database.owner_url

    def typed(self, *words: str) -> Result:
        """Run a command."""
        return CliRunner().invoke(APP, ["register", *words], env={"KETENBRUG_DATABASE_URL": self.url})

    def linked(self, *words: str) -> Result:
        """Make a link."""
        env = {"KETENBRUG_DATABASE_URL": self.url, "KETENBRUG_PUBLIC_URL": "https://ketenbrug.example"}
        return CliRunner().invoke(APP, ["people", "link", *words], env=env)

    def done(self, *words: str) -> str:
        """Run a command that succeeds, and return what it printed."""
        result = self.typed(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout.strip()

    def refused(self, *words: str) -> str:
        """Run a command that is refused, and return why."""
        error = self.typed(*words).exception
        assert isinstance(error, Misconfigured), error
        return " ".join(error.faults)

    def keygen(self, name: str, kind: str = "ES256") -> Path:
        """Make a key; the public half stands beside it."""
        private = self.folder / f"{name}.jwk"
        made = CliRunner().invoke(APP, ["client", "keygen", str(private), "--kind", kind])
        private.with_suffix(".pub").write_text(made.stdout)
        return private

    def enrol(self, name: str, kind: str = "ES256") -> None:
        """Enrol one of the first two."""
        self.done("operator", name, "--key", str(self.keygen(name, kind).with_suffix(".pub")))

    def as_(self, name: str) -> tuple[str, ...]:
        """What each command says of who acts."""
        return ("--by", name, "--operator-key", str(self.folder / f"{name}.jwk"))

    def propose(self, by: str, *words: str) -> str:
        """Propose, and return the id of the proposal."""
        return self.done(*words, *self.as_(by)).rpartition(" ")[2]

    def within(self, work: Callable[[Unit], Awaitable[Any]], after: timedelta = timedelta()) -> Any:
        """Do it in a unit of work."""

        async def once() -> Any:
            database = await Database.open(self.url, size=1)
            unit = database.unit(settings.now() + after)
            try:
                return await work(unit)
            finally:
                await unit.abort()
                await database.close()

        return asyncio.run(once())

    def sql(self, text: str, *values: object) -> list[Any]:
        """As the owner of the database."""

        async def once() -> list[Any]:
            connection = await asyncpg.connect(self.owner_url)
            try:
                found: list[Any] = await connection.fetch(text, *values)
                return found
            finally:
                await connection.close()

        return asyncio.run(once())

    def entries(self) -> list[tuple[str, str | None]]:
        """What was done, and by whom."""
        leaves = [orjson.loads(row["leaf"]) for row in self.sql("SELECT leaf FROM audit.entry ORDER BY id")]
        return [(leaf["action"], leaf["actor"].get("person")) for leaf in leaves]


@pytest.fixture
def office(tmp_path: Path, database: servers.Database) -> Office:
    made = Office(tmp_path, database)
    made.enrol("op-1")
    made.enrol("op-2", "Ed25519")
    return made


ORGANISATION = ("organisation", "an NGO", "--kind", "ngo", "--oin", "00000099000000001000")


def client_of(office: Office, organisation: str) -> tuple[str, ...]:
    key = office.folder / "ngo.pub"
    key.write_text(json.dumps(CLIENT.public))
    return ("client", "ngo-one", "--organisation", organisation, "--key", str(key), "--scope", "cases:read")


def test_an_organisation_is_let_in_by_two(office: Office) -> None:
    """One proposes it, the other hears the thumbprint and confirms; every act is an entry that says whose it was."""
    proposal = office.propose("op-1", *ORGANISATION)
    assert office.within(registry.organisations) == [], "proposed is not registered"
    assert "an NGO" in office.done("proposals")
    organisation = office.done("confirm", proposal, *office.as_("op-2"))
    proposal = office.propose("op-2", *client_of(office, organisation))
    assert CLIENT.public["x"] not in office.done("proposals"), "the thumbprint is heard, not copied"
    heard = ("--thumbprint", CLIENT.thumbprint)
    assert office.done("confirm", proposal, *office.as_("op-1"), *heard) == CLIENT.thumbprint
    proposal = office.propose("op-1", "designation", organisation, "--source", "Stcrt. 1", "--since", "2026-01-01")
    assert office.done("confirm", proposal, *office.as_("op-2")) == ""
    found = office.within(lambda unit: registry.read(unit, ClientId("ngo-one")))
    assert (found.organisation.designated, found.keys.thumbprints) == (True, {CLIENT.thumbprint})
    assert office.entries() == [
        ("oauth.enrol-operator", None),
        ("oauth.enrol-operator", None),
        ("oauth.propose", "op-1"),
        ("oauth.confirm", "op-2"),
        ("oauth.register-organisation", "op-2"),
        ("oauth.propose", "op-2"),
        ("oauth.confirm", "op-1"),
        ("oauth.register-client", "op-1"),
        ("oauth.propose", "op-1"),
        ("oauth.confirm", "op-2"),
        ("oauth.record-designation", "op-2"),
    ]
    assert office.done("proposals") == ""


def agreed(office: Office, *words: str, heard: tuple[str, ...] = ()) -> str:
    """One operator proposes, the other one confirms."""
    return office.done("confirm", office.propose("op-1", *words), *office.as_("op-2"), *heard)


def test_what_signs_payloads_and_who_must_are_agreed_by_two(office: Office) -> None:
    """A key of that one use and of one client; both changes count from the next request."""
    organisation = agreed(office, *ORGANISATION)
    agreed(office, *client_of(office, organisation), heard=("--thumbprint", CLIENT.thumbprint))

    def client() -> Client:
        found: Client = office.within(lambda unit: registry.read(unit, ClientId("ngo-one")))
        return found

    office.keygen("payload", "PS256")
    keys = ("payload-keys", "ngo-one", "--key", str(office.folder / "payload.pub"))
    assert "two operators" in office.refused(*keys)
    (thumbprint,) = heard_of(office, "payload")[1:]
    assert agreed(office, *keys, heard=("--thumbprint", thumbprint)) == thumbprint
    registered = client()
    assert (registered.epoch, set(registered.organisation.signs)) == (2, set())
    assert jose.key_ring(json.loads(registered.payload_jwks or "")).thumbprints == {thumbprint}
    agreed(office, "payload-signatures", organisation, "--require", "advice.give")
    assert (client().epoch, set(client().organisation.signs)) == (3, {Signable.ADVICE})
    agreed(office, "payload-signatures", organisation)
    agreed(office, "payload-keys", "ngo-one", "--remove")
    assert (client().payload_jwks, set(client().organisation.signs)) == (None, set())
    acts = [action for action, _ in office.entries() if "payload" in action]
    registering, requiring = "oauth.register-payload-keys", "oauth.require-payload-signatures"
    assert acts == [registering, requiring, requiring, registering]


def test_a_key_that_signs_payloads_has_one_use_and_one_client(office: Office) -> None:
    organisation = agreed(office, *ORGANISATION)
    words = client_of(office, organisation)
    agreed(office, *words, heard=("--thumbprint", CLIENT.thumbprint))
    own = office.propose("op-1", "payload-keys", "ngo-one", "--key", str(office.folder / "ngo.pub"))
    refused = office.refused("confirm", own, *office.as_("op-2"), "--thumbprint", CLIENT.thumbprint)
    assert "no other use" in refused
    office.keygen("payload")
    (office.folder / "ngo.pub").write_text(json.dumps(kit.key("ed25519").public))
    agreed(office, "client", "ngo-two", *words[2:], heard=("--thumbprint", kit.key("ed25519").thumbprint))
    key, heard = ("--key", str(office.folder / "payload.pub")), heard_of(office, "payload")
    agreed(office, "payload-keys", "ngo-two", *key, heard=heard)
    agreed(office, "payload-keys", "ngo-two", *key, heard=heard)
    for client in ("ngo-one", "nobody"):
        proposal = office.propose("op-1", "payload-keys", client, *key)
        assert office.refused("confirm", proposal, *office.as_("op-2"), *heard)
    proposal = office.propose("op-1", "payload-keys", "nobody", "--remove")
    assert "no client" in office.refused("confirm", proposal, *office.as_("op-2"))
    proposal = office.propose("op-1", "payload-signatures", NOBODY, "--require", "advice.give")
    assert "no organisation" in office.refused("confirm", proposal, *office.as_("op-2"))
    (office.folder / "bad.pub").write_text("{}")
    for bad in ((), ("--key", str(office.folder / "bad.pub")), (*key, "--remove")):
        assert office.refused("payload-keys", "ngo-one", *bad, *office.as_("op-1"))


def test_nobody_lets_in_alone(office: Office) -> None:
    proposal = office.propose("op-1", *ORGANISATION)
    assert "another operator" in office.refused("confirm", proposal, *office.as_("op-1"))
    borrowed = ("--by", "op-2", "--operator-key", str(office.folder / "op-1.jwk"))
    assert "not by the key" in office.refused("confirm", proposal, *borrowed)
    assert "not by the key" in office.refused(*ORGANISATION, *borrowed)
    assert "no operator of this name" in office.refused(*ORGANISATION, "--by", "op-9", *borrowed[2:])
    assert "two operators agree" in office.refused(*ORGANISATION)
    assert "two operators agree" in office.refused(*ORGANISATION, "--by", "op-1")
    assert office.within(registry.organisations) == []


def test_what_is_proposed_is_confirmed_once_and_in_time(office: Office) -> None:
    proposal = office.propose("op-1", *ORGANISATION)
    assert office.within(agreeing.open_proposals, timedelta(days=8)) == []
    office.done("confirm", proposal, *office.as_("op-2"))
    assert "no proposal" in office.refused("confirm", proposal, *office.as_("op-2"))
    assert "not an id" in office.refused("confirm", "x", *office.as_("op-2"))


def test_the_thumbprint_is_the_one_that_was_heard(office: Office) -> None:
    organisation = office.done("confirm", office.propose("op-1", *ORGANISATION), *office.as_("op-2"))
    proposal = office.propose("op-1", *client_of(office, organisation))
    for heard in ((), ("--thumbprint", kit.key("ed25519").thumbprint)):
        assert "call the organisation" in office.refused("confirm", proposal, *office.as_("op-2"), *heard)


def test_what_was_changed_since_is_not_what_was_signed(office: Office) -> None:
    """Somebody with the database in their hands puts another key into the proposal of an honest operator."""
    organisation = office.done("confirm", office.propose("op-1", *ORGANISATION), *office.as_("op-2"))
    proposal = office.propose("op-1", *client_of(office, organisation))
    changed = "UPDATE oauth.proposal SET content = jsonb_set(content, '{jwks,0}', $1::jsonb) WHERE confirmed_by IS NULL"
    office.sql(changed, json.dumps(kit.key("ed25519").public))
    heard = ("--thumbprint", kit.key("ed25519").thumbprint)
    assert "changed since" in office.refused("confirm", proposal, *office.as_("op-2"), *heard)


def test_a_signature_of_one_act_is_none_of_another(office: Office) -> None:
    """Nor does a JWS of another type serve, nor text that is none."""
    proposal = office.propose("op-1", *ORGANISATION)
    (row,) = office.sql("SELECT proposed_signature FROM oauth.proposal")
    claims = jose.peek(row["proposed_signature"]).claims
    assert (claims["sub"], claims["act"]) == (proposal, agreeing.PROPOSE)
    for text in (row["proposed_signature"], "x"):

        def sign(_claims: dict[str, Any], text: str = text) -> str:
            return text

        with pytest.raises(Misconfigured):
            office.within(confirming(proposal, sign))


def confirming(proposal: str, sign: Callable[[dict[str, Any]], str]) -> Callable[[Unit], Awaitable[Any]]:
    return lambda unit: agreeing.confirm(unit, row_id(proposal), "op-2", sign, frozenset())


def row_id(text: str) -> Any:
    return doing.identity(text)


def test_two_who_confirm_at_once_register_once(office: Office) -> None:
    """The second one finds it confirmed, however late it looks."""
    office.done("confirm", office.propose("op-1", *third(office)), *office.as_("op-2"), *heard_of(office, "op-3"))
    proposal = row_id(office.propose("op-1", *ORGANISATION))
    sign = doing.signing(office.folder / "op-2.jwk")

    def meanwhile(claims: dict[str, Any]) -> str:
        with ThreadPoolExecutor() as elsewhere:
            elsewhere.submit(office.done, "confirm", str(proposal), *office.as_("op-3")).result()
        return sign(claims)

    with pytest.raises(Misconfigured, match="a moment ago"):
        office.within(confirming(str(proposal), meanwhile))
    assert len(office.within(registry.organisations)) == 1


def test_a_certificate_is_compared_by_telephone_too(office: Office) -> None:
    """Whoever confirms says which one the organisation has; holding the client to the next one takes two as well."""
    first, second = (mtls_kit.authority().issue(at=time.time()) for _ in range(2))
    for name, each in (("first", first), ("second", second)):
        (office.folder / name).write_text(each.pem)
    proposal = office.propose("op-1", *ORGANISATION, "--oin", mtls_kit.OIN)
    of = office.done("confirm", proposal, *office.as_("op-2"))
    words = ("client", "ngo-one", "--organisation", of, "--scope", "cases:read")
    proposal = office.propose("op-1", *words, "--certificate", str(office.folder / "first"))
    assert first.pem[40:80] not in office.done("proposals")
    assert "what was heard is not" in office.refused("confirm", proposal, *office.as_("op-2"))
    confirmed = office.done("confirm", proposal, *office.as_("op-2"), "--thumbprint", first.thumbprint)
    assert confirmed == first.thumbprint
    proposal = office.propose("op-1", "certificates", "ngo-one", "--certificate", str(office.folder / "second"))
    office.done("confirm", proposal, *office.as_("op-2"), "--thumbprint", second.thumbprint)
    listed = office.done("clients")
    assert (second.thumbprint in listed, first.thumbprint in listed, "renew by" in listed) == (True, False, True)
    assert office.refused("certificates", "ngo-one", "--certificate", str(office.folder / "op-1.pub"))


def third(office: Office) -> tuple[str, ...]:
    return ("operator", "op-3", "--key", str(office.keygen("op-3", "PS256").with_suffix(".pub")))


def heard_of(office: Office, name: str) -> tuple[str, ...]:
    public = json.loads((office.folder / f"{name}.pub").read_text())
    return ("--thumbprint", jose.public_key(public).thumbprint)


def test_a_third_operator_is_let_in_by_two(office: Office) -> None:
    words = third(office)
    assert "propose and confirm the next one" in office.refused(*words)
    proposal = office.propose("op-1", *words)
    office.done("confirm", proposal, *office.as_("op-2"), *heard_of(office, "op-3"))
    proposal = office.propose("op-3", *ORGANISATION)
    assert office.done("confirm", proposal, *office.as_("op-1"))


def test_an_operator_has_one_name_and_one_key(office: Office, tmp_path: Path) -> None:
    known = str(tmp_path / "op-1.pub")
    proposal = office.propose("op-1", "operator", "op-4", "--key", known)
    again = office.refused("confirm", proposal, *office.as_("op-2"), *heard_of(office, "op-1"))
    assert "enrolled already" in again
    for name, key in (("two words", known), ("x" * 65, known), ("op-5", str(office.folder / "bad.pub"))):
        (office.folder / "bad.pub").write_text("{}")
        assert office.refused("operator", name, "--key", key, *office.as_("op-1"))


def test_the_first_two_are_enrolled_as_they_are(tmp_path: Path, database: servers.Database) -> None:
    office = Office(tmp_path, database)
    bad = tmp_path / "bad.pub"
    bad.write_text("{}")
    assert office.refused("operator", "an operator", "--key", str(bad))
    office.enrol("op-1")
    assert "enrolled already" in office.refused(
        "operator", "op-1", "--key", str(office.keygen("x").with_suffix(".pub"))
    )
    assert office.entries() == [("oauth.enrol-operator", None)]


def test_what_could_not_be_registered_is_not_proposed(office: Office) -> None:
    for words in (
        ("organisation", " ", "--kind", "ngo"),
        ("client", "ngo-one", "--organisation", NOBODY, "--scope", "cases:read"),
        ("designation", NOBODY, "--source", " ", "--since", "2026-01-01"),
    ):
        assert office.refused(*words, *office.as_("op-1"))
    assert office.done("proposals") == ""
    with_designation = (*ORGANISATION, "--designation-source", "Stcrt. 1", "--designation-date", "2026-01-01")
    proposal = office.propose("op-1", *with_designation)
    office.done("confirm", proposal, *office.as_("op-2"))
    (found,) = office.within(registry.organisations)
    assert found.designated


def test_the_key_of_an_operator_is_their_own(office: Office) -> None:
    key = office.folder / "op-1.jwk"
    key.chmod(0o640)
    assert "chmod" in office.refused(*ORGANISATION, *office.as_("op-1"))
    key.chmod(0o600)
    public = ("--by", "op-1", "--operator-key", str(office.folder / "op-1.pub"))
    office.folder.joinpath("op-1.pub").chmod(0o600)
    assert "no private key" in office.refused(*ORGANISATION, *public)


def test_where_people_of_an_organisation_sign_in_is_agreed_by_two(office: Office) -> None:
    """Whoever maps claims to roles says who gets in: both sign issuer, client id and every role."""
    made = office.done("confirm", office.propose("op-1", *ORGANISATION), *office.as_("op-2"))
    words = ("--issuer", "https://idp.example", "--client-id", "ketenbrug", "--role", "lvv=case-worker")
    proposal = office.propose("op-1", "provider", made, *words, "--contact", "ICT")
    assert office.sql("SELECT 1 FROM oauth.provider") == []
    assert "idp.example" not in office.done("proposals"), "it is heard, not copied"
    assert "another operator" in office.refused("confirm", proposal, *office.as_("op-1"))
    for heard in (
        (),
        words,
        (*words, "--role-claim", "groups"),
        (*words, "--role-claim", "roles", "--role", "boss=coordinator"),
        ("--issuer", "https://idp.example.org", *words[2:], "--role-claim", "roles"),
        (*words[:2], "--client-id", "roles", *words[4:], "--role-claim", "ketenbrug"),
    ):
        assert "what was heard" in office.refused("confirm", proposal, *office.as_("op-2"), *heard)
    right = (*words, "--role-claim", "roles")
    assert "ketenbrug people providers" in office.done("confirm", proposal, *office.as_("op-2"), *right)
    (row,) = office.sql("SELECT issuer, enabled FROM oauth.provider")
    assert tuple(row) == ("https://idp.example", True)
    assert office.entries()[-2:] == [("oauth.confirm", "op-2"), ("people.register-provider", "op-2")]
    wrong = office.refused("provider", made, *words, "--contact", " ", *office.as_("op-1"))
    assert "whom people ask" in wrong


def test_outside_a_sandbox_an_operator_signs_for_a_link_and_enters_as_one(office: Office) -> None:
    operators = ("organisation", "the operators", "--kind", "operator")
    ours = office.done("confirm", office.propose("op-1", *operators), *office.as_("op-2"))
    ngo = office.done("confirm", office.propose("op-1", *ORGANISATION), *office.as_("op-2"))
    made = office.linked(ours, "--role", "operator", *office.as_("op-1"))
    assert made.stdout.startswith("https://ketenbrug.example/console/link\n"), made.output
    assert office.entries()[-1] == ("people.make-link", "op-1")
    for words, said in (
        ((ngo, "--role", "case-worker", *office.as_("op-1")), "for operators"),
        ((ours, "--role", "operator", "--by", "op-2", *office.as_("op-1")[2:]), "not by the key"),
        ((ours, "--role", "operator", "--by", "op-9", *office.as_("op-1")[2:]), "no operator of this name"),
    ):
        assert said in str(office.linked(*words).exception)
    assert len(office.sql("SELECT 1 FROM oauth.link")) == 1
