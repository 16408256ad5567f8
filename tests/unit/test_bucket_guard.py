"""The signer guard in a bucket: one writer wins, whatever is unclear is looked at again, and an unfit store is refused.

`make test-foreign` asks a server that we did not write.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from api.audit.bucket import BucketGuard
from api.audit.objects import SigV4
from api.errors import LogStopped, Misconfigured, Unavailable
from api.outbound import Answer
from tests.bucket_kit import Store, etag, objects

URL = "https://guards.s3.eu-central-1.amazonaws.com/log"
SETTING = "KETENBRUG_LOG_GUARD_URL"


def guard(store: Store) -> BucketGuard:
    return BucketGuard(URL, objects(store))


@pytest.fixture
def store() -> Store:
    return Store()


async def test_a_head_is_kept_and_the_next_one_takes_its_place(store: Store) -> None:
    """One request for each head that we wrote the one before of, and always one to look."""
    held = guard(store)
    assert await held.last() is None
    await held.advance(None, "one")
    await held.advance("one", "two")
    assert [each for each in store.asked if each[0] == "PUT"] == [
        ("PUT", {"If-None-Match": "*"}),
        ("PUT", {"If-Match": etag(b"one")}),
    ]
    assert len(store.asked) == 4, "what was not written by us is looked up first"
    assert await held.last() == "two"
    assert await guard(store).last() == "two"


async def test_of_two_machines_one_moves_it_and_the_other_looks_again(store: Store) -> None:
    one, other = guard(store), guard(store)
    await one.advance(None, "one")
    with pytest.raises(LogStopped, match="guard-moved"):
        await other.advance(None, "other")
    await other.advance("one", "two")
    with pytest.raises(LogStopped, match="guard-moved"):
        await one.advance("one", "fork")
    assert store.objects[URL] == b"two"
    await one.advance("two", "three")
    assert store.objects[URL] == b"three"


async def test_of_two_that_write_at_once_the_store_lets_one_win(store: Store) -> None:
    """Between a look and a write somebody else came."""
    one = guard(store)
    await one.advance(None, "one")
    await one.advance("one", "two")
    store.answers = [Answer(200, "", b"one", etag(b"one"))]
    with pytest.raises(LogStopped, match="guard-moved"):
        await guard(store).advance("one", "fork")
    assert store.objects[URL] == b"two"


@pytest.mark.parametrize("status", [404, 409, 412])
async def test_a_write_that_another_one_crosses_is_looked_at_again(store: Store, status: int) -> None:
    held = guard(store)
    await held.advance(None, "one")
    store.answers = [Answer(status, "", b"")]
    with pytest.raises(LogStopped, match="guard-moved"):
        await held.advance("one", "two")


async def test_a_write_whose_answer_is_lost_may_have_been_done(store: Store) -> None:
    """The next look tells; nothing is taken for granted."""
    held = guard(store)
    await held.advance(None, "one")
    store.loses = 1
    with pytest.raises(Unavailable):
        await held.advance("one", "two")
    assert await held.last() == "two"
    with pytest.raises(LogStopped):
        await held.advance("one", "fork")
    await held.advance("two", "three")


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_a_store_that_is_busy_is_away(store: Store, status: int) -> None:
    store.answers = [Answer(status, "", b"")]
    with pytest.raises(Unavailable):
        await guard(store).last()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(403, "", b""), "answers 403"),
        (Answer(301, "", b""), "answers 301"),
        (Answer(404, "", b"<Code>NoSuchBucket</Code>"), "answers 404"),
        (Answer(200, "", b"\xff", '"x"'), "no signed head"),
        (Answer(200, "", b"one"), "no ETag"),
    ],
)
async def test_what_cannot_be_a_guard_is_refused(store: Store, answer: Answer, why: str) -> None:
    store.answers = [answer, answer]
    with pytest.raises(Misconfigured, match=why):
        await guard(store).last()
    with pytest.raises(Misconfigured, match=why):
        await guard(store).advance(None, "one")
    assert URL not in store.objects


async def test_a_bucket_that_is_gone_is_no_guard_that_moved(store: Store) -> None:
    held = guard(store)
    await held.advance(None, "one")
    store.answers = [Answer(404, "", b"<Code>NoSuchBucket</Code>")]
    with pytest.raises(Misconfigured):
        await held.advance("one", "two")


async def test_a_store_that_takes_no_notice_of_conditions_is_found_out_before_anything_is_signed() -> None:
    """An S3 of others may ignore what it does not know: then both of two machines would win."""
    good, bad = Store(), Store(heeds=False)
    await guard(good).examine()
    await guard(good).examine()
    with pytest.raises(Misconfigured, match="no notice of conditions"):
        await guard(bad).examine()
    assert URL not in good.objects.keys() | bad.objects.keys()


def test_a_request_is_signed_with_what_it_sends() -> None:
    """AWS Signature Version 4: the condition and the body are signed, so that nobody on the way takes either off."""
    sign = SigV4("eu-central-1", Credentials("AKIDEXAMPLE", "an example secret"), SETTING)
    assert repr(sign) == "<SigV4>"
    headers = sign("PUT", URL, {"If-Match": '"x"'}, b"body")
    assert headers["X-Amz-Content-SHA256"] == sha256(b"body").hexdigest()
    assert headers["If-Match"] == '"x"'
    told = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-central-1/s3/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}",
        headers["Authorization"],
    )
    assert told is not None
    assert {"host", "if-match", "x-amz-content-sha256", "x-amz-date"} <= set(told[1].split(";"))


def test_without_credentials_nothing_starts() -> None:
    with pytest.raises(Misconfigured, match="no credentials"):
        SigV4("eu-central-1", None, SETTING)


def test_credentials_that_cannot_be_had_now_are_away() -> None:
    """A role whose credentials are fetched anew now and then."""

    class Role:
        def get_frozen_credentials(self) -> Any:
            raise BotoCoreError

    with pytest.raises(Unavailable):
        SigV4("eu-central-1", Role(), SETTING)("GET", URL, {}, b"")
