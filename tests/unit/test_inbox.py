"""Posts are opened by a present key of ours, sealed as we say, or not at all; keys come and go in time."""

from __future__ import annotations

import json
import pickle
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe as library
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.crypto import inbox, unsealing
from api.crypto.dated import State
from api.crypto.inbox import Inbox, InboxKeys, Kind
from api.edge import passage
from api.edge.posts import SealedPost
from api.errors import Misconfigured, Undecryptable
from clients import _sealing
from tests.jwe_kit import with_zeros

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message

NOW: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
AT: Final = NOW.timestamp()
TEXT: Final = b'{"answer": "advice"}'


def rotated(file: Path, kind: Kind, *, at: datetime = NOW, ahead: int = 0, compromised: bool = False) -> Inbox:
    begins = at + timedelta(seconds=ahead)
    inbox.rotate(file, kind, at, begins, compromised=compromised, like=file)
    return inbox.read(file)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Inbox:
    """An inbox with an active key of each kind."""
    file = tmp_path_factory.mktemp("inbox") / "keys.inbox"
    for kind in Kind:
        rotated(file, kind)
    return inbox.read(file)


def sealed(keys: Inbox, kind: Kind = Kind.X25519, text: bytes = TEXT, **changes: Any) -> bytes:
    """A text sealed to a key of this kind, with a header as it should be but for the changes; None leaves out."""
    (key,) = (each for each in keys.keys if each.kind is kind)
    header = {"alg": key.public.algorithm, "enc": "A256GCM", "typ": "JWE", "cty": "application/json", "kid": key.kid}
    header = {name: value for name, value in (header | changes).items() if value is not None}
    registry = library.JWERegistry(algorithms=[header["alg"], header["enc"], "DEF"], strict_check_header=False)
    return library.encrypt_compact(header, text, key.public.native, registry=registry).encode()


@pytest.mark.parametrize("kind", Kind)
def test_what_our_client_seals_to_a_published_key_opens(keys: Inbox, kind: Kind) -> None:
    (jwk,) = (each for each in keys.published(AT) if each["kid"] == _of(keys, kind))
    assert (jwk["use"], "d" in jwk) == ("enc", False)
    key = _sealing.taken(jwk)
    assert key is not None
    posted = key.seal(TEXT)
    assert posted.media_type == ("application/jose+json" if kind is Kind.RSA else "application/jose")
    assert unsealing.opened(posted.content, keys, AT) == TEXT.ljust(256), "its length is not told"


def _of(keys: Inbox, kind: Kind) -> str:
    return next(key.kid for key in keys.keys if key.kind is kind)


def test_a_key_that_is_not_what_it_says_is_not_sealed_to(keys: Inbox) -> None:
    good = keys.published(AT)[0]
    key = RSAKey.generate_key(2_048)
    small = key.as_dict(private=False) | {"alg": "RSA-OAEP", "kid": key.thumbprint()}
    zeros = with_zeros(small)
    for bad in (
        good | {"kid": "another"},
        good | {"use": "sig"},
        good | {"alg": "ECDH-ES"},
        good | {"x": "AAAA"},
        small,
        zeros | {"kid": RSAKey.import_key(zeros).thumbprint()},
        {},
    ):
        assert _sealing.taken(bad) is None


def test_the_profile_of_the_design_rules_names_no_key(keys: Inbox) -> None:
    """API-mod-encryption 1.0.2: `alg`, `enc` and `typ`, nothing else."""
    assert unsealing.opened(sealed(keys, Kind.RSA, kid=None, cty=None), keys, AT) == TEXT
    with pytest.raises(Undecryptable):
        unsealing.opened(sealed(keys, Kind.X25519, kid=None), keys, AT)  # it could be that on P-256


def test_what_is_not_understood_is_not_used(keys: Inbox) -> None:
    """RFC 7516 section 4. No key and no address is taken from a message."""
    named = sealed(keys, jku="https://elsewhere.example/keys", iat=1)
    assert unsealing.opened(named, keys, AT) == TEXT


REFUSED: Final[dict[str, dict[str, Any]]] = {
    "compressed": {"zip": "DEF"},
    "another content algorithm": {"enc": "A128GCM"},
    "a content algorithm without a tag of its own": {"enc": "A256CBC-HS512"},
    "a weaker algorithm of the same key": {"alg": "ECDH-ES"},
    "a smaller wrap": {"alg": "ECDH-ES+A128KW"},
    "an unknown key": {"kid": "of-somebody-else"},
    "no text for a key": {"kid": ""},
    "a token": {"typ": "JWT"},
    "something nested": {"cty": "JWT"},
    "another kind of text": {"cty": "text/plain"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_is_not_sealed_as_we_say_is_refused(keys: Inbox, changes: dict[str, Any]) -> None:
    with pytest.raises(Undecryptable):
        unsealing.opened(sealed(keys, **changes), keys, AT)


def test_the_key_of_another_algorithm_is_no_key(keys: Inbox) -> None:
    """RSA-OAEP is not RSA-OAEP-256, although one key could do both."""
    for kind, algorithm in ((Kind.RSA, "RSA-OAEP-256"), (Kind.RSA_256, "RSA-OAEP"), (Kind.RSA, "RSA1_5")):
        with pytest.raises(Undecryptable):
            unsealing.opened(_headed(sealed(keys, kind), alg=algorithm), keys, AT)


def _headed(sent: bytes, **changes: Any) -> bytes:
    """The same with another header, which is then not what was sealed."""
    parts = sent.split(b".")
    header = json.loads(urlsafe_b64decode(parts[0] + b"==")) | changes
    return b".".join([urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"="), *parts[1:]])


def _with(sent: bytes, header: bytes) -> bytes:
    return b".".join([urlsafe_b64encode(header).rstrip(b"="), *sent.split(b".")[1:]])


def test_a_header_is_read_once_and_one_way(keys: Inbox) -> None:
    good = sealed(keys)
    for header in (
        b'{"alg": "ECDH-ES+A256KW", "alg": "dir", "enc": "A256GCM"}',
        b'["alg", "ECDH-ES+A256KW", "enc"]',
        b"[" * 700,
        b"\xff" * 20,
        b'{"alg": {}, "enc": [], "kid": 7}',
        b'{"typ": ["JWE"], "cty": {}, "alg": "dir"}',
        b'{"kid": null, "alg": "RSA-OAEP", "enc": "A256GCM"}',
    ):
        with pytest.raises(Undecryptable):
            unsealing.opened(_with(good, header), keys, AT)
    headers: tuple[dict[str, Any], ...] = ({"crit": ["kid"]}, {"crit": []}, {"epk": {}}, {"epk": "x"}, {"apu": 7})
    for changes in headers:
        with pytest.raises(Undecryptable):
            unsealing.opened(_headed(good, **changes), keys, AT)


@pytest.mark.parametrize("kind", Kind)
def test_each_part_is_whole_or_nothing_opens(keys: Inbox, kind: Kind) -> None:
    good = sealed(keys, kind)
    parts = good.split(b".")
    for at, part in enumerate(parts):
        other = (b"B" if part[:1] == b"A" else b"A") + part[1:]
        for changed in (b"", part[:-1], part + b"A", part + b"=", other, part + b"\n"):
            with pytest.raises(Undecryptable):
                unsealing.opened(b".".join([*parts[:at], changed, *parts[at + 1 :]]), keys, AT)
    for changed in (b"", b".".join(parts[:4]), good + b".", good + b"\n", b'{"recipients": []}', b"A" * 3_000):
        with pytest.raises(Undecryptable):
            unsealing.opened(changed, keys, AT)


@given(junk=st.binary(max_size=400), at=st.integers(0, 4))
def test_nothing_but_one_error_comes_of_what_anybody_sends(keys: Inbox, junk: bytes, at: int) -> None:
    parts = sealed(keys).split(b".")
    parts[at] = urlsafe_b64encode(junk).rstrip(b"=") if at % 2 else junk
    with pytest.raises(Undecryptable):
        unsealing.opened(b".".join(parts), keys, AT)


@pytest.mark.parametrize("kind", [Kind.X25519, Kind.RSA])
def test_a_text_of_any_length_that_is_taken_fits_in_what_may_be_sent(keys: Inbox, kind: Kind) -> None:
    text = b"x" * 200_000
    sent = sealed(keys, kind, text)
    assert len(sent) <= unsealing.sealed_length(len(text))
    assert unsealing.opened(sent, keys, AT) == text


def test_a_request_that_is_run_once_more_may_be_no_larger() -> None:
    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/jose")]}
    way = passage.begin(scope, "https://exchange.test", "test", None, 1_000)
    for _ in range(2):
        SealedPost(scope, _nothing)
        assert (way.max_text, way.max_body) == (1_000, unsealing.sealed_length(1_000))


async def _nothing() -> Message:
    raise AssertionError("nobody reads")


def test_a_key_is_known_before_it_is_published_and_opens_after_it_was(tmp_path: Path) -> None:
    file = tmp_path / "keys.inbox"
    rotated(file, Kind.X25519)
    both = rotated(file, Kind.X25519, at=NOW, ahead=600)
    first, second = both.keys
    assert [state for _, state in both.states(AT)] == [State.ACTIVE, State.NEXT]
    assert [each["kid"] for each in both.published(AT)] == [first.kid]
    assert both.named(second.kid, "ECDH-ES+A256KW", AT) is second, "another machine may be ahead"
    later = AT + 600
    assert [state for _, state in both.states(later)] == [State.RETIRED, State.ACTIVE]
    assert [each["kid"] for each in both.published(later)] == [second.kid]
    assert both.named(first.kid, "ECDH-ES+A256KW", later + inbox.STAYS - 1) is first, "a retry of the same bytes"
    assert both.named(first.kid, "ECDH-ES+A256KW", later + inbox.STAYS) is None
    assert both.named(None, "ECDH-ES+A256KW", later) is second
    with pytest.raises(Misconfigured, match="begins first"):
        rotated(file, Kind.X25519)


def test_what_is_gone_leaves_the_file_and_what_leaked_leaves_it_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys.inbox"
    old = rotated(file, Kind.X25519).keys[0]
    other = rotated(file, Kind.P256).keys[1]
    new = rotated(file, Kind.X25519, at=NOW + timedelta(hours=1)).keys[-1]
    days = rotated(file, Kind.X25519, at=NOW + timedelta(days=3))
    assert old.kid not in {key.kid for key in days.keys}
    assert {new.kid, other.kid} < {key.kid for key in days.keys}
    leaked = rotated(file, Kind.X25519, at=NOW + timedelta(days=4), compromised=True)
    assert [key.kind for key in leaked.keys] == [Kind.P256, Kind.X25519]
    assert leaked.keys[1].kid not in {key.kid for key in days.keys}


def test_the_best_key_is_published_first(keys: Inbox) -> None:
    assert [each["alg"] for each in keys.published(AT)] == [
        "ECDH-ES+A256KW",
        "ECDH-ES+A256KW",
        "RSA-OAEP-256",
        "RSA-OAEP",
    ]
    assert [each.get("crv") for each in keys.published(AT)] == ["X25519", "P-256", None, None]


def test_a_running_service_follows_the_file(tmp_path: Path) -> None:
    file = inbox.beside(tmp_path / "ketenbrug.keys")
    following = InboxKeys(file)
    assert following.at(AT) == Inbox()
    rotated(file, Kind.X25519)
    assert following.at(AT + 1) == Inbox(), "it looks every five seconds"
    found = following.at(AT + 6)
    assert len(found.keys) == 1
    file.chmod(0o600)
    file.write_text("{")
    assert following.at(AT + 12) is found, "a damaged file changes nothing"
    file.unlink()
    assert following.at(AT + 18) is found
    assert repr(following) == "<Following inbox keys>"


def test_a_file_that_others_may_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.inbox"
    key = rotated(file, Kind.X25519).keys[0]
    assert "d" not in json.loads(key.public.jwk)
    assert json.loads(file.read_text())["keys"][0]["jwk"]["d"] not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    file.chmod(0o440)
    with pytest.raises(Misconfigured, match="chmod"):
        inbox.read(file)
    file.chmod(0o600)
    other = OKPKey.generate_key("Ed25519").as_dict(private=True)
    for keys in ([{"kind": "ECDH-X25519"}], [{"kind": "ECDH-X25519", "begins": NOW.isoformat(), "jwk": other}], 7):
        file.write_text(json.dumps({"keys": keys}))
        with pytest.raises(Misconfigured, match="damaged"):
            inbox.read(file)


def test_a_key_on_another_curve_is_no_key(keys: Inbox) -> None:
    """An ephemeral key of another curve, or a point that is on none, opens nothing."""
    good = sealed(keys, Kind.P256)
    other = ECKey.generate_key("P-384").as_dict(private=False)
    off = ECKey.generate_key("P-256").as_dict(private=False)
    for epk in (other, off | {"y": off["x"]}, OKPKey.generate_key("X25519").as_dict(private=False)):
        with pytest.raises(Undecryptable):
            unsealing.opened(_headed(good, epk=epk), keys, AT)
