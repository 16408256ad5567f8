"""The table of problems is whole, and every answer made from it is of the described shape."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus
from pathlib import Path

import pytest

from api import errors, problems
from api.edge import problem_pages
from api.problems import InputError, Problem, ProblemType
from api.schemas import problem as wire
from api.vocabulary import CONSENT_REASONS, DataCategory, Reason

ROOT = Path(__file__).parents[2]
ALGS = 'DPoP algs="ES256 PS256 EdDSA Ed25519"'
BASE, REQUEST = "https://ketenbrug.test", "019a0000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("row", problems.TYPES, ids=lambda row: row.slug)
def test_a_row_says_what_is_the_matter_and_what_to_do(row: ProblemType) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.slug)
    assert HTTPStatus(row.status) >= 400
    for text in (row.title, row.dutch):
        assert text
        assert text[0].isupper()
        assert not text.endswith(".")
    for text in (row.detail, row.next_step):
        assert text.endswith(".")


def test_slugs_and_titles_are_unique() -> None:
    for field in ("slug", "title", "dutch"):
        words = [getattr(row, field) for row in problems.TYPES]
        assert len(words) == len(set(words)), field


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_answer_and_a_next_step(reason: Reason) -> None:
    assert problems.next_step(reason)
    assert problems.refused(reason).type.status >= 400


def test_invalid_input_is_400_and_422_is_of_the_idempotency_key_alone() -> None:
    """API Design Rules /core/error-handling/invalid-input."""
    assert [row for row in problems.TYPES if row.status == 422] == [problems.IDEMPOTENCY_KEY_REUSED]


@pytest.mark.parametrize("reason", [Reason.NOT_VISIBLE, Reason.NOT_AVAILABLE])
def test_absent_and_not_yours_are_the_same_bytes(reason: Reason) -> None:
    """However it came to be refused, and whatever somebody put beside it."""
    plain = Problem(problems.NOT_FOUND).body(BASE, REQUEST)
    withheld = {DataCategory.MEDICAL: Reason.CONSENT_REFUSED}
    for told in (
        problems.refused(reason),
        problems.refused(reason, withheld),
        problems.of(errors.Refused(reason, detail="withdrawn last week")),
        problems.of(errors.Unauthenticated(reason, "invalid_token", detail="x")),
    ):
        assert told.body(BASE, REQUEST) == plain
        assert told.headers == ()


def test_what_nobody_who_decides_about_the_bed_may_know_is_in_no_common_text() -> None:
    """No word about consent stands in what they see instead."""
    for row in (problems.NOT_FOUND, problems.BY_SLUG[Reason.NOT_AVAILABLE]):
        assert "consent" not in (row.title + row.detail + row.next_step).lower()
    assert Reason.NOT_AVAILABLE not in CONSENT_REASONS


@pytest.mark.parametrize(
    "told",
    [
        *(Problem(row) for row in problems.TYPES),
        Problem(problems.INVALID_INPUT, errors=(InputError("body", "/a/0", "missing", "Field required"),)),
        Problem(problems.INVALID_INPUT, errors=(InputError("query", "limit", "int-type", "An integer."),)),
        Problem(problems.NOT_PERMITTED, reasons=dict.fromkeys(DataCategory, Reason.NO_RULE)),
    ],
    ids=lambda told: told.type.slug,
)
def test_an_answer_is_of_the_described_shape(told: Problem) -> None:
    """RFC 9457, and the schema that clients read it with."""
    read = wire.Problem.model_validate_json(told.body(BASE, REQUEST))
    assert read.type == f"{BASE}/problems/{told.type.slug}"
    assert read.status == told.type.status
    assert read.instance == f"urn:uuid:{read.request_id}"
    assert len(read.errors) == len(told.errors)
    assert len(read.reasons) == len(told.reasons)


def test_a_client_may_not_break_on_a_member_that_it_does_not_know() -> None:
    """RFC 9457 section 3.2."""
    body = Problem(problems.NOT_FOUND).body(BASE, REQUEST).replace(b"{", b'{"balance": 30, ', 1)
    assert wire.Problem.model_validate_json(body).status == 404


@pytest.mark.parametrize(
    ("error", "slug", "headers"),
    [
        (errors.Refused(Reason.WRONG_PARTY), "wrong-party", {}),
        (errors.BadRequest(Reason.PURPOSE_MISSING, detail="Send a purpose."), "purpose-missing", {}),
        (
            errors.Unauthenticated(Reason.UNAUTHENTICATED, ""),
            "unauthenticated",
            {"WWW-Authenticate": ALGS},
        ),
        (
            errors.Unauthenticated(Reason.INVALID_TOKEN, "invalid_token"),
            "invalid-token",
            {"WWW-Authenticate": f'{ALGS}, error="invalid_token"'},
        ),
        (
            errors.Replayed(),
            "invalid-dpop-proof",
            {"WWW-Authenticate": f'{ALGS}, error="invalid_dpop_proof"'},
        ),
        (
            errors.StaleStanding(),
            "invalid-token",
            {"WWW-Authenticate": f'{ALGS}, error="invalid_token"'},
        ),
        (
            errors.Refused(Reason.INSUFFICIENT_SCOPE),
            "insufficient-scope",
            {"WWW-Authenticate": f'{ALGS}, error="insufficient_scope"'},
        ),
        (errors.Overloaded(7), "overloaded", {"Retry-After": "7"}),
        (errors.Unavailable("the key service of Canary"), "unavailable", {"Retry-After": "5"}),
        (errors.Undecryptable("Canary"), "internal", {}),
        (errors.PlaintextRefused("Canary"), "internal", {}),
        (errors.Misconfigured(("Canary",)), "internal", {}),
        (errors.KetenbrugError("Canary"), "internal", {}),
        (problems.Stopped(Problem(problems.URI_TOO_LONG)), "uri-too-long", {}),
    ],
)
def test_every_error_of_ours_has_its_answer(error: errors.KetenbrugError, slug: str, headers: dict[str, str]) -> None:
    """What is from inside stays inside."""
    told = problems.of(error)
    assert (told.type.slug, dict(told.headers)) == (slug, headers)
    assert b"Canary" not in told.body(BASE, REQUEST)


def test_a_sentence_of_ours_may_replace_the_detail() -> None:
    told = problems.of(errors.BadRequest(Reason.PURPOSE_MISSING, detail="Send a purpose."))
    assert wire.Problem.model_validate_json(told.body(BASE, REQUEST)).detail == "Send a purpose."


def test_the_pages_in_the_repository_are_those_of_the_table() -> None:
    """`ketenbrug openapi` writes them."""
    folder = ROOT / "openapi" / "problems"
    there = {path.stem: path.read_text() for path in folder.glob("*.md")}
    assert there == problem_pages.markdown()


def test_status_codes_are_born_in_one_table() -> None:
    """No other module of ours raises an HTTP exception or names a status above 399."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "api").rglob("*.py")
        if path.name != "problems.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and _name(node.exc.func) == "HTTPException"
    ]
    assert found == []


def test_what_a_schema_says_of_a_fault_is_a_constant() -> None:
    """Its words go to the caller: a value that stands in them would be an echo of the input."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "api" / "schemas").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise)
        and not (
            isinstance(node.exc, ast.Call)
            and _name(node.exc.func) == "ValueError"
            and all(isinstance(each, ast.Constant) for each in node.exc.args)
        )
    ]
    assert found == []


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
