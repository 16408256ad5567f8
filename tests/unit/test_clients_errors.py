"""From a problem document to the error that it means."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from api import problems
from api.problems import InputError, Problem
from api.vocabulary import DataCategory, Reason
from clients import errors
from clients.errors import (
    Conflict,
    InvalidInput,
    KetenbrugClientError,
    NotFound,
    NotPermitted,
    Overloaded,
    ProblemError,
    ServerFailed,
    Unauthenticated,
)
from tests.clients_kit import problem


@pytest.mark.parametrize("kind", problems.TYPES, ids=lambda kind: kind.slug)
def test_every_problem_of_the_server_has_its_error(kind: problems.ProblemType) -> None:
    """What the server writes, the client reads: with the server's own table and its own writing."""
    error = errors.of_problem(kind.status, Problem(kind).body("https://exchange.test", "0197"))
    assert (error.slug, error.status, error.title) == (kind.slug, kind.status, kind.title)
    assert (error.detail, error.next_step, error.request_id) == (kind.detail, kind.next_step, "0197")
    assert type(error) is not ProblemError
    assert kind.next_step.rstrip(".") in str(error)


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (400, "purpose-missing", InvalidInput),
        (401, "invalid-token", Unauthenticated),
        (403, "not-permitted", NotPermitted),
        (403, "consent-withdrawn", NotPermitted),
        (404, "not-found", NotFound),
        (409, "wrong-state", Conflict),
        (412, "precondition-failed", Conflict),
        (413, "payload-too-large", InvalidInput),
        (422, "idempotency-key-reused", Conflict),
        (422, "invalid-input", InvalidInput),
        (428, "precondition-required", Conflict),
        (429, "too-many-requests", Overloaded),
        (500, "internal", ServerFailed),
        (503, "unavailable", Overloaded),
        (599, "unheard-of", ServerFailed),
        (418, "teapot", ProblemError),
    ],
)
def test_slug_and_status_choose_the_error(status: int, slug: str, kind: type[ProblemError]) -> None:
    answer = problem(status, slug)
    error = errors.of_problem(status, answer.content)
    assert type(error) is kind
    assert isinstance(error, KetenbrugClientError)
    assert error.type == f"https://exchange.test/problems/{slug}"


def test_a_refusal_says_per_category_why_and_what_to_do() -> None:
    body = problems.refused(
        Reason.NOTHING_PERMITTED, {DataCategory.MEDICAL: Reason.CONSENT_WITHDRAWN, DataCategory.BELIEF: Reason.NO_RULE}
    ).body("https://exchange.test", "0197")
    error = errors.of_problem(403, body)
    assert [(each.category, each.reason) for each in error.reasons] == [
        (DataCategory.BELIEF, Reason.NO_RULE),
        (DataCategory.MEDICAL, Reason.CONSENT_WITHDRAWN),
    ]
    assert all(each.next_step for each in error.reasons)


def test_wrong_input_says_where() -> None:
    fault = InputError("body", "/vNumber", "pattern", "ten digits")
    body = Problem(problems.INVALID_INPUT, errors=(fault,)).body("https://exchange.test", "0197")
    (told,) = errors.of_problem(400, body).faults
    assert (told.in_, told.pointer, told.code, told.message) == ("body", "/vNumber", "pattern", "ten digits")


def test_words_of_a_newer_server_are_passed_over() -> None:
    known = {"category": "medical", "reason": "no-rule", "nextStep": "Ask for less.", "since": "2027"}
    answer = problem(403, "not-permitted", reasons=[known, {"category": "aura", "reason": "unclear"}], errors="none")
    error = errors.of_problem(403, answer.content)
    assert [each.category for each in error.reasons] == [DataCategory.MEDICAL]
    assert error.faults == ()


@pytest.mark.parametrize(
    "content", [b"", b"<html>Fatima</html>", b"[]", b'"text"', b"\xff", b'{"type": 3, "title": []}']
)
def test_a_proxys_page_is_told_by_its_status_alone(content: bytes) -> None:
    error = errors.of_problem(502, content, request_id="r-1")
    assert type(error) is ServerFailed
    assert str(error) == "Bad Gateway. (HTTP 502, request r-1)"


def test_an_unknown_status_has_no_phrase() -> None:
    assert str(errors.of_problem(499, b"")) == "(HTTP 499)"


def test_a_message_stays_one_line_whatever_was_sent() -> None:
    long: dict[str, Any] = {"type": "x/\x1b[31m", "title": "a\r\nb\x1b[31m" + "c" * 5000, "nextStep": None}
    error = errors.of_problem(400, json.dumps(long).encode())
    assert "\n" not in str(error)
    assert "\x1b" not in repr(error)
    assert len(str(error)) < 1100
    assert error.slug == ""


def test_an_oauth_error_is_told_from_a_problem() -> None:
    assert errors.is_token_refusal(b'{"error": "invalid_scope"}')
    assert not errors.is_token_refusal(problem(503, "overloaded").content)
    assert errors.of_token_refusal(400, b'{"error": "a b"}').slug == ""


def test_an_error_survives_pickling() -> None:
    """Between processes of a worker pool."""
    error = errors.of_problem(404, problem(404, "not-found").content)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is NotFound
    assert str(again) == str(error)
