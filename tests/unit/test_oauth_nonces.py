"""Nonces of the token endpoint (RFC 9449 section 8): of the present, by a key, and stored nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.crypto.mac import Mac
from api.oauth.nonces import PERIOD, Nonces
from tests import oauth_kit as kit

NOW = datetime.fromtimestamp(kit.NOW // PERIOD * PERIOD, UTC)
NONCES = Nonces(Mac(kit.NONCE_KEY))


def test_a_nonce_is_what_the_specification_of_ours_says() -> None:
    assert NONCES.fresh(NOW) == kit.nonce(NOW.timestamp())


def test_a_worker_takes_what_another_gave() -> None:
    assert Nonces(Mac(kit.NONCE_KEY)).holds(NONCES.fresh(NOW), NOW)


@pytest.mark.parametrize(("seconds", "holds"), [(-61, False), (-60, True), (0, True), (119, True), (120, False)])
def test_a_nonce_is_of_the_present(seconds: int, *, holds: bool) -> None:
    """For a minute to two after it was given, and by a worker whose clock is a minute behind."""
    assert NONCES.holds(NONCES.fresh(NOW), NOW + timedelta(seconds=seconds)) is holds


@pytest.mark.parametrize(
    "nonce", [None, 7, "", "x", "A" * 22, "A" * 10_000, "\u00e9", "a b", ["x"], kit.nonce() + "=", kit.nonce()[:-2]]
)
def test_what_we_did_not_give_is_no_nonce(nonce: object) -> None:
    assert not NONCES.holds(nonce, NOW)


def test_a_nonce_under_another_key_is_none() -> None:
    assert not NONCES.holds(Nonces(Mac(b"k" * 32)).fresh(NOW), NOW)
