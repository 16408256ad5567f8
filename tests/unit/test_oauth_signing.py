"""Signing keys over time: published before they sign, accepted after, and gone."""

from __future__ import annotations

import base64
import json
import os
import resource
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from joserfc.jwk import ECKey

from api.consent import receipts
from api.errors import Misconfigured, Unauthenticated
from api.oauth import jose, signing
from api.oauth.signing import Schedule, SigningKey, SigningKeys
from api.oauth.tokens import LIFETIME, SKEW, Issuer
from api.vocabulary import ClientId, Scope
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from pathlib import Path

    from api.crypto.dated import State

FIRST = ECKey.generate_key("P-256")
NOW = datetime.fromtimestamp(kit.NOW, UTC)
LATER = NOW + timedelta(seconds=signing.AHEAD_LEAST)
CLIENT, SCOPES = ClientId("ngo-one"), frozenset({Scope.CASES_READ})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.signing"


def states(schedule: Schedule, at: datetime) -> list[State]:
    return [state for _, state in schedule.states(at.timestamp())]


def ids(schedule: Schedule) -> set[str]:
    return {key["kid"] for key in schedule.published()}


def test_a_key_goes_through_its_states(file: Path) -> None:
    second = signing.rotate(FIRST, file, LATER, compromised=False)
    third = signing.rotate(FIRST, file, LATER + timedelta(days=90), compromised=False)
    schedule = signing.read(FIRST, file)
    first = schedule.keys[0]
    assert [key.kid for key in schedule.keys] == [first.kid, second.kid, third.kid]
    second_later = timedelta(seconds=signing.STAYS)
    for at, expected in (
        (NOW, "active next next"),
        (LATER, "retired active next"),
        (LATER + second_later, "gone active next"),
        (LATER + timedelta(days=90), "gone retired active"),
        (LATER + timedelta(days=91), "gone gone active"),
    ):
        assert " ".join(states(schedule, at)) == expected
    assert ids(schedule) == {first.kid, second.kid, third.kid}, "each signs receipts too, which are kept"


def test_a_retired_key_is_accepted_for_as_long_as_its_tokens_live() -> None:
    assert signing.STAYS >= LIFETIME + 2 * SKEW


def test_what_is_published_holds_no_private_part(file: Path) -> None:
    signing.rotate(FIRST, file, LATER, compromised=False)
    for key in signing.read(FIRST, file).published():
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


async def test_a_rotation_needs_no_restart_and_breaks_no_token(file: Path) -> None:
    """The issuer signs with the new key when it begins, and takes what the old one signed to its end."""
    issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(FIRST, file))
    old = await issuer.mint(CLIENT, SCOPES, "jkt", NOW)
    new_key = signing.rotate(FIRST, file, LATER, compromised=False)
    assert {key["kid"] for key in issuer.jwks(NOW + timedelta(seconds=6))["keys"]} >= {new_key.kid}
    just_before = LATER - timedelta(seconds=1)
    last = await issuer.mint(CLIENT, SCOPES, "jkt", just_before)
    fresh = await issuer.mint(CLIENT, SCOPES, "jkt", LATER)
    assert [kid(each.text) for each in (old, last, fresh)] == [issuer_kid(FIRST)] * 2 + [new_key.kid]
    end = just_before + timedelta(seconds=LIFETIME - 1)
    for each in (last, fresh):
        assert issuer.verify(each.text, end).client_id == CLIENT


def test_a_key_that_is_yet_to_begin_verifies_nothing(file: Path) -> None:
    signing.rotate(FIRST, file, LATER, compromised=False)
    schedule = signing.read(FIRST, file)
    assert schedule.accepted(schedule.keys[1].kid, kit.NOW) is None
    assert schedule.accepted("unknown", kit.NOW) is None


async def test_what_a_leaked_key_signed_holds_no_longer(file: Path) -> None:
    """Also in a worker that has verified and remembered it."""
    issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(FIRST, file))
    token = (await issuer.mint(CLIENT, SCOPES, "jkt", NOW)).text
    issuer.verify(token, NOW)
    signing.rotate(FIRST, file, NOW, compromised=True)
    soon = NOW + timedelta(seconds=6)
    with pytest.raises(Unauthenticated):
        issuer.verify(token, soon)
    issuer.verify((await issuer.mint(CLIENT, SCOPES, "jkt", soon)).text, soon)
    assert issuer_kid(FIRST) not in {key["kid"] for key in issuer.jwks(soon)["keys"]}


async def test_a_receipt_of_a_consent_is_signed_with_the_key_of_its_day(file: Path) -> None:
    """It verifies for years, and never with a key that leaked."""
    issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(FIRST, file))
    signer = receipts.Signer(issuer.key)
    new = signing.rotate(FIRST, file, LATER, compromised=False)
    soon, years = NOW + timedelta(seconds=6), LATER + timedelta(days=2_000)
    papers = [await signer.sign({"paper": 1}, soon), await signer.sign({"paper": 2}, LATER)]
    assert [kid(each) for each in papers] == [issuer_kid(FIRST), new.kid]
    for paper in papers:
        receipts.verified(paper, jose.key_ring(issuer.jwks(years)["keys"]))
    signing.rotate(FIRST, file, years, compromised=True)
    after = years + timedelta(seconds=6)
    fresh, ring = await signer.sign({"paper": 3}, after), jose.key_ring(issuer.jwks(after)["keys"])
    assert kid(fresh) not in {issuer_kid(FIRST), new.kid}
    receipts.verified(fresh, ring)
    for paper in papers:
        with pytest.raises(jose.Unreadable):
            receipts.verified(paper, ring)


def test_one_key_is_active_also_for_a_clock_that_is_behind(file: Path) -> None:
    new = signing.rotate(FIRST, file, NOW, compromised=True)
    assert signing.read(FIRST, file).active(kit.NOW - 30).kid == new.kid


def test_two_keys_do_not_wait_at_once(file: Path) -> None:
    signing.rotate(FIRST, file, LATER, compromised=False)
    with pytest.raises(Misconfigured, match="published already"):
        signing.rotate(FIRST, file, NOW, compromised=False)


def test_the_file_is_for_its_owner_only(file: Path) -> None:
    signing.rotate(FIRST, file, LATER, compromised=False)
    assert file.stat().st_mode & 0o777 == 0o400
    assert {each.name for each in file.parent.iterdir()} == {file.name, f"{file.name}.lock"}
    file.chmod(0o440)
    with pytest.raises(Misconfigured, match="open to group"):
        SigningKeys(FIRST, file)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"keys": [{}], "lost": []}', '{"keys": [{"begins": "x", "jwk": {}}], "lost": []}'],
)
def test_a_damaged_file_stops_the_start(file: Path, content: str) -> None:
    file.write_text(content)
    file.chmod(0o400)
    with pytest.raises(Misconfigured, match="damaged"):
        SigningKeys(FIRST, file)


def test_without_a_key_that_stands_nothing_starts(file: Path) -> None:
    file.write_text(json.dumps({"keys": [], "lost": [issuer_kid(FIRST)]}))
    file.chmod(0o400)
    with pytest.raises(Misconfigured, match="damaged"):
        SigningKeys(FIRST, file)


def test_a_file_that_is_damaged_or_gone_while_we_run_changes_nothing(file: Path) -> None:
    new = signing.rotate(FIRST, file, NOW, compromised=False)
    keys = SigningKeys(FIRST, file)
    file.unlink()
    assert keys.at(kit.NOW).active(kit.NOW).kid == new.kid
    file.write_text("x")
    os.chmod(file, 0o400)  # noqa: PTH101 - as an editor leaves it
    assert keys.at(kit.NOW + 60).active(kit.NOW).kid == new.kid


def test_a_file_that_could_not_be_read_once_is_read_again(file: Path) -> None:
    """A leak is not missed because this process had no descriptor left at that moment."""
    keys = SigningKeys(FIRST, file)
    new = signing.rotate(FIRST, file, NOW, compromised=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert keys.at(kit.NOW).active(kit.NOW).kid == issuer_kid(FIRST)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert keys.at(kit.NOW + 6).active(kit.NOW).kid == new.kid


def test_a_file_that_was_changed_within_one_tick_of_its_clock_is_read(file: Path) -> None:
    """Its modification time is as before, as a copy or a tool leaves it: that its inode changed tells."""
    signing.rotate(FIRST, file, NOW, compromised=False)
    keys = SigningKeys(FIRST, file)
    before, content = file.stat(), json.loads(file.read_text())
    file.chmod(0o600)
    file.write_text(json.dumps(content | {"lost": [issuer_kid(FIRST)]}))
    file.chmod(0o400)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert issuer_kid(FIRST) in keys.at(kit.NOW).lost


def test_keys_do_not_show_themselves(file: Path) -> None:
    secret = FIRST.as_dict(private=True)["d"]
    assert str(secret) not in f"{SigningKeys(FIRST, file)!r} {SigningKey.of(FIRST)!r}"


def kid(token: str) -> str:

    header = token.partition(".")[0]
    found: str = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
    return found


def issuer_kid(key: ECKey) -> str:
    return SigningKey.of(key).kid
