"""Consents over HTTP: who records and reads them, what a yes needs, and that a no stays with the NGO that guides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.crypto.signers import KeyServiceAway
from api.edge import state
from api.storage.unit import Unit
from api.vocabulary import CareFunction, ConsentKind, DataCategory, Municipality, Party, Purpose
from tests import exchange as world
from tests.actor import Actor, reasons, refused, told
from tests.dealings import IDENTITY, ORDINARY, Dealings, wire

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import httpx

    from api.storage.pool import Database
    from tests import servers
    from tests.exchange import Exchange, Furnished

pytestmark = pytest.mark.asyncio(loop_scope="module")

C = DataCategory
SCREENING = Purpose.LEGAL_SCREENING


@pytest.fixture(scope="module")
def second_database(furnished: Furnished) -> Any:
    with furnished.clone() as database:
        yield database


async def test_a_yes_is_recorded_with_its_evidence_and_shown_without_it(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    new = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY))
    new["evidence"]["place"] = "kamer-kanarie"
    made = await exchange.actor("ngo").post("/consents", new)
    assert made.status_code == 201
    body = made.json()
    assert (body["state"], body["version"], body["events"][0]["kind"]) == ("given", 1, "given")
    assert body["categories"] == sorted(ORDINARY)
    assert "kanarie" not in made.text
    read = await exchange.actor("ngo").get(f"/consents/{body['id']}")
    assert read.json() == body
    entry = await exchange.entry(made.headers["request-id"])
    assert entry["object"] == {"type": "consent", "id": body["id"], "version": 1}
    assert "person" in entry


async def test_the_person_gets_a_receipt_of_the_consent_as_it_stands(exchange: Exchange) -> None:
    """Readable and signed: what was asked, by whom, and that it was taken back."""
    dealings = await Dealings.begin(exchange)
    made = await dealings.consent(SCREENING, "ngo", ORDINARY)
    ngo = exchange.actor("ngo")
    given = await ngo.get(f"/consents/{made.id}/receipt")
    assert given.status_code == 200
    assert (await exchange.entry(given.headers["request-id"]))["object"]["id"] == str(made.id)
    await exchange.ngo.consents.withdraw(made.id)
    withdrawn = await ngo.get(f"/consents/{made.id}/receipt")
    assert "withdrawn" in withdrawn.text
    assert withdrawn.json()["jws"] != given.json()["jws"]
    refused(await ngo.get(f"/consents/{uuid4()}/receipt"), 404, "not-found")


class Lending:
    """The pool, and how many of its connections are lent."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
        self.lent = 0

    def unit(self, now: datetime) -> Unit:
        """A unit that borrows here."""
        return Unit(self, now)

    async def acquire(self) -> Any:
        """Borrow one."""
        self.lent += 1
        return await self._pool.acquire()

    async def release(self, connection: Any) -> None:
        """Give it back."""
        self.lent -= 1
        await self._pool.release(connection)


class Away:
    """Who signs receipts does not answer, and looks how many connections wait for that."""

    def __init__(self, pool: Lending) -> None:
        self._pool = pool
        self.waiting: list[int] = []

    async def sign(self, *_: object) -> str:
        """Sign it not."""
        self.waiting.append(self._pool.lent)
        raise KeyServiceAway("the module does not answer")


async def test_no_connection_waits_for_who_signs_a_receipt(exchange: Exchange) -> None:
    """A token that hangs does not drain the pool; what was permitted by then is written down, and that it failed."""
    made = await (await Dealings.begin(exchange)).consent(SCREENING, "ngo", ORDINARY)
    inner: Any = exchange.app.app
    here, pool = inner.state.ketenbrug, Lending(exchange.database)
    away = Away(pool)
    state.install(inner, replace(here, database=pool, receipts=away))
    try:
        answer = await exchange.actor("ngo").get(f"/consents/{made.id}/receipt")
    finally:
        state.install(inner, here)
    assert (answer.status_code, away.waiting, pool.lent) == (503, [0], 0)
    entries = await exchange.entries_of(answer.headers["request-id"])
    assert [each["result"] for each in entries] == ["permitted", "failed"]


async def test_a_no_is_recorded_and_needs_no_evidence(exchange: Exchange) -> None:
    """Saying no is as easy as saying yes, and never harder (GDPR article 7(3))."""
    dealings = await Dealings.begin(exchange)
    new = wire(dealings.new_consent(SCREENING, "ngo", [C.MEDICAL], given=False))
    new["evidence"] |= {"asked": 0, "understood": 0, "present": []}
    made = await exchange.actor("ngo").post("/consents", new)
    assert (made.status_code, made.json()["state"]) == (201, "refused")


@pytest.mark.parametrize(
    ("changes", "status", "problem", "pointer"),
    [
        ({"purpose": "enforcement"}, 409, "incomplete", "/purpose"),
        ({"function": None}, 409, "incomplete", "/function"),
        ({"kind": "authorisation", "categories": ["medical"]}, 409, "incomplete", "/kind"),
        ({"validUntilAt": "2020-01-01T00:00:00Z"}, 409, "incomplete", "/validUntilAt"),
        ({"evidence": {"asked": 1}}, 400, "consent-evidence-incomplete", "/evidence/asked"),
        ({"evidence": {"understood": 2}}, 400, "consent-evidence-incomplete", "/evidence/understood"),
        ({"evidence": {"present": ["one"]}}, 400, "consent-evidence-incomplete", "/evidence/present"),
        ({"evidence": {"reading": "interpreter"}}, 400, "consent-evidence-incomplete", "/evidence/interpreter"),
        (
            {"evidence": {"interpreter": {"kind": "relative-or-resident", "language": "ti"}}},
            400,
            "consent-evidence-incomplete",
            "/evidence/interpreter/reason",
        ),
    ],
)
async def test_what_cannot_be_asked_or_lacks_evidence_is_refused(
    exchange: Exchange, changes: dict[str, Any], status: int, problem: str, pointer: str
) -> None:
    """The controller can show that consent was given (GDPR article 7(1))."""
    dealings = await Dealings.begin(exchange)
    new = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY))
    evidence = new["evidence"] | changes.get("evidence", {})
    answer = await exchange.actor("ngo").post("/consents", new | changes | {"evidence": evidence})
    body = refused(answer, status, problem)
    assert pointer in {each["pointer"] for each in body["errors"]}
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["result"], entry["reason"]) == ("refused", problem)
    assert [each async for each in exchange.ngo.consents.list(case_id=dealings.id)] == []


async def test_nobody_is_asked_for_what_can_never_go(exchange: Exchange) -> None:
    """Hearings, belief, orientation and medical never cross to DT&V or AVIM; an auditor gets nothing about anybody."""
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    for recipient, category in (("dtv", C.MEDICAL), ("avim", C.HEARINGS), ("auditor", C.IDENTITY)):
        new = wire(dealings.new_consent(Purpose.RETURN_ADVICE, recipient, [category]))
        refused(await ngo.post("/consents", new), 409, "incomplete")
    new = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY)) | {"recipientId": str(uuid4())}
    refused(await ngo.post("/consents", new), 409, "wrong-addressee")


async def test_a_text_that_nobody_reviewed_carries_no_yes(
    furnished: Furnished, second_database: servers.Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Outside the sandbox a yes rests on a reviewed text in that language. A no rests on anything."""
    directory: Path = tmp_path_factory.mktemp("reviewed")
    async with world.running(second_database, directory, furnished.members, sandbox=False) as exchange:
        dealings = await Dealings.begin(exchange)
        ngo = exchange.actor("ngo")
        new = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY))
        refused(await ngo.post("/consents", new), 409, "consent-text-unreviewed")
        assert (await ngo.post("/consents", new | {"given": False})).status_code == 201


async def attempts(actor: Actor, dealings: Dealings, consent: object, case: object) -> list[httpx.Response]:
    """Read, list, record and withdraw."""
    new = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY)) | {"caseId": str(case)}
    return [
        await actor.get(f"/consents/{consent}"),
        await actor.get(f"/consents?caseId={case}"),
        await actor.post("/consents", new),
        await actor.post(f"/consents/{consent}/withdrawals", {}),
    ]


async def test_a_consent_is_as_absent_to_all_but_the_ngo_that_guides(exchange: Exchange) -> None:
    """No one who decides about the bed learns of a refusal: shelter staff and municipality neither."""
    dealings = await Dealings.begin(exchange)
    no = await dealings.consent(SCREENING, "ngo", [C.MEDICAL], given=False)
    shelters = await exchange.join("shelters", Party.NGO)
    directs = await exchange.join("directs", Party.MUNICIPALITY, municipalities=frozenset({Municipality.UTRECHT}))
    stranger = await exchange.join("stranger", Party.NGO)
    await dealings.assign("shelters", CareFunction.SHELTER)
    await dealings.assign("directs", CareFunction.COORDINATION)
    for actor in (shelters, stranger, directs):
        there = await attempts(actor, dealings, no.id, dealings.id)
        absent = await attempts(actor, dealings, uuid4(), uuid4())
        for one, other in zip(there, absent, strict=True):
            if actor is directs:
                refused(one, 403, "wrong-party")
            else:
                refused(one, 404, "not-found")
            assert told(one) == told(other)
            entries = [await exchange.entry(each.headers["request-id"]) for each in (one, other)]
            assert entries[0].keys() == entries[1].keys()
    state = (await exchange.ngo.consents.read(no.id)).value
    assert (state.state, state.version) == ("refused", 1)


async def test_another_ngo_that_guides_sees_the_consents_of_the_case(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    made = [
        await dealings.consent(SCREENING, "ngo", ORDINARY),
        await dealings.consent(SCREENING, "ngo", [C.MEDICAL], given=False),
    ]
    await dealings.assign("otherNgo", CareFunction.SOCIAL_GUIDANCE)
    seen = [each async for each in exchange.other_ngo.consents.list(case_id=dealings.id, limit=1)]
    assert [each.id for each in seen] == [each.id for each in made][::-1]


async def test_a_withdrawal_counts_from_the_very_next_request_with_an_old_token(exchange: Exchange) -> None:
    """GDPR article 7(3), design promise 4: also for tokens that were issued before it."""
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier()
    ngo = exchange.actor("ngo")
    token = await ngo.token()
    asked: dict[str, Any] = {"purpose": SCREENING, "token": token}
    assert (await ngo.get(f"/dossiers/{dossier}", **asked)).status_code == 200
    for which in ("ordinary", "special"):
        gone = await ngo.post(f"/consents/{dealings.consents[which].id}/withdrawals", {}, token=token)
        assert (gone.status_code, gone.json()["state"], gone.json()["version"]) == (201, "withdrawn", 2)
    for path in ("", "/manifest"):
        answer = await ngo.get(f"/dossiers/{dossier}{path}", **asked)
        refused(answer, 403, "not-permitted")
        assert set(reasons(answer).values()) == {"consent-withdrawn"}
        entry = await exchange.entry(answer.headers["request-id"])
        assert set(entry["withheld"].values()) == {"consent-withdrawn"}
        assert not entry.keys() & {"disclosed", "consents", "ground"}


async def test_a_withdrawal_towards_an_authority_leaves_it_nothing(exchange: Exchange) -> None:
    """To an authority what the person withdrew is as what never was."""
    dealings = await (await Dealings.begin(exchange)).consented()
    outcome = await dealings.outcome("ind")
    ind = exchange.actor("ind")
    path = f"/screening-outcomes/{outcome.id}"
    token = await ind.token()
    assert (await ind.get(path, purpose=Purpose.RESIDENCE_ADVICE, token=token)).status_code == 200
    await exchange.ngo.consents.withdraw(dealings.consents["ind"].id)
    gone = await ind.get(path, purpose=Purpose.RESIDENCE_ADVICE, token=token)
    absent = await ind.get(f"/screening-outcomes/{uuid4()}", purpose=Purpose.RESIDENCE_ADVICE, token=token)
    refused(gone, 404, "not-found")
    assert told(gone) == told(absent)
    entries = [await exchange.entry(each.headers["request-id"]) for each in (gone, absent)]
    assert entries[0].keys() == entries[1].keys()
    assert "withheld" not in entries[0]


async def test_taking_back_twice_is_once_and_what_was_refused_cannot_be_taken_back(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    yes = await dealings.consent(SCREENING, "ngo", ORDINARY)
    no = await dealings.consent(SCREENING, "ngo", [C.MEDICAL], given=False)
    ngo = exchange.actor("ngo")
    note = {"note": "kanarie wil niet meer"}
    answers = [await ngo.post(f"/consents/{yes.id}/withdrawals", note) for _ in range(2)]
    assert [each.json()["version"] for each in answers] == [2, 2]
    assert "kanarie" not in answers[0].text
    refused(await ngo.post(f"/consents/{no.id}/withdrawals", {}), 409, "wrong-state")
    refused(await ngo.post(f"/consents/{uuid4()}/withdrawals", {}), 404, "not-found")


async def test_a_consent_that_has_run_out_carries_nothing(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier()
    with exchange.later(timedelta(days=181)):
        answer = await exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose=SCREENING)
        refused(answer, 403, "not-permitted")
        assert set(reasons(answer).values()) == {"consent-expired"}
        assert (await exchange.entry(answer.headers["request-id"]))["result"] == "refused"


async def test_a_consent_is_for_one_purpose_one_recipient_and_one_function(exchange: Exchange) -> None:
    """GDPR article 5(1)(b): what was said for one purpose opens no other door."""
    dealings = await Dealings.begin(exchange)
    dossier = await dealings.dossier(ORDINARY)
    kind = ConsentKind.EXPLICIT_CONSENT
    await dealings.consent(Purpose.CASE_MEETING, "ngo", ORDINARY)
    await dealings.consent(SCREENING, "otherNgo", ORDINARY)
    await dealings.consent(SCREENING, "ngo", ORDINARY, function=CareFunction.SHELTER, kind=kind)
    await dealings.consent(SCREENING, "ind", IDENTITY)
    ngo = exchange.actor("ngo")
    answer = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
    refused(answer, 403, "not-permitted")
    assert set(reasons(answer).values()) == {"consent-never-asked"}
    await dealings.consent(SCREENING, "ngo", IDENTITY)
    seen = (await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)).json()
    assert [each["category"] for each in seen["sections"]] == ["identity"]


async def test_the_latest_word_counts(exchange: Exchange) -> None:
    """A yes after a no names it."""
    dealings = await Dealings.begin(exchange)
    dossier = await dealings.dossier(IDENTITY)
    ngo = exchange.actor("ngo")
    seen: list[object] = []
    no: list[dict[str, Any]] = []
    for given in (True, False, True):
        last = await dealings.consent(SCREENING, "ngo", IDENTITY, given=given, supersedes=no)
        no = [] if given else [named(last.id, 1)]
        answer = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
        seen.append(answer.status_code if answer.status_code == 200 else set(reasons(answer).values()))
    assert seen == [200, {"consent-refused"}, 200]


async def guided_by_two(exchange: Exchange) -> Dealings:
    """A person whom two NGOs guide."""
    dealings = await Dealings.begin(exchange)
    assigned = {"organisationId": str(exchange.id_of("otherNgo")), "function": "social-guidance"}
    assert (await exchange.actor("ngo").post(f"/cases/{dealings.id}/assignments", assigned)).status_code == 201
    return dealings


async def test_a_fresh_yes_of_one_ngo_does_not_overrule_in_silence_what_the_person_told_another(
    exchange: Exchange,
) -> None:
    """It names the no, or is refused; both see then what became of it."""
    dealings = await guided_by_two(exchange)
    ngo, other = exchange.actor("ngo"), exchange.actor("otherNgo")
    no = await dealings.consent(SCREENING, "ngo", ORDINARY, given=False)
    yes = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY))
    answer = await other.post("/consents", yes, key="the-person-said-yes")
    refused(answer, 409, "consent-stands-refused")
    assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "consent-stands-refused"
    body = refused(await other.post("/consents", yes | {"supersedes": [named(no.id, 2)]}), 409, "incomplete")
    assert [each["pointer"] for each in body["errors"]] == ["/supersedes/0"]

    (listed,) = (await other.get(f"/consents?caseId={dealings.id}")).json()["items"]
    assert (listed["id"], listed["state"]) == (str(no.id), "refused")
    made = await other.post("/consents", yes | {"supersedes": [named(no.id, listed["version"])]})
    assert (made.status_code, made.json()["supersedes"]) == (201, [named(no.id, 1)])
    seen = (await ngo.get(f"/consents/{no.id}")).json()
    assert (seen["state"], seen["supersededCategories"]) == ("superseded", sorted(ORDINARY))

    wrong = await ngo.post(f"/consents/{made.json()['id']}/invalidations", {"reason": "The wrong person."})
    assert (wrong.status_code, wrong.json()["state"]) == (201, "invalidated")
    assert (await ngo.get(f"/consents/{no.id}")).json()["state"] == "refused"


def named(consent: Any, version: int) -> dict[str, Any]:
    """An earlier answer, as it stood."""
    return {"consentId": str(consent), "version": version}


async def test_a_yes_is_confirmed_again_and_a_mistake_is_corrected(exchange: Exchange) -> None:
    """Each once per key; what is corrected opens nothing any more, and is not confirmed."""
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    yes = await dealings.consent(SCREENING, "ngo", ORDINARY, valid_until_at=exchange.clock() + timedelta(days=1))
    fresh = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY))
    again = {name: fresh[name] for name in ("validUntilAt", "evidence")}
    with exchange.later(timedelta(days=2)):
        assert (await ngo.get(f"/consents/{yes.id}")).json()["state"] == "expired"
        for _ in range(2):
            answer = await ngo.post(f"/consents/{yes.id}/reconfirmations", again, key="they-still-mean-it")
            assert (answer.status_code, answer.json()["state"], answer.json()["version"]) == (201, "re-confirmed", 2)
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["replayed"], entry["object"]["version"]) == ("consents.reconfirm", True, 2)
    poor = again | {"evidence": again["evidence"] | {"asked": 0}}
    refused(await ngo.post(f"/consents/{yes.id}/reconfirmations", poor), 400, "consent-evidence-incomplete")
    for _ in range(2):
        answer = await ngo.post(f"/consents/{yes.id}/invalidations", {"reason": "Typed wrong."}, key="it-was-an-error")
        assert (answer.status_code, answer.json()["state"]) == (201, "invalidated")
    refused(await ngo.post(f"/consents/{yes.id}/reconfirmations", again), 409, "wrong-state")
    refused(await ngo.post(f"/consents/{uuid4()}/invalidations", {"reason": "?"}), 404, "not-found")
