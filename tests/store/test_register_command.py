"""`ketenbrug register` and `ketenbrug client keygen`, as an operator and an NGO would type them."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from api import settings
from api.cli import keygen, register
from api.errors import Misconfigured, Unavailable
from api.oauth import registry
from api.storage.pool import Database
from api.storage.statement import Bound
from api.vocabulary import ClientId, Municipality, Party, Scope
from tests import mtls_kit
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from api.oauth.model import Client
    from tests import servers

APP = typer.Typer()
APP.add_typer(register.app, name="register")
APP.add_typer(keygen.app, name="client")


class Terminal:
    """Somebody at a prompt, with the database in the environment."""

    def __init__(self, url: str) -> None:
        self.url = url

    def type(self, *words: str) -> Result:
        """Run a command."""
        return CliRunner().invoke(
            APP, list(words), env={"KETENBRUG_DATABASE_URL": self.url, "KETENBRUG_SANDBOX": "true"}
        )

    def done(self, *words: str) -> str:
        """Run a command that succeeds, and return what it printed."""
        result = self.type(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout.strip()

    def refused(self, *words: str) -> tuple[str, ...]:
        """Run a command that is refused, and return the faults."""
        error = self.type(*words).exception
        assert isinstance(error, Misconfigured)
        return error.faults

    def written(self) -> list[dict[str, Any]]:
        """Every entry, oldest first."""

        async def once() -> list[dict[str, Any]]:
            database = await Database.open(self.url, size=1)
            unit = database.unit(settings.now())
            rows = await unit.all(Bound("SELECT leaf FROM audit.entry ORDER BY id", ()))
            await unit.finish()
            await database.close()
            return [json.loads(row["leaf"]) for row in rows]

        return asyncio.run(once())

    def client(self, client_id: str) -> Client:
        """What is registered."""

        async def once() -> Client:
            database = await Database.open(self.url)
            unit = database.unit(settings.now())
            found = await registry.read(unit, ClientId(client_id))
            await unit.finish()
            await database.close()
            assert found is not None
            return found

        return asyncio.run(once())


@pytest.fixture
def terminal(database: servers.Database) -> Terminal:
    return Terminal(database.app_url)


def organisation(terminal: Terminal, *words: str) -> str:
    return terminal.done("register", "organisation", "an NGO", "--kind", "ngo", *words)


def test_an_ngo_is_taken_in(terminal: Terminal, tmp_path: Path) -> None:
    """The NGO makes its key, sends the public part, and both compare the thumbprint."""
    printed = terminal.type("client", "keygen", str(tmp_path / "private.json"))
    public = json.loads(printed.stdout)
    assert "d" not in public
    assert public["kid"] in printed.stderr
    (tmp_path / "public.json").write_text(printed.stdout)
    of = organisation(terminal, "--municipality", "utrecht", "--oin", "00000099000000001000")
    arguments = ("--organisation", of, "--key", str(tmp_path / "public.json"))
    scopes = ("--scope", "cases:read", "--scope", "dossiers:read")
    assert terminal.done("register", "client", "ngo-one", *arguments, *scopes) == public["kid"]
    found = terminal.client("ngo-one")
    assert found.scopes == {Scope.CASES_READ, Scope.DOSSIERS_READ}
    assert found.organisation.id == UUID(of)
    assert (found.organisation.kind, found.organisation.municipalities) == (
        Party.NGO,
        frozenset({Municipality.UTRECHT}),
    )
    assert not found.organisation.designated


def key_file(tmp_path: Path, content: Any) -> str:
    file = tmp_path / "key.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def registered(terminal: Terminal, tmp_path: Path, of: str) -> None:
    key = key_file(tmp_path, {"keys": [kit.key("es256").public, kit.key("ed25519").public]})
    words = ("register", "client", "ngo-one", "--organisation", of, "--key", key, "--scope", "cases:read")
    assert terminal.done(*words).split() == [kit.key("es256").thumbprint, kit.key("ed25519").thumbprint]


def test_a_client_publishes_its_keys_at_an_address(terminal: Terminal, tmp_path: Path) -> None:
    of = organisation(terminal)
    words = ("register", "client", "ngo-two", "--organisation", of, "--scope", "cases:read")
    assert terminal.done(*words, "--jwks-uri", "https://ngo.example/keys") == ""
    assert terminal.client("ngo-two").jwks_uri == "https://ngo.example/keys"
    for wrong in (
        "http://ngo.example/keys",
        "https://me@ngo.example/keys",
        "https://ngo.example/#keys",
        "keys",
        "https://[x",
    ):
        (fault,) = terminal.refused("register", "client", "ngo-three", *words[3:], "--jwks-uri", wrong)
        assert "https address" in fault
    both = ("--jwks-uri", "https://ngo.example/keys", "--key", key_file(tmp_path, kit.key("es256").public))
    (fault,) = terminal.refused("register", "client", "ngo-three", *words[3:], *both)
    assert "either" in fault
    many = key_file(tmp_path, {"keys": [kit.key(f"es256-{each}").public for each in range(5)]})
    assert "4 keys at most" in terminal.refused("register", "client", "ngo-three", *words[3:], "--key", many)[0]


def test_the_operator_sees_whose_keys_are_old(terminal: Terminal, tmp_path: Path, database: servers.Database) -> None:
    registered(terminal, tmp_path, organisation(terminal))
    of = organisation(terminal)
    words = ("--organisation", of, "--scope", "cases:read", "--jwks-uri", "https://ngo.example/keys")
    terminal.done("register", "client", "ngo-two", *words)
    one, *thumbprints, two, address = terminal.done("register", "clients").splitlines()
    assert one.startswith("ngo-one (an NGO) renew by ")
    assert {each.strip() for each in thumbprints} == {kit.key("es256").thumbprint, kit.key("ed25519").thumbprint}
    assert (two.partition(" ")[0], address.strip()) == ("ngo-two", "from https://ngo.example/keys")
    for days, word in ((340, "soon"), (400, "OVERDUE")):
        asyncio.run(_aged(database.owner_url, days))
        first = terminal.done("register", "clients").splitlines()[0]
        assert " DISABLED " in first
        assert first.endswith(word)


async def _aged(url: str, days: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        aged = "UPDATE oauth.client SET keys_since = now() - make_interval(days => $1), enabled = false"
        await connection.execute(aged, days)
    finally:
        await connection.close()


def test_a_designation_is_recorded_with_its_source_and_date(terminal: Terminal, tmp_path: Path) -> None:
    """Vreemdelingenwet 2000 art. 107 lid 8: without one, nothing goes from IND to an NGO."""
    of = organisation(terminal)
    registered(terminal, tmp_path, of)
    terminal.done("register", "designation", of, "--source", "Stcrt. 2019, 1", "--since", "2019-01-01")
    assert terminal.client("ngo-one").organisation.designated
    at_once = organisation(terminal, "--designation-source", "Stcrt. 2019, 2", "--designation-date", "2019-01-01")
    assert at_once != of
    assert terminal.refused("register", "organisation", "x", "--kind", "ngo", "--designation-source", "Stcrt.")


def test_a_client_is_disabled(terminal: Terminal, tmp_path: Path) -> None:
    registered(terminal, tmp_path, organisation(terminal))
    terminal.done("register", "disable", "ngo-one")
    assert not terminal.client("ngo-one").enabled
    assert terminal.refused("register", "disable", "nobody") == ("no client of this id is registered",)


def test_each_registration_is_one_entry_and_what_is_refused_touches_nothing(terminal: Terminal, tmp_path: Path) -> None:
    of = organisation(terminal)
    registered(terminal, tmp_path, of)
    terminal.done("register", "designation", of, "--source", "Stcrt. 2019, 1", "--since", "2019-01-01")
    terminal.done("register", "disable", "ngo-one")
    assert terminal.refused("register", "disable", "nobody")
    assert [(each["action"], each["object"]["type"]) for each in terminal.written()] == [
        ("oauth.register-organisation", "organisation"),
        ("oauth.register-client", "client:ngo-one"),
        ("oauth.record-designation", "organisation"),
        ("oauth.disable-client", "client:ngo-one"),
    ]


def test_an_organisation_may_have_keys_that_sign_agreements(terminal: Terminal, tmp_path: Path) -> None:
    assert organisation(terminal, "--signing-key", key_file(tmp_path, kit.key("ed25519").public))


@pytest.mark.parametrize(
    "content",
    ["no json", [], {"keys": []}, {"keys": 7}, {"keys": [7]}, kit.key("es256").public | {"d": "AA"}],
    ids=kit.name,
)
def test_a_key_that_is_none_or_private_is_refused(terminal: Terminal, tmp_path: Path, content: Any) -> None:
    words = ("--organisation", str(uuid4()), "--key", key_file(tmp_path, content), "--scope", "cases:read")
    assert terminal.refused("register", "client", "ngo-one", *words)


def test_what_is_no_id_and_what_is_no_file_is_told(terminal: Terminal, tmp_path: Path) -> None:
    key = key_file(tmp_path, kit.key("es256").public)
    words = ("register", "client", "ngo-one", "--scope", "cases:read")
    assert terminal.refused(*words, "--organisation", "x", "--key", key) == ("x is not an id",)
    assert terminal.refused(*words, "--organisation", str(uuid4()), "--key", str(tmp_path / "absent"))


def test_a_scope_that_is_no_word_of_ours_is_refused(terminal: Terminal) -> None:
    result = terminal.type("register", "client", "x", "--organisation", "x", "--key", "x", "--scope", "everything")
    assert (result.exit_code, "everything" in result.stderr) == (2, True)


@pytest.mark.parametrize("kind", ["ES256", "Ed25519", "PS256"])
def test_a_private_key_is_for_its_owner_alone_and_never_overwritten(
    terminal: Terminal, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "private.json"
    public = json.loads(terminal.type("client", "keygen", str(file), "--kind", kind).stdout)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    private = json.loads(file.read_text())
    assert "d" in private
    assert private["kid"] == public["kid"]
    assert private["d"] not in str(public)
    assert terminal.refused("client", "keygen", str(file))
    assert json.loads(file.read_text()) == private


def certificate_file(tmp_path: Path, made: mtls_kit.Certificate) -> str:
    file = tmp_path / made.thumbprint
    file.write_text(made.pem)
    return str(file)


def test_a_client_with_a_certificate_needs_no_key(terminal: Terminal, tmp_path: Path) -> None:
    """Held to none, it may renew by itself; held to some, the list says when the first of them expires."""
    of = organisation(terminal, "--oin", mtls_kit.OIN)
    words = ("register", "client", "ngo-one", "--organisation", of, "--scope", "cases:read")
    assert terminal.done(*words, "--mtls") == ""
    found = terminal.client("ngo-one")
    assert (found.method, found.pins, found.keys.keys) == ("tls_client_auth", (), {})
    assert "by any certificate with the OIN" in terminal.done("register", "clients")
    near, far = (mtls_kit.authority().issue(at=time.time(), days=(-1, days)) for days in (20, 300))
    given = [word for each in (far, near) for word in ("--certificate", certificate_file(tmp_path, each))]
    assert terminal.done("register", "certificates", "ngo-one", *given).split() == [far.thumbprint, near.thumbprint]
    told = terminal.done("register", "clients")
    assert f"renew by {near.made.not_valid_after_utc.date()} soon" in told
    assert f"{far.thumbprint} (certificate, until {far.made.not_valid_after_utc.date()})" in told
    assert terminal.client("ngo-one").epoch == found.epoch + 1
    terminal.done("register", "certificates", "ngo-one", "--remove")
    assert terminal.client("ngo-one").pins == ()


def test_a_certificate_that_could_not_serve_is_not_registered(terminal: Terminal, tmp_path: Path) -> None:
    nameless = organisation(terminal)
    of = organisation(terminal, "--oin", mtls_kit.OIN)
    words = ("register", "client", "ngo-one", "--scope", "cases:read", "--organisation")
    now = time.time()
    key = key_file(tmp_path, kit.key("es256").public)

    def given(*those: mtls_kit.Certificate) -> list[str]:
        return [word for each in those for word in ("--certificate", certificate_file(tmp_path, each))]

    issue = mtls_kit.authority().issue
    for fault, more in (
        ("needs an organisation with an OIN", (nameless, "--mtls")),
        ("is the OIN of the organisation", (of, *given(issue("00000099000000002000", at=now)))),
        ("is valid today", (of, *given(issue(at=now, days=(-9, -1))))),
        ("4 certificates at most", (of, *given(*(issue(at=now) for _ in range(5))))),
        ("not by both", (of, "--mtls", "--key", key)),
        ("not a file of one certificate", (of, "--certificate", key)),
        ("cannot be read as text", (of, "--certificate", str(tmp_path / "absent"))),
    ):
        (told,) = terminal.refused(*words, *more)
        assert fault in told
    terminal.done(*words, of, "--key", key)
    (told,) = terminal.refused("register", "certificates", "ngo-one", *given(issue(at=now)))
    assert "proves itself by a certificate" in told
    (told,) = terminal.refused("register", "certificates", "ngo-one")
    assert told == "give --certificate FILE, or --remove"
    terminal.done("register", "client", "ngo-two", "--organisation", of, "--scope", "cases:read", "--mtls")
    (told,) = terminal.refused("register", "certificates", "ngo-two", *given(issue("", at=now)))
    assert "is the OIN of the organisation" in told


def test_a_database_that_is_away_is_said_to_be() -> None:
    away = Terminal("postgresql://nobody@127.0.0.1:1/none")
    assert isinstance(away.type("register", "disable", "ngo-one").exception, Unavailable)


@pytest.mark.parametrize("kind", ["RSA-OAEP", "RSA-OAEP-256", "ECDH-P256", "ECDH-X25519"])
def test_a_client_has_its_answers_sealed_to_a_key_of_its_own(terminal: Terminal, tmp_path: Path, kind: str) -> None:
    """Counts from its next request, so the epoch of the client rises; and it can be taken back."""
    of = organisation(terminal)
    signing = key_file(tmp_path, kit.key("es256").public)
    terminal.done("register", "client", "ngo-one", "--organisation", of, "--key", signing, "--scope", "cases:read")
    public = terminal.type("client", "keygen", str(tmp_path / "private.json"), "--kind", kind).stdout
    (tmp_path / "public.json").write_text(public)
    before = terminal.client("ngo-one")
    assert before.encryption_jwk is None
    words = ("register", "encryption-key", "ngo-one")
    assert terminal.done(*words, "--key", str(tmp_path / "public.json")) == json.loads(public)["kid"]
    after = terminal.client("ngo-one")
    assert after.epoch == before.epoch + 1
    assert json.loads(after.encryption_jwk or "") == json.loads(public)
    assert terminal.written()[-1]["action"] == "oauth.register-encryption-key"
    assert terminal.done(*words, "--remove") == "none"
    assert terminal.client("ngo-one").encryption_jwk is None


def test_an_encryption_key_that_does_not_fit_is_not_registered(terminal: Terminal, tmp_path: Path) -> None:
    words = ("register", "encryption-key", "ngo-one")
    (tmp_path / "two").write_text(json.dumps({"keys": [kit.key("es256").public] * 2}))
    assert terminal.refused(*words) == ("give --key FILE, or --remove",)
    assert terminal.refused(*words, "--key", str(tmp_path / "two")) == ("give the file of one public key",)
    assert terminal.refused(*words, "--key", key_file(tmp_path, kit.key("es256").public))
    assert terminal.refused(*words, "--remove") == ("no client of this id is registered",)


def test_a_payload_key_that_does_not_fit_is_not_registered(terminal: Terminal, tmp_path: Path) -> None:
    """In a sandbox too, where nobody proposes it first."""
    words = ("register", "payload-keys", "ngo-one")
    assert terminal.refused(*words) == ("give --key FILE, or --remove",)
    assert terminal.refused(*words, "--key", key_file(tmp_path, kit.key("rsa2048").public))
    assert terminal.refused(*words, "--key", key_file(tmp_path, kit.key("es256").public)) == (
        "no client of this id is registered",
    )
