"""Every operation of the API against everybody who may not ask it. The list comes from the API: none escapes.

What is attacked must be what is described, so that a new operation fails here until somebody says who may ask it.
Exemptions stand in this file with their reason, and only shrink.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio

from api.disclosure import authority
from api.vocabulary import Municipality, Party, Reach, Scope
from tests.actor import reasons, refused, told
from tests.authority.attacks import ATTACKS, Attack, staged

if TYPE_CHECKING:
    from tests.actor import Actor
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN_LIST: Final = frozenset({"listCases", "searchCases", "listDossierRequests", "listAdviceRequests", "readEvents"})
"""About nothing in particular: who has no relation gets an empty list."""

OPEN: Final[dict[str, str]] = {
    "openCase": "makes a case of the caller's own",
    "addAgreement": "binds nobody until they sign",
    "listAgreements": "what parties agreed is no secret among them",
    "readAgreement": "the same",
    "listOrganisations": "who takes part is public",
    "readFlow": "figures, small cells suppressed",
    "searchAudit": "supervision is of everything",
    "exportAudit": "the same",
    "listSignals": "the same",
    "decideDelay": "the same, bounded and reviewed",
    "reviewDelay": "the same",
    "listDelays": "the same",
    "readDelay": "the same",
    "reviewEmergency": "the same",
    "listEmergencies": "the same",
    "readReviewedEmergency": "the same",
    "openIdentity": "the same, with a reason that is logged",
    "readAudit": "the same",
    "proveAudit": "the same",
    "proveReceipt": "only who was given the receipt knows its hash",
    "readErasure": "the same; it does not say whose it was",
    "erasePerson": "the operator is party to no case; who asked for it is outside",
    "readCheckpoint": "the same",
    "proveConsistency": "the same",
}
"""Operations that need no relation to anything, and why."""
OPEN_MOST: Final = 24

CASE_LIST: Final = frozenset({"listOutcomes", "listAdvice"})
"""Of one case: who has no relation to it gets the empty list of a case that does not exist."""

NO_CONSENT_NEEDED: Final = {
    "readAdvice": "the agreement waives it: it answers what the person agreed to be asked",
    "listAdvice": "the same",
    "readAdviceEvidence": "the same",
}
SEEN_BARE: Final = frozenset({"readAdmission", "readDossierRequest", "readAdviceRequest"})
"""Addressed to the one who asks, who knows of it: seen without anything that may not cross."""
SAYS_WHY: Final = frozenset({"previewDossierRequest", "readDossier", "readManifest", "listDocuments", "readDocument"})
"""Asked by the NGO that guides the person, which may know of consent."""

SIGNED_ANEW: Final = frozenset({"readConsentReceipt"})
"""Never the same twice."""

each = pytest.mark.parametrize("name", ATTACKS)
crossing = pytest.mark.parametrize(
    "name", [name for name, attack in ATTACKS.items() if attack.operation.reach is Reach.CROSSING]
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(exchange: Exchange) -> dict[str, Any]:
    """A case on which everything is there to be taken."""
    return await staged(exchange)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strangers(exchange: Exchange, stage: dict[str, Any]) -> dict[Party, Actor]:
    """One organisation of each kind, with every scope, that has nothing to do with the case."""
    assert stage
    home = frozenset({Municipality.AMSTERDAM})
    return {kind: await exchange.join(f"stranger-{kind}", kind, municipalities=home) for kind in Party}


async def test_what_is_attacked_is_what_is_described(exchange: Exchange) -> None:
    """By id, by method and address, and by scope: a described operation that nobody attacks fails."""
    described = (await exchange.http.get("/v1/openapi.json")).json()["paths"]
    found = {
        operation["operationId"]: (method.upper(), path, operation["security"])
        for path, item in described.items()
        for method, operation in item.items()
        if isinstance(operation, dict) and "operationId" in operation
    }
    assert found.keys() == ATTACKS.keys()
    for name, (method, path, security) in found.items():
        attack = ATTACKS[name]
        assert attack.method == method
        assert security == [{"oauth2": [str(attack.operation.scope)]}]
        assert _shape(attack.path) == _shape(path)
    assert {attack.operation for attack in ATTACKS.values()} == set(authority.OPERATIONS)


def _shape(path: str) -> list[str]:
    return ["{}" if part.startswith("{") or part == "0" else part for part in path.partition("?")[0].split("/")]


async def test_exemptions_only_shrink() -> None:
    assert ATTACKS.keys() >= OPEN.keys() | OWN_LIST | NO_CONSENT_NEEDED.keys() | SAYS_WHY
    assert not OPEN.keys() & OWN_LIST
    assert len(OPEN) <= OPEN_MOST
    assert len(OWN_LIST) <= 5
    assert len(CASE_LIST) <= 2
    assert len(NO_CONSENT_NEEDED) <= 3


@each
async def test_nobody_asks_without_a_token(exchange: Exchange, stage: dict[str, Any], name: str) -> None:
    attack = ATTACKS[name]
    answer = await exchange.http.request(attack.method, f"/v1{attack.path.format(**stage)}")
    refused(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert await exchange.entries_of(answer.headers["request-id"]) == []
    assert "audit-receipt" not in answer.headers


@each
async def test_a_token_without_the_scope_is_refused_and_written_down(
    exchange: Exchange, stage: dict[str, Any], strangers: dict[Party, Actor], name: str
) -> None:
    """One scope per need and none wider (RFC 6750 section 3.1): every other scope together does not suffice."""
    attack = ATTACKS[name]
    kind = exchange.members[attack.by].part.kind
    answer = await attack.made(strangers[kind], stage, scopes=frozenset(Scope) - {attack.operation.scope})
    refused(answer, 403, "insufficient-scope")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert await exchange.is_promised(answer)
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["result"], entry["reason"]) == (
        attack.operation.name,
        "refused",
        "insufficient-scope",
    )
    assert "person" not in entry


@each
async def test_a_party_of_another_kind_is_refused_and_learns_nothing(
    exchange: Exchange, stage: dict[str, Any], strangers: dict[Party, Actor], name: str
) -> None:
    """What is there and what is not are one to it, and the log says who tried."""
    attack = ATTACKS[name]
    for kind in set(Party) - attack.operation.parties:
        there = await attack.made(strangers[kind], stage)
        refused(there, 403, "wrong-party")
        nothing = await attack.made_of_nothing(strangers[kind], stage)
        assert told(there) == told(nothing)
        entry, absent = [await exchange.entry(one.headers["request-id"]) for one in (there, nothing)]
        assert (entry.keys(), entry["object"].keys()) == (absent.keys(), absent["object"].keys())
        assert (entry["action"], entry["result"], entry["reason"]) == (attack.operation.name, "refused", "wrong-party")
        assert not entry.keys() & {"person", "persons", "disclosed", "withheld"}


@each
async def test_who_has_nothing_to_do_with_it_finds_nothing(
    exchange: Exchange, stage: dict[str, Any], strangers: dict[Party, Actor], name: str
) -> None:
    """No relation is as absent: in status, body and headers, and in an entry that names nobody."""
    attack = ATTACKS[name]
    if name in OPEN:
        return
    for kind in attack.operation.parties:
        there = await attack.made(strangers[kind], stage)
        nothing = await attack.made_of_nothing(strangers[kind], stage)
        entry = await exchange.entry(there.headers["request-id"])
        assert not entry.keys() & {"person", "persons", "disclosed"}
        if name in OWN_LIST | CASE_LIST:
            assert there.json()["items"] == []
            assert told(there) == told(nothing)
            continue
        if name == "signAgreement":
            refused(there, 403, "wrong-party")
            continue
        refused(there, 404, "not-found")
        assert told(there) == told(nothing)
        absent = await exchange.entry(nothing.headers["request-id"])
        assert (entry.keys(), entry["object"].keys()) == (absent.keys(), absent["object"].keys())
        assert (entry["result"], entry["reason"]) == ("refused", "not-found")


@crossing
async def test_nothing_crosses_where_nothing_is_agreed(exchange: Exchange, unagreed: dict[str, Any], name: str) -> None:
    """A signature taken back ends it: whatever was consented to, asked and delivered before."""
    attack = ATTACKS[name]
    answer = await attack.made(exchange.actor(attack.by), unagreed)
    if name in SEEN_BARE:
        assert answer.status_code == 200
    elif name in CASE_LIST:
        assert (answer.status_code, answer.json()["items"]) == (200, [])
    elif name == "readOutcome":
        refused(answer, 404, "not-found")
    else:
        assert set(_why(attack, answer).values()) == {"no-agreement"}
    assert "disclosed" not in await exchange.entry(answer.headers["request-id"])


@crossing
async def test_nothing_crosses_without_a_word_of_the_person(
    exchange: Exchange, unconsented: dict[str, Any], name: str
) -> None:
    """The NGO that guides learns why; to everybody else it is as absent."""
    attack = ATTACKS[name]
    actor = exchange.actor(attack.by)
    answer = await attack.made(actor, unconsented)
    if name in NO_CONSENT_NEEDED:
        assert answer.status_code == 200
        return
    assert "disclosed" not in await exchange.entry(answer.headers["request-id"])
    if name in SEEN_BARE:
        assert answer.status_code == 200
    elif name in SAYS_WHY:
        assert set(_why(attack, answer).values()) == {"consent-never-asked"}
    else:
        refused(answer, 404, "not-found")
        assert told(answer) == told(await attack.made_of_nothing(actor, unconsented))


async def test_who_may_ask_gets_an_answer(exchange: Exchange, stage: dict[str, Any]) -> None:
    """Last, since it changes the stage: each attack is a request that works when the right party makes it.

    And each leaves exactly one entry in the whole log, also a preview, an act of administration, and an auditor's look.
    """
    for name, attack in ATTACKS.items():
        before = await _length(exchange)
        answer = await attack.made(exchange.actor(attack.by), stage)
        assert answer.status_code in {200, 201, 204}, (name, answer.text)
        assert await _length(exchange) == before + 1, name
        assert await exchange.is_promised(answer), name
        entry, member = await exchange.entry(answer.headers["request-id"]), exchange.members[attack.by]
        assert (entry["action"], entry["result"], "reason" in entry) == (attack.operation.name, "permitted", False)
        assert entry["actor"] == {
            "organisation": str(member.organisation_id),
            "kind": str(member.part.kind),
            "client": member.client_id,
        } | ({} if attack.person is None else {"person": attack.person})
        crosses = attack.operation.reach is Reach.CROSSING
        assert (entry.keys() >= {"purpose", "ground", "agreements", "person"}) is crosses, name
        assert stage["number"] not in str(entry)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unconsented(exchange: Exchange) -> dict[str, Any]:
    """A case in which the person was asked nothing."""
    return await staged(exchange, consented=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unagreed(exchange: Exchange) -> dict[str, Any]:
    """A case in which everything was consented to, asked and delivered, before the IND took its signature back."""
    made = await staged(exchange, municipality=Municipality.GRONINGEN)
    await exchange.revoke(Municipality.GRONINGEN, "ind")
    return made


async def test_who_looks_again_leaves_an_entry_too(exchange: Exchange, stage: dict[str, Any]) -> None:
    """304 discloses that nothing changed: whoever asks by `If-None-Match`, or by HEAD, is in the log like any other."""
    looked = 0
    for name, attack in ATTACKS.items():
        actor = exchange.actor(attack.by)
        if (
            attack.method != "GET"
            or name in SIGNED_ANEW
            or "etag" not in (shown := await attack.made(actor, stage)).headers
        ):
            continue
        same = {"If-None-Match": shown.headers["etag"]}
        for method, headers, status in (("GET", same, 304), ("HEAD", {}, 200), ("HEAD", same, 304)):
            before = await _length(exchange)
            again = await replace(attack, method=method, headers=headers).made(actor, stage)
            assert (again.status_code, again.content) == (status, b""), (name, method)
            assert await _length(exchange) == before + 1, (name, method)
            assert await exchange.is_promised(again), (name, method)
            entry = await exchange.entry(again.headers["request-id"])
            assert (entry["action"], entry["result"]) == (attack.operation.name, "permitted")
        looked += 1
    assert looked >= 8


async def _length(exchange: Exchange) -> int:
    """How many entries there are, but those of tokens: an actor may have to get one first."""
    (row,) = await exchange.rows(
        "SELECT count(*) AS entries FROM audit.entry WHERE position('\"oauth.issue-token\"'::bytea IN leaf) = 0"
    )
    found: int = row["entries"]
    return found


def _why(attack: Attack, answer: Any) -> dict[str, str]:
    if attack.operation is authority.PREVIEW_DOSSIER:
        lines = answer.json()["lines"]
        assert not any(line["permitted"] for line in lines)
        return {line["category"]: line["reason"] for line in lines}
    refused(answer, 403, "not-permitted")
    return reasons(answer)
