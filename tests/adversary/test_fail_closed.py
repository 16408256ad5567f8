"""When something that the service rests on fails, nothing is disclosed: no entry, no key, no whole row, no answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
import pytest
import structlog

from api.crypto import keyfile
from api.crypto.choice import Kind
from api.sandbox.cast import SECTIONS
from api.vocabulary import DataCategory, Purpose
from tests import exchange as world
from tests import key_services
from tests.actor import reasons, refused
from tests.custody_kit import custody
from tests.dealings import ORDINARY, Dealings, v_number, wire
from tests.held import NAME, SCREENING, Held

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers
    from tests.exchange import Exchange, Furnished

DENIED: Final = """
CREATE FUNCTION audit.deny() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'denied'; END $$;
CREATE TRIGGER deny BEFORE INSERT ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.deny();
"""
DENIED_AT_COMMIT: Final = """
CREATE FUNCTION audit.deny() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not committed'; END $$;
CREATE CONSTRAINT TRIGGER deny AFTER INSERT ON audit.entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit.deny();
"""
DISK_FULL: Final = DENIED.replace("'denied'", "'no space left' USING ERRCODE = 'disk_full'")
ALLOWED: Final = "DROP TRIGGER deny ON audit.entry; DROP FUNCTION audit.deny();"
REVOKED: Final = "REVOKE INSERT ON audit.entry FROM {role}; REVOKE INSERT (leaf) ON audit.entry FROM {role};"


async def damage(database: servers.Database, sql: str) -> None:
    """Do what only a superuser can."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    try:
        await superuser.execute(sql)
    finally:
        await superuser.close()


@pytest.mark.parametrize(
    "fault", [DENIED, DENIED_AT_COMMIT, DISK_FULL, REVOKED], ids=["denied", "at-commit", "disk-full", "revoked"]
)
async def test_what_cannot_be_written_down_is_not_disclosed(
    exchange: Exchange, own: servers.Database, fault: str
) -> None:
    """Design promise 2: no disclosure without an entry, committed before the first byte leaves."""
    held = await Held.of(exchange)
    with structlog.testing.capture_logs() as logged:
        await damage(own, fault.format(role=own.app_role))
        entries = len(await exchange.leaves())
        for answer in await held.asked():
            held.closed(answer)
            assert fault is not DISK_FULL or (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert len(await exchange.leaves()) == entries
    for word in (NAME, str(held.dealings.case.v_number)):
        assert word not in str(logged)


@pytest.mark.parametrize("fault", [DENIED, DENIED_AT_COMMIT, DISK_FULL], ids=["denied", "at-commit", "disk-full"])
async def test_a_deed_that_cannot_be_written_down_is_not_done(
    exchange: Exchange, own: servers.Database, fault: str
) -> None:
    """What is not committed is never acknowledged; its key is free, and the same request is done once all is well."""
    held = await Held.of(exchange)
    ngo, number = exchange.actor("ngo"), v_number()
    new = {"municipality": "utrecht", "vNumber": number, "functions": ["coordination"]}
    withdrawal = f"/consents/{held.dealings.consents['ordinary'].id}/withdrawals"
    await damage(own, fault)
    events = await exchange.rows("SELECT count(*) AS n FROM exchange.event")
    for path, body, key in (("/cases", new, "key-of-the-case"), (withdrawal, {}, "key-of-the-withdrawal")):
        held.closed(await ngo.post(path, body, key=key))
    await damage(own, ALLOWED)
    assert await exchange.rows("SELECT count(*) AS n FROM exchange.event") == events
    assert (await ngo.post("/cases/_search", {"vNumber": number})).json()["items"] == []
    consent = await exchange.ngo.consents.read(held.dealings.consents["ordinary"].id)
    assert consent.value.state == "given"
    again = await ngo.post("/cases", new, key="key-of-the-case")
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)


async def test_with_the_keys_of_another_service_nothing_opens(
    furnished: Furnished, own: servers.Database, exchange: Exchange, tmp_path: Path
) -> None:
    """A stolen database is useless: without its own key-encryption key no content is shown, and no fault says why."""
    held = await Held.of(exchange)
    keyfile.create(tmp_path / "others")
    async with world.running(own, tmp_path, furnished.members, keyfile.load(tmp_path / "others")) as other:
        there = replace(held, exchange=other)
        ngo, ind = other.actor("ngo"), other.actor("ind")
        for answer in (
            await ngo.get(f"/dossiers/{held.dossier}", purpose=SCREENING),
            await ind.get(f"/dossiers/{held.dossier}"),
            await ngo.get(f"/cases/{held.dealings.id}"),
            await ind.get(f"/screening-outcomes/{held.outcome}", purpose=Purpose.RESIDENCE_ADVICE),
            await ngo.get(f"/advice/{held.advice}", purpose=Purpose.RESIDENCE_ADVICE),
        ):
            there.closed(answer)
        number = held.dealings.case.v_number
        assert (await ngo.post("/cases/_search", {"vNumber": number})).json()["items"] == []


async def two_dossiers(exchange: Exchange) -> tuple[str, str, str]:
    """Dossiers of two persons, both consented and whole; and a second one of the first, with a request still open."""
    first, second = [await (await Dealings.begin(exchange)).consented() for _ in range(2)]
    one, two, more = [str(await each.dossier()) for each in (first, second, first)]
    await first.requested()
    return one, two, more


SECTION: Final = (
    "SELECT content FROM exchange.dossier_section WHERE dossier_id = '{dossier}' AND category = '{category}'"
)
TAMPERING: Final = {
    "swapped between persons": """
        UPDATE exchange.dossier_section SET content = ({theirs}) WHERE dossier_id = '{one}' AND category = 'identity'
    """,
    "swapped between sections": """
        UPDATE exchange.dossier_section SET content = ({contact}) WHERE dossier_id = '{one}' AND category = 'identity'
    """,
    "nulled": """
        ALTER TABLE exchange.dossier_section ALTER COLUMN content DROP NOT NULL;
        UPDATE exchange.dossier_section SET content = NULL WHERE dossier_id = '{one}' AND category = 'identity'
    """,
    "one bit turned": """
        UPDATE exchange.dossier_section SET content = set_bit(content, 8 * 20, 1 - get_bit(content, 8 * 20))
        WHERE dossier_id = '{one}' AND category = 'identity'
    """,
    "cut short": """
        UPDATE exchange.dossier_section SET content = substring(content for octet_length(content) - 1)
        WHERE dossier_id = '{one}' AND category = 'identity'
    """,
    "given another category": """
        DELETE FROM exchange.dossier_section WHERE dossier_id = '{one}' AND category = 'contact';
        UPDATE exchange.dossier_section SET category = 'contact' WHERE dossier_id = '{one}' AND category = 'medical'
    """,
    "moved to another dossier": """
        DELETE FROM exchange.dossier_section WHERE dossier_id = '{one}' AND category = 'identity';
        UPDATE exchange.dossier_section SET dossier_id = '{one}' WHERE dossier_id = '{two}' AND category = 'identity'
    """,
    "moved to another dossier of the same person": """
        DELETE FROM exchange.dossier_section WHERE dossier_id = '{one}' AND category = 'identity';
        UPDATE exchange.dossier_section SET dossier_id = '{one}' WHERE dossier_id = '{more}' AND category = 'identity'
    """,
    "withheld by deletion": """
        DELETE FROM exchange.dossier_section WHERE dossier_id = '{one}' AND category = 'procedure-history'
    """,
    "a dossier moved to another request": """
        UPDATE exchange.dossier SET request_id = (SELECT r.id FROM exchange.dossier_request r
            LEFT JOIN exchange.dossier d ON d.request_id = r.id WHERE d.id IS NULL) WHERE id = '{one}'
    """,
    "under the key of another person": """
        UPDATE keys.person_key SET wrapped = (SELECT k.wrapped FROM keys.person_key k JOIN exchange.dossier_request r
            ON r.person_id = k.person_id JOIN exchange.dossier d ON d.request_id = r.id WHERE d.id = '{two}')
        WHERE person_id = (SELECT r.person_id FROM exchange.dossier_request r
            JOIN exchange.dossier d ON d.request_id = r.id WHERE d.id = '{one}')
    """,
    "without a key": """
        DELETE FROM keys.person_key WHERE person_id = (SELECT r.person_id FROM exchange.dossier_request r
            JOIN exchange.dossier d ON d.request_id = r.id WHERE d.id = '{one}')
    """,
}


@pytest.mark.parametrize("how", TAMPERING)
async def test_a_section_that_was_tampered_with_is_not_shown(
    exchange: Exchange, own: servers.Database, how: str
) -> None:
    """Sealed bytes are bound to person, table, column and row: swapped, nulled and moved ones are refused."""
    one, two, more = await two_dossiers(exchange)
    ngo = exchange.actor("ngo")
    assert (await ngo.get(f"/dossiers/{one}", purpose=SCREENING)).status_code == 200
    theirs = SECTION.format(dossier=two, category="identity")
    contact = SECTION.format(dossier=one, category="contact")
    await damage(own, TAMPERING[how].format(one=one, two=two, more=more, theirs=theirs, contact=contact))
    with structlog.testing.capture_logs() as logged:
        for actor, asked in ((ngo, {"purpose": SCREENING}), (exchange.actor("ind"), {})):
            answer = await actor.get(f"/dossiers/{one}", **asked)
            assert answer.status_code in {500, 503}, answer.text
            assert NAME not in answer.text
            assert "sections" not in answer.text
    assert NAME not in str(logged)
    untouched = await ngo.get(f"/dossiers/{two}", purpose=SCREENING)
    if how != "moved to another dossier":
        assert {each["category"] for each in untouched.json()["sections"]} == {str(each) for each in SECTIONS}


async def test_a_dossier_put_back_whole_is_told_by_the_log(exchange: Exchange, own: servers.Database) -> None:
    """Every byte is genuine, the seal included: but the log names version and seal of each read, and they go back."""
    dealings = await (await Dealings.begin(exchange)).consented()
    request = await dealings.requested()
    dossier = (await dealings.delivered(request, complete=False)).dossier_id
    kept = "CREATE TABLE public.{0} AS SELECT * FROM exchange.{0};"
    await damage(own, kept.format("dossier") + kept.format("dossier_section"))
    entries = []
    for step in range(3):
        answer = await exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose=SCREENING)
        assert answer.status_code == 200
        entries.append(await exchange.entry(answer.headers["request-id"]))
        if step == 0:
            await dealings.delivered(request, complete=False)
        else:
            await damage(own, PUT_BACK)
    assert [each["object"]["version"] for each in entries] == [1, 2, 1]
    old, new, again = (each["seals"][f"exchange.dossier/{dossier}"] for each in entries)
    assert old == again != new


PUT_BACK: Final = """
UPDATE exchange.dossier d SET (version, seal, complete) = (o.version, o.seal, o.complete)
    FROM public.dossier o WHERE o.id = d.id;
DELETE FROM exchange.dossier_section; INSERT INTO exchange.dossier_section SELECT * FROM public.dossier_section;
"""


async def test_whose_key_is_gone_is_gone(exchange: Exchange, own: servers.Database) -> None:
    """Erasure destroys the key: what was sealed under it opens for nobody, and no answer is half of it."""
    held = await Held.of(exchange)
    check = await held.dealings.check()
    await damage(own, "DELETE FROM keys.person_key")
    ngo, ind = exchange.actor("ngo"), exchange.actor("ind")
    for answer in (
        await ngo.get(f"/dossiers/{held.dossier}", purpose=SCREENING),
        await ind.get(f"/screening-outcomes/{held.outcome}", purpose=Purpose.RESIDENCE_ADVICE),
        await ngo.get(f"/advice/{held.advice}", purpose=Purpose.RESIDENCE_ADVICE),
        await ind.get(f"/admission-checks/{check.id}", purpose=Purpose.ADMISSION),
    ):
        held.closed(answer)
    assert (await ngo.get(f"/cases/{held.dealings.id}")).json()["vNumber"] is None


async def test_a_failure_after_the_entry_takes_back_what_the_entry_said(
    exchange: Exchange, own: servers.Database
) -> None:
    """The entry commits before the content is opened: the log may say more than what left, and never less.

    So such a request has two entries, in this order: that it was about to be disclosed, and that it was not. And a
    receipt for each: whoever removes either breaks a promise.
    """
    one, *_ = await two_dossiers(exchange)
    await damage(own, TAMPERING["one bit turned"].format(one=one))
    answer = await exchange.actor("ngo").get(f"/dossiers/{one}", purpose=SCREENING)
    assert answer.status_code == 500
    assert await exchange.is_promised(answer, entries=2)
    about, taken_back = await exchange.entries_of(answer.headers["request-id"])
    assert (about["result"], taken_back["result"]) == ("permitted", "failed")
    assert about["disclosed"]
    assert about["action"] == taken_back["action"]
    assert {"disclosed", "person", "withheld"}.isdisjoint(taken_back)


async def test_a_database_that_is_gone_answers_nothing(exchange: Exchange, own: servers.Database) -> None:
    """Something that the service needs does not answer: without it nothing is disclosed."""
    held = await Held.of(exchange)
    await damage(own, f'REVOKE CONNECT ON DATABASE "{own.name}" FROM PUBLIC, {own.app_role}')
    await damage(
        own,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    for answer in await held.asked():
        held.closed(answer)


async def test_a_key_service_that_is_away_opens_nothing_and_says_when_to_come_back(
    furnished: Furnished, own: servers.Database, tmp_path: Path
) -> None:
    """Moved from the key file to a service while others read; then the service is sealed, and comes back.

    Nobody is found meanwhile, and whether there is such a person makes no difference.
    """
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (kept, double):
        keys = keyfile.load(kept.file)
        async with world.running(own, tmp_path, furnished.members, keys) as filed:
            held = await Held.of(filed)
        async with world.running(own, tmp_path, furnished.members, keys, **kept.settings) as exchange:
            there, ngo = replace(held, exchange=exchange), exchange.actor("ngo")
            async with custody(exchange, own, kept.file, kept.chosen) as custodian:
                await custodian.keys().renew("")
                await there.open()
                (before,) = {row["kek"] for row in await custodian.rows("SELECT kek FROM keys.person_key")}
                assert await custodian.rotate_kek() == "transit:k-0001"
                await custodian.destroy(before)
                assert before not in keyfile.load(kept.file).ring.keks
                assert await custodian.rotate_index() == 1
                assert not keyfile.load(kept.file).blind_index
            await there.open()
            known, unknown = ({"vNumber": each} for each in (held.dealings.case.v_number, v_number()))
            new = {"municipality": "utrecht", "functions": ["coordination"]}
            assert len((await ngo.post("/cases/_search", known)).json()["items"]) == 1
            double.words = 503, b'{"errors":["Vault is sealed"]}'
            with structlog.testing.capture_logs() as logged:
                for answer in (
                    await ngo.get(f"/dossiers/{held.dossier}", purpose=SCREENING),
                    await exchange.actor("ind").get(f"/dossiers/{held.dossier}"),
                    *[await ngo.post("/cases/_search", each) for each in (known, unknown)],
                    *[
                        await ngo.post("/cases", new | each, key=f"key-of-{each['vNumber']}")
                        for each in (known, unknown)
                    ],
                ):
                    there.closed(answer)
                    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert str(known["vNumber"]) not in str(logged)
            double.words = None
            await there.open()
            assert len((await ngo.post("/cases/_search", known)).json()["items"]) == 1


async def test_what_takes_a_yes_away_works_though_a_no_was_put_aside_by_nobody(exchange: Exchange) -> None:
    """Nothing is shown and no yes is taken in; whoever runs the service is told, and not about whom."""
    dealings, ngo = await (await Dealings.begin(exchange)).consented(), exchange.actor("ngo")
    dossier, yes = await dealings.dossier(), dealings.consents["special"].id
    other = dealings.consents["ordinary"].id
    no = (await dealings.consent(SCREENING, "ngo", [DataCategory.MEDICAL], given=False)).id
    await exchange.rows(
        "INSERT INTO consent.supersession (id, consent_id, superseded_id, version, seal)"
        " VALUES (gen_random_uuid(), $1, $2, 1, sha256('nobody'))",
        yes,
        no,
    )
    fresh = wire(dealings.new_consent(SCREENING, "ngo", ORDINARY))
    again = {name: fresh[name] for name in ("validUntilAt", "evidence")}
    with structlog.testing.capture_logs() as logged:
        for answer in (
            await ngo.get(f"/consents?caseId={dealings.id}"),
            await ngo.get(f"/consents/{other}"),
            await ngo.get(f"/consents/{other}/receipt"),
            await ngo.post("/consents", fresh),
            await ngo.post(f"/consents/{other}/reconfirmations", again),
        ):
            refused(answer, 500, "internal")
            assert (await exchange.entry(answer.headers["request-id"]))["result"] == "failed"
    told_of = {"event": "put-aside-by-nobody", "log_level": "error"}
    assert logged == [told_of] * 5
    never = fresh | {"given": False, "kind": "explicit-consent", "categories": ["detention"]}
    with structlog.testing.capture_logs() as logged:
        for path, body, state_of_it in (
            (f"/consents/{yes}/withdrawals", {}, "withdrawn"),
            (f"/consents/{other}/invalidations", {"reason": "Typed wrong."}, "invalidated"),
            ("/consents", never, "refused"),
        ):
            key = str(uuid4())
            for replayed in (None, "true"):
                answer = await ngo.post(path, body, key=key)
                assert (answer.status_code, answer.json()["state"]) == (201, state_of_it)
                assert answer.headers.get("idempotency-replayed") == replayed
    assert logged == [told_of] * 3
    closed = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
    refused(closed, 403, "not-permitted")
    assert reasons(closed)["medical"] == "consent-withdrawn"
