"""What is secret stands nowhere in the open: not in the database's files, its log of writes, a dump, logs or errors.

Nor in figures, traces or events; and no process of the service may leave its memory in a file.

Every text that a party may send holds a canary, in requests that succeed and in requests that fail. Then everything
that stays is searched for it, in each form that text may take there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import re
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from api import settings
from api.audit.logbook import Logbook
from api.audit.views import Register
from api.outbound import Answer
from api.sandbox import binaries
from api.sandbox import cast as play
from api.sandbox.cast import GUIDING, SECTIONS, Cast, Journal
from api.sandbox.running import NAME
from api.schemas.advice import IdentityAdvice, NewAdvice, NewAdviceRequest, ResidenceAdvice, ReturnAdvice
from api.schemas.cases import (
    AdmissionAnswers,
    AdmissionDecision,
    CaseSearch,
    CriterionFinding,
    NewAdmissionCheck,
    NewCase,
)
from api.schemas.consents import ConsentEvidence, ConsentInterpreter, ConsentText, NewConsent
from api.schemas.documents import NewDocument
from api.schemas.dossiers import Delivery, NewDossierRequest, Section
from api.schemas.screening import Explanation, NewScreeningOutcome, SharedOutcome
from api.storage.pool import Database
from api.vocabulary import (
    AdmissionResult,
    AdviceAnswer,
    CareFunction,
    ConsentGiver,
    ConsentKind,
    Criterion,
    CriterionAnswer,
    DataCategory,
    DocumentType,
    Municipality,
    Perspective,
    Purpose,
    ReadingForm,
)
from clients._messages import Call
from clients.documents import Content
from clients.errors import KetenbrugClientError
from tests import live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from api.sandbox.running import Running
    from clients._messages import Request, Response

C = DataCategory
MARK: Final = "Kwetsal7391"
"""In every canary: no word of ours, nor of PostgreSQL's."""
V_NUMBER: Final = "7391826405"
UNUSED: Final = "7391826406"
"""Sent, but of nobody."""
FORM: Final = "application/x-www-form-urlencoded"
_NUMBERS: Final = count()


def canary(where: str = "") -> str:
    """A text that may stand nowhere in the open."""
    return f"{MARK} {where}{next(_NUMBERS)}"


def code() -> str:
    """The same, where no space may be."""
    return f"{MARK}-{next(_NUMBERS)}"


class Recorder(Journal):
    """Keeps every answer, as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Final[list[tuple[Request, Response]]] = []

    def send(self, request: Request) -> Response:
        """Send, and keep."""
        response = super().send(request)
        self.answers.append((request, response))
        return response


@dataclass
class Played:
    """What was done with canaries: the clients, and every answer."""

    running: Running
    cast: Cast
    recorder: Recorder
    seen: list[str] = field(default_factory=list[str])
    """Texts that were read back: the control that canaries went in."""
    refused: list[bytes] = field(default_factory=list[bytes])
    """What the token endpoint said to nonsense."""


@pytest.fixture(scope="module")
def played(running: Running) -> Iterator[Played]:
    recorder = Recorder()
    with Cast(running.base_url, running.issuer, running.credentials, journal=recorder) as cast:
        made = Played(running, cast, recorder)
        _play(made)
        _attack(made)
        yield made


def _play(made: Played) -> None:
    """The whole exchange, with a canary in each text."""
    cast = made.cast
    new = NewCase(municipality=Municipality.UTRECHT, v_number=V_NUMBER, functions=GUIDING)
    case = cast.ngo.cases.open(new).value.id
    ordinary, special = play.split()
    for purpose, recipient, categories in (
        (Purpose.LEGAL_SCREENING, "ngo", ordinary),
        (Purpose.LEGAL_SCREENING, "ngo", special),
        (Purpose.ADMISSION, "ind", (C.IDENTITY,)),
        (Purpose.LEGAL_SCREENING, "ind", (C.IDENTITY,)),
        (Purpose.RESIDENCE_ADVICE, "ind", (C.IDENTITY, C.SHARED_OUTCOME)),
        (Purpose.RETURN_ADVICE, "dtv", (C.IDENTITY, C.SHARED_OUTCOME)),
        (Purpose.IDENTITY_ADVICE, "avim", (C.IDENTITY,)),
    ):
        cast.ngo.consents.record(_consent(cast, case, purpose, recipient, categories))
    check = cast.ngo.admission_checks.ask(NewAdmissionCheck(case_id=case, addressee_id=cast.id_of("ind"))).value.id
    findings = tuple(CriterionFinding(criterion=each, answer=CriterionAnswer.UNKNOWN) for each in Criterion)
    cast.ind.admission_checks.answer(check, AdmissionAnswers(findings=findings))
    exception = AdmissionDecision(
        result=AdmissionResult.ADMITTED_BY_EXCEPTION, conditions=canary("conditions"), review_date=date(2027, 1, 1)
    )
    cast.municipality.admission_checks.decide(check, exception)
    request = NewDossierRequest(
        case_id=case,
        supplier_id=cast.id_of("ind"),
        purpose=Purpose.LEGAL_SCREENING,
        categories=tuple(SECTIONS),
        proportionality_note=canary("note"),
    )
    cast.ngo.dossier_requests.preview(request)
    asked = cast.ngo.dossier_requests.request(request).value
    sections = tuple(
        Section(category=each, content={"familyName": canary(each), "others": [{"name": canary(each)}]})
        for each in SECTIONS
    )
    dossier = cast.ind.dossier_requests.deliver(asked.id, Delivery(sections=sections, complete=False)).value.dossier_id
    assert dossier is not None
    _attach(made, dossier)
    cast.ind.dossier_requests.deliver(asked.id, Delivery(sections=(), complete=True))
    pulled = cast.ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING).value
    made.seen += [str(each.content) for each in pulled.sections]
    _advise(made, case)
    for party in (cast.ngo, cast.ind, cast.dtv, cast.avim, cast.municipality):
        list(party.events.read())
    assert list(cast.ngo.cases.search(CaseSearch(v_number=V_NUMBER)))
    assert not list(cast.other_ngo.cases.search(CaseSearch(v_number=UNUSED)))


def _attach(made: Played, dossier: UUID) -> None:
    """A document whose title is a canary, and whose content is full of them."""
    new = NewDocument(category=C.IDENTITY, media_type=DocumentType.TEXT, title=canary("title"))
    attached = made.cast.ind.documents.attach(dossier, new).value
    content = Content.of(canary("content").encode() * 9_000, DocumentType.TEXT)
    made.cast.ind.documents.store(dossier, attached.id, content)
    listed = made.cast.ngo.documents.list(dossier, purpose=Purpose.LEGAL_SCREENING)
    into = io.BytesIO()
    made.cast.ngo.documents.read(dossier, attached.id, into, purpose=Purpose.LEGAL_SCREENING)
    made.seen += [*(each.title or "" for each in listed), into.getvalue().decode()]


def _consent(
    cast: Cast, case: UUID, purpose: Purpose, recipient: str, categories: Iterable[DataCategory]
) -> NewConsent:
    asked = tuple(categories)
    text = ConsentText(id="sandbox", version=1, language="nl", sha256=sha256(play.TEXT.encode()).hexdigest())
    special = any(each in play.split()[1] for each in asked)
    return NewConsent(
        case_id=case,
        kind=ConsentKind.EXPLICIT_CONSENT if special else ConsentKind.AUTHORISATION,
        purpose=purpose,
        recipient_id=cast.id_of(recipient),
        function=CareFunction.LEGAL_SCREENING if recipient == "ngo" else None,
        categories=asked,
        given=True,
        given_by=ConsentGiver.SELF,
        valid_until_at=datetime.now(UTC) + timedelta(days=180),  # noqa: TID251 - of real tokens
        evidence=ConsentEvidence(
            text=text,
            reading=ReadingForm.READ_ALOUD,
            interpreter=ConsentInterpreter(
                kind="relative-or-resident", language="ti", number=code(), reason=canary("reason")
            ),
            asked=3,
            understood=3,
            present=(code(), code()),
            place=canary("place"),
        ),
    )


def _advise(made: Played, case: UUID) -> None:
    cast = made.cast
    outcome = NewScreeningOutcome(
        case_id=case,
        shared_outcome=SharedOutcome(
            perspective=Perspective.LEGALISATION, question=canary("question"), next_steps=(canary("step"),)
        ),
        legal_analysis=canary("analysis"),
        explanations=(
            Explanation(
                explained_date=datetime.now(UTC).date(),  # noqa: TID251 - of real tokens
                language="nl",
                explained_by=canary("by"),
                reaction="understood",
            ),
        ),
        addressee_ids=(cast.id_of("ind"), cast.id_of("dtv")),
    )
    shared = cast.ngo.screening_outcomes.share(outcome).value.id
    bodies = {
        "ind": ResidenceAdvice(kind="residence", perspective="possible", routes=(canary("route"),)),
        "dtv": ReturnAdvice(kind="return", possible="unknown", obstacles=(canary("obstacle"),)),
        "avim": IdentityAdvice(kind="identity", established="plausible", source=canary("source")),
    }
    purposes = {"ind": "residence-advice", "dtv": "return-advice", "avim": "identity-advice"}
    for key, body in bodies.items():
        asked = NewAdviceRequest(
            case_id=case,
            addressee_id=cast.id_of(key),
            purpose=purposes[key],
            question=canary("asked"),
            screening_outcome_id=None if key == "avim" else shared,
        )
        request = cast.ngo.advice_requests.request(asked).value.id
        new = NewAdvice(advice_request_id=request, answer=AdviceAnswer.ADVICE, summary=canary("summary"), body=body)
        given = {"ind": cast.ind, "dtv": cast.dtv, "avim": cast.avim}[key].advice.give(new).value.id
        read = cast.ngo.advice.read(given, purpose=Purpose(purposes[key])).value
        assert read.body is not None
        made.seen += [read.summary, read.body.model_dump_json()]


def _attack(made: Played) -> None:
    """Every operation, with canaries where none belongs: in each member, in the address, in the headers."""
    document = httpx.get(f"{made.running.base_url}/openapi.json", timeout=60).json()
    clients = (made.cast.ngo, made.cast.ind, made.cast.municipality, made.cast.auditor, made.cast.operator)
    scopes = [set(made.cast.who[key].scope.split()) for key in ("ngo", "ind", "municipality", "auditor", "operator")]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            wanted = {scope for each in operation.get("security", ()) for found in each.values() for scope in found}
            client = next((each for each, has in zip(clients, scopes, strict=True) if wanted <= has), clients[0])
            named = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            for filling in (str(uuid4()), quote(canary("path"))):
                at = re.sub(r"\{[^}]+\}", filling, path).lstrip("/")
                for body in _wrong(document, operation):
                    query = tuple((each, canary()) for each in named)
                    purpose: Any = code()
                    for call in (
                        Call(
                            method.upper(),
                            at,
                            bytes,
                            query,
                            body,
                            purpose=purpose,
                            key=uuid4(),
                        ),
                        Call(method.upper(), at, bytes, (), body, key=uuid4()),
                    ):
                        with contextlib.suppress(KetenbrugClientError):
                            client._driver.call(call)
    for form in ({"grant_type": canary()}, {"grant_type": "client_credentials", "client_id": canary(), "scope": MARK}):
        headers = {"Content-Type": FORM, "DPoP": code(), "Authorization": f"Basic {MARK}", **_baggage()}
        answer = httpx.post(f"{made.running.issuer}/oauth/token", content=urlencode(form), headers=headers)
        made.refused.append(answer.content)
        assert answer.status_code >= 400


def _baggage() -> dict[str, str]:
    """What a trace may carry along, and who says to be calling."""
    return {"Traceparent": code(), "Tracestate": f"a={code()}", "Baggage": f"a={code()}", "User-Agent": code()}


def _wrong(document: dict[str, Any], operation: dict[str, Any]) -> list[bytes | None]:
    """Bodies that no operation takes: each member a canary, a member called so, and no JSON at all.

    A member that is called by one plain word is told to whoever sent it, since it may be a slip of the pen: such a word
    is no canary here.
    """
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return [None]
    if "application/json" not in content:
        return [None, canary().encode()]
    schema = content["application/json"]["schema"]
    members = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    return [
        json.dumps(dict.fromkeys(members, canary()) | {canary(): canary()}).encode(),
        json.dumps({name: [{canary(): UNUSED}] for name in members}).encode(),
        f'{{"{canary()}"'.encode(),
    ]


def forms(text: str) -> set[bytes]:
    """What a text may look like where it stands: as it is, in hexadecimal, in base64 at any offset, in UTF-16."""
    plain = text.encode()
    # Of each base64 only the middle: its ends depend on what stands beside it.
    encoded = {base64.b64encode(bytes(shift) + plain)[4:-4] for shift in range(3)}
    return {plain, plain.hex().encode(), plain.hex().upper().encode(), text.encode("utf-16-le"), *encoded}


SECRETS: Final = {form for text in (MARK, V_NUMBER, UNUSED) for form in forms(text)}


def leaked(content: bytes) -> set[bytes]:
    """The canaries that stand in the open."""
    return {form for form in SECRETS if form in content}


def test_every_form_of_a_canary_would_be_found() -> None:
    """The control of what follows: a search that finds nothing must be able to find something."""
    for text in (canary("x"), f"V-number {V_NUMBER}."):
        for shift in range(3):
            assert leaked(base64.b64encode(b"-" * shift + text.encode()))
        assert leaked(json.dumps({"any": text}).encode())
        assert leaked(text.encode().hex().encode())


def test_canaries_went_in_and_who_may_read_them_does(played: Played) -> None:
    assert len(played.seen) == len(SECTIONS) + 2 * 4
    assert all(MARK in text for text in played.seen)
    assert sum(response.status >= 400 for _, response in played.recorder.answers) > 100


def test_no_error_repeats_what_was_sent(played: Played) -> None:
    """House rule: neither names, nor values, nor keys that the caller made up."""
    refused = [response.content for _, response in played.recorder.answers if response.status >= 400]
    assert [content for content in (*refused, *played.refused) if leaked(content)] == []


def test_no_header_of_an_answer_and_no_url_holds_any(played: Played) -> None:
    """What stands there stays in the logs of every proxy on the way. The attack put canaries in URLs; we never do."""
    for request, response in played.recorder.answers:
        assert not leaked(str(response.headers).encode())
        assert response.status >= 400 or not leaked(request.url.encode())


def test_what_the_service_says_holds_none(played: Played) -> None:
    assert not leaked((played.running.directory.parent / "said").read_bytes())


def test_no_event_holds_any(played: Played) -> None:
    """What each party's feed tells, which is also what is delivered to its subscriptions."""
    told = [response.content for request, response in played.recorder.answers if "/events" in request.url]
    assert sum(b"dossier-request." in page or b"advice" in page for page in told) >= 2, "the control"
    assert [page for page in told if leaked(page)] == []


def test_no_figure_holds_any(played: Played) -> None:
    """What a Prometheus server takes, and whoever reads its graphs."""
    figures = httpx.get(f"http://127.0.0.1:{played.running.environment['KETENBRUG_METRICS_PORT']}/metrics").content
    assert re.search(rb'ketenbrug_answers_total{operation="\w*dossier\w*",status="200"}', figures), "the control"
    assert not leaked(figures)


class Kept:
    """A collector of traces: it confirms what it is sent, and keeps it."""

    def __init__(self) -> None:
        self.bodies: Final[list[bytes]] = []

    async def post(self, _url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Take it."""
        self.bodies.extend([body, json.dumps(dict(headers)).encode()])
        return Answer(200, "application/json", b"{}")


def test_no_trace_holds_any(played: Played) -> None:
    """What a collector is sent over OTLP: records of Logboek Dataverwerkingen, made of every entry."""
    kept, register = Kept(), Register("https://register.example", "https://exchange.example/")

    async def deliver() -> None:
        database = await Database.open(played.running.work_url, size=1)
        sender = Logbook(database, kept, "https://a.example", register, settings.now, settled=timedelta())
        try:
            while await sender.deliver():
                pass
        finally:
            await database.close()

    asyncio.run(deliver())
    told = b"".join(kept.bodies)
    assert b"dossiers.read" in told, "the control"
    assert b"resourceSpans" in told, "the control"
    assert not leaked(told)


def test_no_process_of_the_service_may_leave_a_core(played: Played) -> None:
    """All that passed was once in their memory. That a limit of zero leaves none: `tests/unit/test_memory.py`."""
    limits: dict[str, str] = {}
    for each in live.family(played.running.directory):
        pid, _, words = each.partition(" ")
        if " -m api.cli " in words:
            (line,) = re.findall(r"Max core file size +(.+)", Path(f"/proc/{pid}/limits").read_text())
            limits[words] = " ".join(line.split())
    assert any("serve" in words for words in limits), "the control"
    assert set(limits.values()) == {"0 0 bytes"}


def test_the_audit_log_holds_none(played: Played, tmp_path: Path) -> None:
    """Entries name what was done to which row, and the person by an alias. Nothing can be erased from it."""
    written = {request for request, status in played.recorder.calls if status in {200, 201}}

    def whole() -> bool:
        entries = live.export(played.running.application_url, tmp_path / "log")
        return written <= {entry["origin"].get("requestId") for entry in entries}

    live.until(whole)
    leaves = b"".join(
        each.read_bytes() for each in (tmp_path / "log" / "tile" / "entries").rglob("*") if each.is_file()
    )
    assert b"dossiers.read" in leaves, "the control"
    assert not leaked(leaves)


def test_a_dump_of_the_database_holds_none(played: Played) -> None:
    """What a thief of a backup has: events, idempotency rows and every table."""
    programs = binaries.find(binaries.candidates()).folder
    dump = subprocess.run(  # noqa: S603 - our own words
        (programs / "pg_dump", played.running.cluster.superuser_url(NAME)), capture_output=True, check=True
    ).stdout
    for table in ("idempotency_key", "event", "entry", "dossier_section", "document_part"):
        assert re.search(rf"COPY \w+\.{table}\w*\b[^\n]*\n(?!\\\.)".encode(), dump), f"the control: {table} has rows"
    assert b"dossiers.read".hex().encode() in dump, "the control: leaves are dumped in hexadecimal"
    assert not leaked(dump)


def test_the_files_of_the_database_and_its_write_ahead_log_hold_none(played: Played) -> None:
    """What a thief of the disk has, deleted rows and PostgreSQL's own log included."""

    async def flush() -> None:
        connection = await asyncpg.connect(played.running.cluster.superuser_url())
        try:
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    asyncio.run(flush())
    files = [each for each in (played.running.directory / "postgres").rglob("*") if each.is_file()]
    control = b"Stichting Voorbeeldopvang"
    holding, found = set[str](), dict[str, set[bytes]]()
    for file in files:
        content = file.read_bytes()
        if control in content:
            holding.add(file.parent.name)
        if hits := leaked(content):
            found[str(file)] = hits
    assert "pg_wal" in holding, "the control"
    assert len(holding) > 1, "the control"
    assert found == {}
