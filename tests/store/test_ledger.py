"""The consent ledger in a real database: events are added, and the state is the latest one."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils
from sqlalchemy import Uuid, bindparam, select

from api.consent import ledger, standing
from api.consent.decision import decide
from api.consent.evidence import Texts
from api.consent.model import ConsentRef, Objection
from api.consent.tables import CONSENT, CONSENT_EVENT, consent, consent_event
from api.crypto.vault import Vault
from api.errors import Overloaded, Undecryptable
from api.storage.pool import Database
from api.storage.statement import Bound, statement
from api.storage.unit import Unit
from api.vocabulary import CaseId, ConsentEventKind, ConsentId, PersonId, Purpose, Reason
from tests import consent_kit as kit
from tests import consent_store as store
from tests.consent_kit import C
from tests.consent_store import Register, made, new_consent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from api.consent.ledger import Noted
    from api.consent.model import Consent
    from api.consent.record import ConsentFacts
    from tests import servers

K = ConsentEventKind
REVIEWED = Texts(frozenset({kit.evidence().text}))
CALLER = kit.principal(kit.NGO)
_EVIDENCE = statement(select(*CONSENT.selected("evidence")).where(consent.c.id == bindparam("id", type_=Uuid)))
_NOTES = statement(
    select(*CONSENT_EVENT.selected("note"))
    .where(consent_event.c.consent_id == bindparam("id", type_=Uuid))
    .order_by(consent_event.c.sequence)
)
_STANDING = statement(
    select(
        standing.column(case_id=bindparam("case_id", type_=Uuid), recipient=bindparam("recipient", type_=Uuid)).label(
            "found"
        )
    )
)


class Person:
    """Somebody with a case, whose guide keeps the ledger."""

    def __init__(self, register: Register, vault: Vault) -> None:
        self.register = register
        self.vault = vault
        self.id = PersonId(uuid.uuid4())
        self.case = CaseId(uuid.uuid4())

    async def asked(self, texts: Texts = REVIEWED, **changes: Any) -> Noted | Objection:
        """Record an answer."""
        new = new_consent(self.id, self.case, **changes)
        async with self.register.unit() as unit:
            return await ledger.record(unit, self.vault, CALLER, ConsentId(uuid_utils.uuid7()), new, texts)

    async def gave(self, **changes: Any) -> ConsentId:
        """Record a yes."""
        return made(await self.asked(**changes)).consent.id

    async def takes_back(self, consent_id: ConsentId, note: str | None = None, **later: float) -> Noted | Objection:
        """Withdraw."""
        async with self.register.unit(**later) as unit:
            return await ledger.withdraw(unit, self.vault, CALLER, consent_id, note)

    async def confirms(self, consent_id: ConsentId, **later: float) -> Noted | Objection:
        """Re-confirm, for another half year."""
        async with self.register.unit(**later) as unit:
            until = unit.now + timedelta(days=180)
            return await ledger.reconfirm(unit, self.vault, CALLER, consent_id, kit.evidence(), until, REVIEWED)

    async def standing(self, case: CaseId | None = None) -> tuple[Consent, ...]:
        """What a decision reads of the case."""
        async with self.register.unit() as unit:
            row = await unit.one(_STANDING(case_id=case or self.case, recipient=kit.NGO.id))
            assert row is not None
            return standing.read(row["found"])


@pytest.fixture
async def person(database: servers.Database) -> AsyncIterator[Person]:
    pool = await Database.open(database.app_url, size=4)
    made_of = Person(Register(pool), Vault(store.WRAPPER))
    async with made_of.register.unit() as unit:
        await made_of.vault.create(unit, made_of.id)
    yield made_of
    await pool.close()


def kinds(noted: Noted | Objection) -> list[ConsentEventKind]:
    """What happened to it."""
    return [each.kind for each in made(noted).consent.events]


async def test_a_yes_is_kept_as_it_was_given(person: Person) -> None:
    """What is read back is what was asked and answered; what a decision reads is the same."""
    noted = made(await person.asked())
    facts = noted.consent
    assert (facts.person, facts.case, facts.recipient) == (person.id, person.case, kit.NGO.id)
    assert (facts.purpose, facts.kind, facts.text) == (Purpose.LEGAL_SCREENING, kit.E, kit.evidence().text)
    assert (facts.valid_from, facts.valid_until) == (kit.NOW, kit.NOW + timedelta(days=180))
    assert (facts.recorded_by, facts.version, facts.state(kit.NOW)) == (kit.NGO.id, 1, K.GIVEN)
    assert await person.standing() == (facts.value,)
    assert await person.standing(CaseId(uuid.uuid4())) == ()


async def test_a_refusal_is_an_answer_like_any_other(person: Person) -> None:
    """It is kept, it closes, and it needs neither evidence nor a reviewed text."""
    noted = made(await person.asked(Texts(), given=False, evidence=kit.evidence(asked=0, present=frozenset())))
    assert kinds(noted) == [K.REFUSED]
    assert (await person.standing())[0].last is K.REFUSED


async def test_the_evidence_is_sealed_to_its_place(person: Person) -> None:
    """What shows who was present lies under the person's key, and opens nowhere else."""
    consent_id = await person.gave()
    async with person.register.unit() as unit:
        row = await unit.one(_EVIDENCE(id=consent_id))
    assert row is not None
    assert b"worker-7" not in row["consent_evidence"]
    opened = person.vault.open_row(person.id, CONSENT, row, ("evidence",))
    assert opened == {"evidence": kit.evidence().record()}
    for changed in ({"id": uuid.uuid4()}, {"categories": ["medical"]}, {"recipient_organisation_id": uuid.uuid4()}):
        with pytest.raises(Undecryptable):
            person.vault.open_row(person.id, CONSENT, dict(row) | {f"consent_{n}": v for n, v in changed.items()}, ())


@pytest.mark.parametrize(
    ("changes", "reason", "places"),
    [
        ({"evidence": kit.evidence(asked=1, understood=1)}, Reason.CONSENT_EVIDENCE, ["/evidence/asked"]),
        ({"function": None}, Reason.INCOMPLETE, ["/function"]),
        (
            {"purpose": Purpose.ENFORCEMENT, "evidence": kit.evidence(present=frozenset())},
            Reason.CONSENT_EVIDENCE,
            ["/purpose", "/evidence/present"],
        ),
        ({"texts": Texts()}, Reason.CONSENT_TEXT_UNREVIEWED, []),
    ],
)
async def test_what_cannot_carry_a_consent_is_not_written_down(
    person: Person, changes: dict[str, Any], reason: Reason, places: list[str]
) -> None:
    """With every fault found; and the ledger stays as it was."""
    outcome = await person.asked(**changes)
    assert isinstance(outcome, Objection)
    assert outcome.reason is reason
    assert [fault.place for fault in outcome.faults] == places
    assert await person.standing() == ()


async def test_in_the_sandbox_an_unreviewed_text_will_do(person: Person) -> None:
    """Where nobody consents to anything."""
    assert kinds(await person.asked(Texts(unreviewed_too=True))) == [K.GIVEN]


async def test_withdrawing_twice_is_withdrawing_once(person: Person) -> None:
    """One event; the second answer says that it had happened."""
    consent_id = await person.gave()
    first = made(await person.takes_back(consent_id, "said so at the desk", minutes=1))
    second = made(await person.takes_back(consent_id, minutes=2))
    assert (first.already, second.already) == (False, True)
    assert kinds(second) == [K.GIVEN, K.WITHDRAWN]
    assert first.consent == second.consent
    (standing,) = await person.standing()
    assert (standing.last, standing.version, standing.last_at) == (K.WITHDRAWN, 2, kit.NOW + timedelta(minutes=1))


async def test_a_note_is_sealed_to_its_event(person: Person) -> None:
    """And where none was made there is none."""
    consent_id = await person.gave()
    await person.takes_back(consent_id, "said so at the desk")
    async with person.register.unit() as unit:
        rows = await unit.all(_NOTES(id=consent_id))
    assert rows[0]["consent_event_note"] is None
    opened = person.vault.open_row(person.id, CONSENT_EVENT, rows[1], ("note",))["note"]
    assert opened == "said so at the desk"


async def test_of_many_withdrawals_at_once_one_is_the_event(person: Person) -> None:
    """Nobody waits for a lock, and nobody gets an error."""
    consent_id = await person.gave()
    outcomes = [made(each) for each in await asyncio.gather(*(person.takes_back(consent_id) for _ in range(4)))]
    assert sum(not each.already for each in outcomes) == 1
    assert all(each.consent.version == 2 for each in outcomes)


async def test_who_comes_second_looks_again(person: Person) -> None:
    """A re-confirmation that was decided before a withdrawal committed does not undo it."""
    consent_id = await person.gave()
    one, two = (person.register.pool.unit(kit.NOW) for _ in range(2))
    made(await ledger.withdraw(one, person.vault, CALLER, consent_id))
    until = kit.NOW + timedelta(days=90)
    second = asyncio.ensure_future(
        ledger.reconfirm(two, person.vault, CALLER, consent_id, kit.evidence(), until, REVIEWED)
    )
    await person.register.awaited()
    await one.finish()
    assert await second == Objection(Reason.WRONG_STATE)
    told = [row for row in person.vault.sealed if row.startswith("consent.consent_event/")]
    assert len(told) == 2, "what was not stored is not told of"
    await two.finish()


class Crowded(Unit):
    """A unit in which somebody else is always first."""

    __slots__ = ()

    async def run(self, bound: Bound) -> list[Any]:  # noqa: ARG002 - nothing is run
        """Say that the place was taken."""
        return []


class Forgetful(Unit):
    """A unit that says that it wrote, and did not."""

    __slots__ = ()

    async def run(self, bound: Bound) -> list[Any]:
        """Say that it was written."""
        return [bound]


async def test_who_is_always_too_late_is_told_to_try_again(person: Person) -> None:
    """Nothing is acknowledged that was not written."""
    consent_id = await person.gave()
    unit = Crowded(person.register.pool, kit.NOW)
    with pytest.raises(Overloaded):
        await ledger.withdraw(unit, person.vault, CALLER, consent_id)
    await unit.finish()


async def test_nothing_is_acknowledged_that_is_not_there(person: Person) -> None:
    """What is answered is read back from the database."""
    unit = Forgetful(person.register.pool, kit.NOW)
    new = new_consent(person.id, person.case)
    with pytest.raises(AssertionError, match="what was just written is there"):
        await ledger.record(unit, person.vault, CALLER, ConsentId(uuid.uuid4()), new, REVIEWED)
    await unit.finish()


async def test_a_withdrawn_consent_stays_withdrawn(person: Person) -> None:
    """It cannot be re-confirmed or corrected; a new talk is a new consent."""
    consent_id = await person.gave()
    made(await person.takes_back(consent_id))
    assert await person.confirms(consent_id, days=1) == Objection(Reason.WRONG_STATE)
    async with person.register.unit() as unit:
        wrong = await ledger.invalidate(unit, person.vault, CALLER, consent_id, "typed wrong")
    assert wrong == Objection(Reason.WRONG_STATE)
    assert await person.asked() == Objection(Reason.CONSENT_STANDS_REFUSED)
    again = made(await person.asked(supersedes=(ConsentRef(consent_id, 2),)))
    assert again.consent.last is K.GIVEN


async def said_no(person: Person, **changes: Any) -> ConsentRef:
    """Record a no; which it is."""
    no = made(await person.asked(given=False, **changes))
    return no.consent.value.reference


async def test_a_yes_over_a_no_names_it(person: Person) -> None:
    """Per question and category: what is no answer to the same stands in no way, and cannot be named."""
    no = await said_no(person, categories=frozenset({C.MEDICAL}))
    assert await person.asked() == Objection(Reason.CONSENT_STANDS_REFUSED)
    assert await person.standing() == ((await found(person, no.id)).value,)
    made(await person.asked(categories=frozenset({C.IDENTITY})))
    made(await person.asked(purpose=Purpose.CASE_MEETING))
    both = await said_no(person)
    assert await person.asked(supersedes=(no,)) == Objection(Reason.CONSENT_STANDS_REFUSED)
    yes = made(await person.asked(supersedes=(no, both))).consent
    assert yes.supersedes == {no, both}
    assert [(await found(person, each.id)).state(kit.NOW) for each in (no, both)] == [K.SUPERSEDED, K.SUPERSEDED]


async def found(person: Person, consent_id: ConsentId) -> ConsentFacts:
    """A consent as it stands."""
    async with person.register.unit() as unit:
        facts = await standing.find(unit, consent_id)
    assert facts is not None
    return facts


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"purpose": Purpose.CASE_MEETING}, 1),
        ({"recipient": kit.OTHER_NGO}, 1),
        ({"categories": frozenset({C.CONTACT})}, 1),
        ({}, 2),
    ],
    ids=str,
)
async def test_only_an_answer_to_the_same_question_can_be_named(
    person: Person, changes: dict[str, Any], version: int
) -> None:
    """And only as it stands."""
    no = await said_no(person)
    outcome = await person.asked(supersedes=(replace(no, version=version),), **changes)
    assert isinstance(outcome, Objection)
    assert (outcome.reason, outcome.faults[0].place) == (Reason.INCOMPLETE, "/supersedes/0")


async def test_a_yes_that_was_recorded_in_error_leaves_the_no_that_it_named(person: Person) -> None:
    """As if it had never been there."""
    no = await said_no(person)
    yes = await person.gave(supersedes=(no,))
    async with person.register.unit() as unit:
        made(await ledger.invalidate(unit, person.vault, CALLER, yes, "the wrong person"))
    assert (await found(person, no.id)).state(kit.NOW) is K.REFUSED
    assert (await found(person, yes)).state(kit.NOW) is K.INVALIDATED
    assert await person.asked() == Objection(Reason.CONSENT_STANDS_REFUSED)


async def test_what_happens_to_a_named_answer_counts_again(person: Person) -> None:
    """A withdrawal is never lost because a later answer named the yes that it takes back."""
    first = await person.gave()
    second = await person.gave(supersedes=(ConsentRef(first, 1),))
    assert (await found(person, first)).state(kit.NOW) is K.SUPERSEDED
    withdrawn = made(await person.takes_back(first)).consent
    assert withdrawn.state(kit.NOW) is K.WITHDRAWN
    around = kit.situation(consents=await person.standing())
    assert kit.reason(decide(kit.question(), around, kit.NOW)) is Reason.CONSENT_WITHDRAWN
    assert (await found(person, second)).state(kit.NOW) is K.GIVEN


async def test_a_reconfirmation_carries_further(person: Person) -> None:
    """From its own day on, also when the time of the first yes was over; and as often as the person says so."""
    consent_id = await person.gave()
    after = made(await person.confirms(consent_id, days=200))
    assert after.consent.valid_until == kit.NOW + timedelta(days=380)
    assert after.consent.state(kit.NOW + timedelta(days=300)) is K.RECONFIRMED
    assert kinds(await person.confirms(consent_id, days=201)) == [K.GIVEN, K.RECONFIRMED, K.RECONFIRMED]
    (standing,) = await person.standing()
    assert standing.valid_until == kit.NOW + timedelta(days=381)
    assert standing.valid_from == kit.NOW


async def test_a_reconfirmation_needs_what_a_yes_needs(person: Person) -> None:
    """Evidence, an end within a year, and a text that may carry it."""
    consent_id = await person.gave()
    year, poor = timedelta(days=400), kit.evidence(asked=0)
    async with person.register.unit() as unit:
        faulty = await ledger.reconfirm(unit, person.vault, CALLER, consent_id, poor, unit.now + year, REVIEWED)
        unread = await ledger.reconfirm(
            unit, person.vault, CALLER, consent_id, kit.evidence(), unit.now + timedelta(days=1), Texts()
        )
    assert isinstance(faulty, Objection)
    assert [fault.place for fault in faulty.faults] == ["/evidence/asked", "/validUntilAt"]
    assert unread == Objection(Reason.CONSENT_TEXT_UNREVIEWED)


async def test_a_record_made_in_error_is_invalidated_while_it_carries(person: Person) -> None:
    """With a reason; twice is once."""
    consent_id = await person.gave()
    for already in (False, True):
        async with person.register.unit() as unit:
            noted = made(await ledger.invalidate(unit, person.vault, CALLER, consent_id, "the wrong person"))
        assert noted.already is already
    assert kinds(noted) == [K.GIVEN, K.INVALIDATED]


async def test_what_is_not_there_cannot_be_taken_back(person: Person) -> None:
    """Absent, or not yours to know about."""
    assert await person.takes_back(ConsentId(uuid.uuid4())) == Objection(Reason.NOT_VISIBLE)
    async with person.register.unit() as unit:
        assert await standing.find(unit, ConsentId(uuid.uuid4())) is None


async def test_the_consents_of_a_case_are_listed_newest_first(person: Person) -> None:
    """A page at a time."""
    given = [await person.gave(categories=frozenset({C.IDENTITY})) for _ in range(3)]
    async with person.register.unit() as unit:
        first = await standing.of_case(unit, person.case, uuid.UUID(int=2**128 - 1), 2)
        rest = await standing.of_case(unit, person.case, first[-1].id, 2)
    assert [each.id for each in (*first, *rest)] == given[::-1]


async def test_the_service_cannot_change_what_was_recorded(person: Person, database: servers.Database) -> None:
    """Neither a consent nor an event, by its rights; and events not even the owner."""
    await person.gave()
    refused: Sequence[tuple[str, str]] = (
        (database.app_url, "UPDATE consent.consent SET purpose = 'admission'"),
        (database.app_url, "DELETE FROM consent.consent_event"),
        (database.app_url, "UPDATE consent.agreement_version SET digest = digest"),
        (database.app_url, "UPDATE consent.agreement_signature SET signature = ''"),
        (database.owner_url, "UPDATE consent.consent_event SET kind = 'given'"),
    )
    for url, sql in refused:
        connection = await asyncpg.connect(url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)
        await connection.close()
