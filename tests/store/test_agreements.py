"""Agreements in a real database: taken in, signed, in force between two parties, revoked."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import Date, Text, Uuid, bindparam, select

from api.consent import agreements, document, intake
from api.consent.model import Objection
from api.oauth import jose
from api.sandbox import agreements as shipped
from api.storage.pool import Database
from api.storage.statement import statement
from api.vocabulary import AgreementId, Municipality, Party, Reason
from tests import consent_kit as kit
from tests import consent_store as store
from tests import oauth_kit
from tests.consent_store import RING, Register, dossier_rule, made, signature, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.consent.model import Agreement
    from api.principal import Organisation
    from tests import servers

_IN_FORCE = statement(
    select(
        agreements.in_force_column(
            municipality=bindparam("municipality", type_=Text),
            supplier=bindparam("supplier", type_=Uuid),
            recipient=bindparam("recipient", type_=Uuid),
            today=bindparam("today", type_=Date),
        ).label("found")
    )
)


@pytest.fixture
async def register(database: servers.Database) -> AsyncIterator[Register]:
    pool = await Database.open(database.app_url, size=4)
    yield Register(pool)
    await pool.close()


async def in_force(
    register: Register,
    supplier: Organisation = kit.IND,
    recipient: Organisation = kit.NGO,
    *,
    municipality: str = "utrecht",
    today: date = date(2026, 11, 24),
) -> tuple[Agreement, ...]:
    """What holds between two, as a room above reads it."""
    async with register.unit() as unit:
        row = await unit.one(
            _IN_FORCE(municipality=municipality, supplier=supplier.id, recipient=recipient.id, today=today)
        )
        assert row is not None
        return await agreements.parsed(unit, row["found"])


def the_id(raw: dict[str, Any]) -> AgreementId:
    """Its id."""
    return AgreementId(uuid.UUID(raw["id"]))


def told(outcome: object) -> str:
    """The sentences of an objection."""
    assert isinstance(outcome, Objection)
    return " ".join(f"{fault.place} {fault.sentence}" for fault in outcome.faults)


async def test_an_agreement_is_in_force_between_two_that_signed(register: Register) -> None:
    """Both are party, both have signed, neither revoked, today is within its validity."""
    raw = text()
    taken = made(await register.add(raw))
    assert taken.digest == document.digest(document.canonical(raw))
    assert await in_force(register) == ()
    await register.sign(raw, kit.NGO)
    assert await in_force(register) == ()
    await register.sign(raw, kit.IND)
    (found,) = await in_force(register)
    assert (found.id, found.version) == (the_id(raw), 1)
    assert [rule.id for rule in found.rules] == ["dossier"]
    assert await in_force(register, kit.NGO, kit.IND) == (found,)


async def test_it_is_in_force_for_nobody_else(register: Register) -> None:
    """Not with a party that did not sign, in another municipality, or on another day."""
    raw = text(validUntil="2026-12-31")
    await register.standing(raw)
    assert await in_force(register, kit.IND, kit.OTHER_NGO) == ()
    assert await in_force(register, kit.IND, kit.DTV) == ()
    assert await in_force(register, municipality="groningen") == ()
    assert await in_force(register, today=date(2024, 12, 31)) == ()
    assert await in_force(register, today=date(2027, 1, 1)) == ()
    for day in (date(2025, 1, 1), date(2026, 12, 31)):
        assert len(await in_force(register, today=day)) == 1


async def test_a_revocation_ends_what_the_revoker_gives_and_gets(register: Register) -> None:
    """And leaves alone what others have with each other. Revoking twice is revoking once."""
    raw = text()
    await register.standing(raw, kit.NGO, kit.OTHER_NGO, kit.IND)
    async with register.unit() as unit:
        assert not made(await agreements.revoke(unit, the_id(raw), 1, kit.NGO.id)).already
    async with register.unit() as unit:
        assert made(await agreements.revoke(unit, the_id(raw), 1, kit.NGO.id)).already
    assert await in_force(register) == ()
    assert await in_force(register, kit.NGO, kit.OTHER_NGO) == ()
    assert len(await in_force(register, kit.IND, kit.OTHER_NGO)) == 1


async def test_who_did_not_sign_has_nothing_to_revoke(register: Register) -> None:
    """And of what does not exist nothing is known."""
    raw = text()
    made(await register.add(raw))
    async with register.unit() as unit:
        assert await agreements.revoke(unit, the_id(raw), 1, kit.NGO.id) == Objection(Reason.WRONG_STATE)
        assert await agreements.revoke(unit, the_id(raw), 2, kit.NGO.id) == Objection(Reason.NOT_VISIBLE)


async def test_the_latest_version_that_both_signed_counts(register: Register) -> None:
    """A new version changes nothing between two until both have signed it and its first day has come."""
    first = text()
    await register.standing(first, kit.NGO, kit.OTHER_NGO, kit.IND)
    second = first | {"version": 2, "validFrom": "2026-06-01", "validUntil": "2026-12-31"}
    made(await register.add(second))
    await register.sign(second, kit.IND)
    assert [each.version for each in await in_force(register)] == [1]
    await register.sign(second, kit.NGO)
    assert [each.version for each in await in_force(register)] == [2]
    assert [each.version for each in await in_force(register, today=date(2026, 5, 31))] == [1]
    assert [each.version for each in await in_force(register, kit.IND, kit.OTHER_NGO)] == [1]


async def test_an_older_version_never_comes_back(register: Register) -> None:
    """Not when the later one ends, and not when a party revokes it."""
    first = text()
    await register.standing(first)
    second = first | {"version": 2, "validUntil": "2026-12-31"}
    await register.standing(second)
    assert await in_force(register, today=date(2027, 1, 1)) == ()
    async with register.unit() as unit:
        made(await agreements.revoke(unit, the_id(second), 2, kit.IND.id))
    assert await in_force(register) == ()


async def test_a_signature_is_over_exactly_this_version_by_a_registered_key(register: Register) -> None:
    """A signature under another text, of another key, or of something else is refused, and nothing is kept."""
    raw, other = text(), text()
    made(await register.add(raw))
    key = the_id(raw)
    foreign = jose.key_ring([oauth_kit.key("es256-foreign").public | {"kid": "signing"}])
    async with register.unit() as unit:
        for attempt, ring in ((signature(other), RING), (signature(raw), foreign), ("a..b", RING)):
            refused = await agreements.sign(unit, key, 1, kit.NGO.id, attempt, ring)
            assert refused == Objection(Reason.SIGNATURE_INVALID)
        made(await agreements.sign(unit, key, 1, kit.NGO.id, signature(raw), RING))
        again = await agreements.sign(unit, key, 1, kit.NGO.id, signature(raw), RING)
        assert again == Objection(Reason.ALREADY_SIGNED)
        assert await agreements.sign(unit, key, 1, kit.DTV.id, signature(raw), RING) == Objection(Reason.WRONG_PARTY)
        assert await agreements.sign(unit, key, 2, kit.NGO.id, signature(raw), RING) == Objection(Reason.NOT_VISIBLE)


async def test_what_is_wrong_with_a_document_is_told_with_who_is_not_registered(register: Register) -> None:
    """Parties must be registered, in the slot of their kind, and once."""
    raw = text()
    raw["parties"][0]["oin"] = "00000099000000009999"
    raw["parties"][1] = {"slot": "municipality", "name": "Second", "oin": kit.OTHER_NGO.oin}
    raw["parties"][3] = {"slot": "ind", "name": "IND again", "organisationId": str(kit.IND.id)}
    raw["parties"].append({"slot": "ngo", "name": "Stays", "oin": kit.NGO.oin})
    words = told(await register.add(raw))
    assert "/parties/0 No organisation is registered" in words
    assert "/parties/1/slot Second is registered as ngo, not as municipality." in words
    assert "/parties/3 IND again is party twice." in words
    assert "kind" in told(await register.add({"kind": "nothing"}))


async def test_a_document_names_its_agreement_and_version() -> None:
    """And its municipality, which alone may send it."""
    raw = text()
    assert intake.named(raw) == (the_id(raw), 1)
    assert intake.municipality(raw) is Municipality.UTRECHT
    assert isinstance(intake.named({}), Objection)
    assert intake.municipality({}) is None


async def test_a_party_without_an_oin_is_named_by_its_id(register: Register) -> None:
    """Not every organisation has one."""
    raw = text()
    raw["parties"][1] = {"slot": "ngo", "name": "Small", "organisationId": str(kit.OTHER_NGO.id)}
    small = replace(kit.OTHER_NGO, oin=None)
    async with register.unit() as unit:
        made(await intake.add(unit, raw, (kit.NGO, small, kit.IND, kit.UTRECHT)))


async def test_versions_follow_each_other(register: Register) -> None:
    """The first is 1; what an agreement is, a new version cannot change."""
    raw = text()
    assert "/version The next version of this agreement is 1." in told(await register.add(raw | {"version": 2}))
    made(await register.add(raw))
    words = told(await register.add(raw | {"kind": "commission", "municipality": "groningen"}))
    assert "/version The next version of this agreement is 2." in words
    assert "/kind A new version cannot change this" in words
    assert "/municipality A new version cannot change this" in words
    async with register.unit() as unit:
        assert await unit.all(agreements._READ(ids=[the_id(raw)], versions=[2])) == []


async def test_of_two_that_take_in_the_same_version_at_once_one_does(register: Register) -> None:
    """The other is told so, and nothing is written twice."""
    raw = text()
    outcomes = await asyncio.gather(*(register.add(raw) for _ in range(4)))
    assert sum(not isinstance(each, Objection) for each in outcomes) == 1


async def test_two_units_that_both_saw_no_version_do_not_both_write(register: Register) -> None:
    """The second waits for the first, and then objects."""
    raw = text()
    one, two = register.pool.unit(kit.NOW), register.pool.unit(kit.NOW)
    made(await intake.add(one, raw, store.REGISTERED))
    second = asyncio.ensure_future(intake.add(two, raw, store.REGISTERED))
    await register.awaited()
    await one.finish()
    assert await second == Objection(Reason.WRONG_STATE)
    await two.finish()


async def test_a_side_agreement_rests_on_another_of_its_municipality(register: Register) -> None:
    """One that widens what it rests on is not taken in; one that narrows is read as that."""
    base = text()
    await register.standing(base)
    side = text(
        kind="side-agreement", restsOn=base["id"], rules=[dossier_rule(categories={"identity": "authorisation"})]
    )
    await register.standing(side)
    found = {each.id: each for each in await in_force(register)}
    assert found[the_id(side)].narrows == the_id(base)
    assert found[the_id(base)].narrows is None
    wide = text(kind="side-agreement", restsOn=base["id"], rules=[dossier_rule(categories={"family": "authorisation"})])
    assert "/rules Rule dossier widens" in told(await register.add(wide))
    nothing = text(kind="side-agreement", restsOn=str(uuid.uuid4()))
    assert "/restsOn No such agreement is registered." in told(await register.add(nothing))
    elsewhere = text(kind="side-agreement", restsOn=base["id"], municipality="groningen")
    assert "/restsOn That agreement is of another municipality." in told(await register.add(elsewhere))
    on_side = text(kind="commission", restsOn=side["id"])
    assert "/restsOn That is a side agreement itself." in told(await register.add(on_side))


async def test_directors_are_the_parties_that_the_agreement_names(register: Register) -> None:
    """As registered organisations."""
    raw = text()
    raw["parties"][3]["director"] = True
    await register.standing(raw)
    (found,) = await in_force(register)
    assert found.directors == {kit.UTRECHT.id}


async def test_versions_are_parsed_once(register: Register) -> None:
    """What never changes is read once by a process; when it remembers too much it forgets all and reads again."""
    raw = text()
    await register.standing(raw)
    (first,) = await in_force(register)
    (second,) = await in_force(register)
    assert first is second
    agreements._PARSED.update({(str(uuid.uuid4()), 1, ""): first for _ in range(agreements._MOST)})
    other = text()
    await register.standing(other)
    assert {each.id for each in await in_force(register)} == {the_id(raw), the_id(other)}
    assert len(agreements._PARSED) == 2


async def test_a_document_that_was_changed_in_the_database_is_not_used(
    register: Register, database: servers.Database
) -> None:
    """A database administrator who edits a rule brings the exchange to a halt, and does not open it."""
    raw = text()
    await register.standing(raw)
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(
        """UPDATE consent.agreement_version
           SET document = jsonb_set(document, '{rules,0,categories,family}', '"authorisation"')"""
    )
    await connection.close()
    with pytest.raises(AssertionError, match="not the one that was taken in"):
        await in_force(register)


async def test_what_is_shipped_can_be_taken_in_and_signed(register: Register) -> None:
    """Pilot and today, in order, by the organisations that the documents name."""
    named = {party["oin"]: Party(party["slot"]) for raw in shipped.documents() for party in raw["parties"]}
    registered = [kit.organisation(kind, 1000 + place, oin=oin) for place, (oin, kind) in enumerate(named.items())]
    for raw in shipped.documents():
        async with register.unit() as unit:
            made(await intake.add(unit, raw, registered))
            for party in registered:
                if party.oin in {each["oin"] for each in raw["parties"]}:
                    made(await agreements.sign(unit, the_id(raw), raw["version"], party.id, signature(raw), RING))
    by_kind = {each.kind: each for each in registered}
    today = await in_force(register, by_kind[Party.IND], by_kind[Party.NGO])
    pilot = await in_force(register, by_kind[Party.IND], by_kind[Party.NGO], today=date(2019, 12, 31))
    assert ([each.version for each in today], [each.version for each in pilot]) == ([2], [1])
    assert await in_force(register, by_kind[Party.IND], by_kind[Party.DTV], municipality="rotterdam") == ()
