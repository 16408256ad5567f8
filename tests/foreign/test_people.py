"""People sign in at a provider that we did not write (oidc-provider), in a browser that we did not write (Chromium).

Scripts are off in the browser: nothing here needs one. Clicks and keys are those of a mouse and a keyboard.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from api.sandbox.running import LOG
from api.sandbox.service import Service
from tests import live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.foreign.tools import Node

CLIENT_ID: Final = "ketenbrug-at-the-ngo"
PEOPLE: Final = {
    "noor": {"name": "Noor Voorbeeld", "roles": ["lvv-team", "staff"]},
    "sam": {"name": "Sam Zonderrol", "roles": ["staff"]},
}
CONTACT: Final = "ICT helpdesk, tel. 010 000 00 00"
SESSION: Final = "__Host-ketenbrug-session"


@dataclass(frozen=True)
class Town:
    """A service, the provider of an NGO that is registered with it, and a browser."""

    address: str
    node: Node
    sandbox: live.Sandbox
    shots: Path

    def walk(self, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        """What a new browser sees after each step. It refused nothing that our own pages ask for."""
        chromium = shutil.which("chromium")
        assert chromium is not None, "Chromium is missing: on Debian, apt install chromium."
        walked = self.node.run("chromium", {"chromium": chromium, "steps": list(steps)})
        assert walked["violations"] == []
        seen: list[dict[str, Any]] = walked["seen"]
        return seen

    def link(self) -> list[str]:
        """A link and its code, as an operator makes it."""
        told = self.sandbox.description()
        words = ("people", "link", told["clients"]["ngo"]["organisation"], "--role", "coordinator")
        return ketenbrug(told, *words, "--url", self.address).split()


@pytest.fixture(scope="module")
def town(sandbox: live.Sandbox, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    port, issuer = live.free_port(), f"http://127.0.0.1:{live.free_port()}"
    address, told = f"http://127.0.0.1:{port}", sandbox.description()
    settings = {
        "database_url": told["applicationDatabaseUrl"],
        "work_database_url": told["workDatabaseUrl"],
        "key_file": sandbox.directory / "keys",
        "public_url": address,
        "port": port,
        "log_origin": LOG,
        "log_guard": sandbox.directory / "guard",
        "sandbox": True,
        "client_key_origins": json.dumps([issuer]),
    }
    words = ("--issuer", issuer, "--client-id", CLIENT_ID, "--role", "lvv-team=case-worker", "--contact", CONTACT)
    ketenbrug(told, "register", "provider", told["clients"]["ngo"]["organisation"], *words)
    listed = ketenbrug(told, "people", "providers", "--url", address)
    needs = dict(re.findall(r"^ {4}(\w+) +(http\S+)$", listed, re.MULTILINE))
    story = {
        "issuer": issuer,
        "port": int(issuer.rpartition(":")[2]),
        "clientId": CLIENT_ID,
        "redirectUri": needs["redirect_uri"],
        "signedOutUri": needs["post_logout_redirect_uri"],
        "jwksUri": needs["jwks_uri"],
        "people": PEOPLE,
    }
    folder = tmp_path_factory.mktemp("people")
    shots = Path(os.environ.get("SHOTS", folder))  # noqa: TID251 - where whoever looks at them wants them
    with node.serving("people", story), Service.start(live.environment(**settings), address, folder / "said"):
        yield Town(address, node, sandbox, shots)
    assert "Traceback" not in (folder / "said").read_text()


def ketenbrug(told: dict[str, Any], *words: str) -> str:
    ended = live.command(*words, database_url=told["applicationDatabaseUrl"], sandbox=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def signs_in(who: str) -> tuple[dict[str, Any], ...]:
    """The steps at the provider."""
    return ({"type": who, "into": "input[name=who]"}, {"press": "button"})


def test_a_person_signs_in_and_out_at_both_ends(town: Town) -> None:
    start, shots = f"{town.address}/console", town.shots
    seen = town.walk(
        {"go": start, "shot": str(shots / "start-en.png")},
        {"press": "a[lang=nl]", "shot": str(shots / "start-nl.png")},
        {"press": "ul.actions a"},
        *signs_in("noor"),
        {"go": f"{start}?lang=nl", "shot": str(shots / "in-nl.png")},
        {"go": f"{start}?lang=en", "shot": str(shots / "in-en.png")},
        {"go": f"{start}?lang=nl", "shot": str(shots / "in-nl-narrow.png"), "width": 320},
        {"press": "form button", "shot": str(shots / "out.png")},
        {"press": "a.action"},
        {"press": "button[name=logout]"},
        {"go": start},
        {"press": "ul.actions a"},
    )
    first, _, there, _, arrived, dutch, english, narrow, out, asked, gone, again, anew = seen
    assert "You sign in at your own organisation" in first["html"]
    assert "Sign in at the NGO" in there["html"]
    assert arrived["url"] == f"{start}?lang=nl", "the language that was chosen is kept"
    for page in (arrived, dutch):
        assert all(text in page["html"] for text in ("U bent aangemeld", "Noor Voorbeeld", "behandelaar"))
    assert "You are signed in" in english["html"]
    assert not any(page["wider"] for page in (first, dutch, english, narrow)), "nothing to scroll sideways"
    (cookie,) = (each for each in arrived["cookies"] if each["name"] == SESSION)
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")
    assert (cookie["session"], cookie["domain"]) == (True, "127.0.0.1")
    assert "Ook afmelden bij" in out["html"]
    assert {each["value"] for each in out["cookies"] if each["name"] == SESSION} == {"signed-out"}
    assert "ey" not in asked["url"], "no address has an ID token"
    assert gone["url"] == f"{start[: -len('console')]}console/signed-out"
    assert "You are signed out" in gone["html"]
    assert "You sign in at your own organisation" in again["html"]
    assert "Sign in at the NGO" in anew["html"], "signed out there too: it asks who one is"


def test_who_has_no_role_is_told_whom_to_ask(town: Town) -> None:
    start = f"{town.address}/console?lang=nl"
    *_, refused = town.walk(
        {"go": start},
        {"press": "ul.actions a"},
        {"type": "sam", "into": "input[name=who]"},
        {"press": "button", "shot": str(town.shots / "no-role.png")},
    )
    assert "geeft u geen rol" in refused["html"]
    assert CONTACT in refused["html"]
    assert SESSION not in {each["name"] for each in refused["cookies"]}


def test_an_answer_that_was_used_signs_nobody_in(town: Town) -> None:
    """Going back to it in the history of the browser, or sending it to a colleague."""
    start = f"{town.address}/console"
    *_, arrived = town.walk({"go": start}, {"press": "ul.actions a"}, *signs_in("noor"))
    assert "You are signed in" in arrived["html"]
    callback = re.sub(r"/console.*", "", arrived["url"]) + "/console/callback/00000000-0000-4000-8000-000000000000"
    (elsewhere,) = town.walk({"go": f"{callback}?code=stolen&state={'A' * 43}"})
    assert "was not begun in this browser" in elsewhere["html"]


def test_a_link_signs_in_once(town: Town) -> None:
    link, code = town.link()
    enters = ({"type": code, "into": "input[name=secret]"}, {"press": "form button"})
    shown, _, entered = town.walk({"go": link, "shot": str(town.shots / "link.png")}, *enters)
    assert "works once" in shown["html"]
    assert "coordinator" in entered["html"]
    *_, refused = town.walk({"go": link}, *enters)
    assert "used before" in refused["html"]


def test_the_log_has_each_of_these(town: Town, tmp_path: Path) -> None:
    """By pseudonym: of what the provider called them nothing is there."""
    found = live.export(town.sandbox.description()["applicationDatabaseUrl"], tmp_path / "log")
    told = [(each["action"], each["result"]) for each in found if each["action"].startswith("people.")]
    assert {
        ("people.register-provider", "permitted"),
        ("people.sign-in", "permitted"),
        ("people.sign-out", "permitted"),
        ("people.sign-in", "refused"),
        ("people.make-link", "permitted"),
        ("people.use-link", "permitted"),
    } <= set(told)
    assert not re.search(r"noor|sam\b|Voorbeeld|Zonderrol", json.dumps(found))
