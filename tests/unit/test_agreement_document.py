"""Agreements as documents: what is taken in, what is refused, and in which words."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from api.consent import document, soundness
from api.consent.document import AgreementDocument
from api.consent.model import Fault, Objection
from api.sandbox import agreements as shipped
from api.vocabulary import CareFunction, DataCategory, Municipality, Party, Purpose, Reason
from tests import consent_kit as kit

ALL = [(edition, each) for edition in shipped.EDITIONS for each in shipped.documents(edition)]


def small() -> dict[str, Any]:
    """A document with little in it: an NGO and IND, one rule."""
    return {
        "id": "5cbbfd8a-3b0d-5900-9a0a-4926ec7f885a",
        "version": 1,
        "kind": "data-sharing",
        "municipality": "utrecht",
        "title": "A small agreement",
        "validFrom": "2026-01-01",
        "parties": [
            {"slot": "ngo", "name": "NGO", "oin": "00000099000000000001"},
            {"slot": "ind", "name": "IND", "organisationId": "00000000-0000-0000-0000-000000000003"},
        ],
        "controllers": [
            {"slot": "ngo", "responsibleFor": "What it asks."},
            {"slot": "ind", "responsibleFor": "What it gives."},
        ],
        "processor": {"name": "Ketenbrug", "contract": "GDPR article 28"},
        "dpia": {"reference": "DPIA 1", "state": "Done."},
        "rules": [
            {
                "id": "dossier",
                "from": "ind",
                "to": "ngo",
                "functions": ["legal-screening"],
                "purpose": "legal-screening",
                "ground": "vw-107-8",
                "exceptions": ["avg-9-2-a", "uavg-32-a"],
                "categories": {"identity": "authorisation", "medical": "explicit-consent"},
                "retention": "P5Y",
            }
        ],
    }


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """The small document with one member changed; `...` removes it."""
    raw = copy.deepcopy(small())
    at: Any = raw
    for step in path[:-1]:
        at = at[step]
    if to is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return raw


def with_rule(**changes: Any) -> dict[str, Any]:
    """The small document with members of its rule changed; None removes one."""
    raw = small()
    raw["rules"][0] = {k: v for k, v in (raw["rules"][0] | changes).items() if v is not None}
    return raw


def faults(raw: object) -> list[Fault]:
    """What is wrong with it."""
    read = document.read(raw)
    assert isinstance(read, Objection)
    assert read.reason is Reason.AGREEMENT_INVALID
    return list(read.faults)


def sentences(raw: object) -> str:
    """What is wrong with it, in words."""
    return " ".join(fault.sentence for fault in faults(raw))


def read(raw: object) -> AgreementDocument:
    """The document, which must be sound."""
    made = document.read(raw)
    assert isinstance(made, AgreementDocument), made
    return made


@pytest.mark.parametrize("raw", [raw for _, raw in ALL], ids=[f"{e} {raw['municipality']}" for e, raw in ALL])
def test_what_is_shipped_is_sound(raw: dict[str, Any]) -> None:
    """Each agreement of the sandbox is taken in, says what is made up, and names no term without saying so."""
    made = read(raw)
    notes = " ".join(made.notes)
    assert "sandbox's" in notes
    assert "19041" in notes
    assert not made.terms or "neither the evaluation nor a covenant that we know names days" in notes


def test_the_pilot_is_history_and_each_municipality_has_one_in_force_today() -> None:
    """State funding ended on 1 January 2025; what holds since is another version, or another agreement."""
    for edition, raw in ALL:
        value = read(raw).value()
        today = value.stands(Municipality(raw["municipality"]), kit.NOW.date())
        assert today is (edition == "2026")
        assert (value.valid_until is None) is today
        assert bool(value.terms) is today
    for edition in shipped.EDITIONS:
        assert {raw["municipality"] for raw in shipped.documents(edition)} == set(Municipality)


def test_rotterdam_stopped_and_keeps_what_the_law_gives() -> None:
    """No director, no DT&V, no AVIM: an NGO and IND under Aliens Act article 107(8)."""
    (raw,) = (each for each in shipped.documents("2026") if each["municipality"] == "rotterdam")
    made = read(raw)
    assert {party.slot for party in made.parties} == {Party.NGO, Party.IND}
    assert not any(party.director for party in made.parties)


def test_a_document_becomes_rules() -> None:
    """As the decision takes them."""
    raw = small() | {
        "terms": {"delivery": {"workingDays": 15}, "screening": {"workingDays": 30, "waitsFor": "delivery"}}
    }
    value = read(raw).value([kit.UTRECHT.id])
    (rule,) = value.rules
    assert rule.consents == {DataCategory.IDENTITY: kit.A, DataCategory.MEDICAL: kit.E}
    assert value.terms == {"delivery": 15, "screening": 30}
    assert value.waits_for == {"screening": "delivery"}
    assert value.directors == {kit.UTRECHT.id}
    assert value.narrows is None
    waived = read(with_rule(categories={"identity": "none"}, motive="Because.")).value()
    assert waived.rules[0].consents == {DataCategory.IDENTITY: None}
    on = "9a016a7b-5628-56c4-b1c7-40a8e1639b29"
    side = read(small() | {"kind": "side-agreement", "restsOn": on}).value()
    assert str(side.narrows) == on
    assert read(small() | {"kind": "commission", "restsOn": on}).value().narrows is None


def test_every_fault_is_told_at_once_and_where_it_is() -> None:
    """Shape and meaning together, as JSON pointers and sentences."""
    raw = with_rule(purpose="enforcement", ground="public-task", retention="five years")
    raw["version"] = "1"
    raw["surprise"] = True
    raw["rules"].append(with_rule(purpose="enforcement", ground="avg-15")["rules"][0])
    places = {fault.place for fault in faults(raw)}
    assert places == {"/version", "/surprise", "/rules/0/retention", "/rules/1"}
    told = sentences(raw)
    assert "Data given for help is never used for enforcement" in told
    assert "avg-15 is the person's own right" in told


@pytest.mark.parametrize("raw", [[], "text", None, {"id": {1, 2}}, {"title": "\ud800"}, {1: 2}])
def test_what_is_no_document_is_refused(raw: object) -> None:
    """Anything that is not JSON, or another JSON."""
    assert faults(raw)


def test_a_document_has_a_size() -> None:
    """Nobody signs a library."""
    assert "bytes at most" in sentences(small() | {"notes": ["x" * 1000] * 300})


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (with_rule(purpose="enforcement"), "never used for enforcement"),
        (with_rule(purpose="emergency"), "An emergency is declared when it is there"),
        (with_rule(to="auditor", functions=None, ground="public-task", article="1"), "auditor neither gives nor gets"),
        (with_rule(**{"from": "operator"}, ground="public-task", article="1"), "operator neither gives nor gets"),
        (with_rule(**{"from": "ngo"}), "vw-107-8 carries from IND, DT&V or AVIM to an NGO"),
        (with_rule(ground="vw-107-4"), "vw-107-4 carries from IND, DT&V or AVIM to a government body"),
        (with_rule(ground="vital-interest"), "vital-interest is for an emergency"),
        (with_rule(ground="public-task"), "needs the article that gives the task"),
        (with_rule(functions=None), "names functions if an NGO gets"),
        (
            with_rule(to="municipality", ground="vw-107-4", categories={"identity": "none"}),
            "names functions if an NGO gets",
        ),
        (
            with_rule(to="dtv", functions=None, ground="vw-107-4", categories={"hearings": "explicit-consent"}),
            "hearings never goes to dtv",
        ),
        (with_rule(exceptions=["uavg-32-a"]), "name an exception that lifts the prohibition (avg-9-2-a or"),
        (with_rule(exceptions=None), "medical is special data"),
        (with_rule(categories={"medical": "authorisation"}), "to an NGO it needs explicit-consent"),
        (
            with_rule(to="municipality", functions=None, ground="vw-107-4", categories={"decisions": "none"}),
            "avg-9-2-a is explicit-consent, so ask for it",
        ),
        (with_rule(categories={"identity": "none"}), "for identity needs a motive"),
        (with_rule(categories={"identity": "perhaps"}), "none"),
        (with_rule(categories={}), "at least 1"),
        (with_rule(retention="P"), "at least 3"),
        (with_rule(id="Not A Name"), "match pattern"),
        (changed("title", to="two\nlines"), "match pattern"),
        (changed("validUntil", to="2025-12-31"), "validUntil is before validFrom"),
        (changed("kind", to="side-agreement"), "A side agreement rests on another"),
        (changed("kind", to="covenant"), "names at least one director"),
        (
            small() | {"kind": "covenant", "restsOn": "9a016a7b-5628-56c4-b1c7-40a8e1639b29"},
            "A covenant rests on nothing",
        ),
        (changed("parties", 0, "oin", to=...), "by its OIN or by its organisationId"),
        (changed("parties", 1, "oin", to="00000099000000000003"), "by its OIN or by its organisationId"),
        (changed("parties", 1, to=small()["parties"][0]), "An organisation is party once"),
        (changed("parties", 1, "slot", to="dtv"), "Rules speak of ind, but no party stands in that slot"),
        (changed("controllers", 1, to=small()["controllers"][0]), "say in controllers what it answers for"),
        (changed("rules", to=small()["rules"] * 2), "Two rules have the id dossier"),
        (
            with_rule(**{"from": "ngo"}, ground="public-task", article="1"),
            "goes from ngo to ngo, but there is only one",
        ),
        (changed("terms", to={"screening": {"workingDays": 5, "waitsFor": "delivery"}}), "which is not agreed"),
        (changed("terms", to={"screening": {"workingDays": 5, "waitsFor": "screening"}}), "waits for itself"),
        (changed("terms", to={"screening": {"workingDays": 0}}), "greater than or equal to 1"),
        (changed("terms", to={"screening": {"workingDays": 5.0}}), "valid integer"),
    ],
)
def test_what_an_agreement_may_not_say(raw: dict[str, Any], told: str) -> None:
    """Hard limits are refused when the document is taken in, in a sentence."""
    assert told in sentences(raw)


def test_terms_may_not_wait_in_a_circle() -> None:
    """Screening waits for delivery, so delivery does not wait for screening, over no detour either."""
    names = ("delivery", "screening", "advice")
    circle = {
        name: {"workingDays": 5, "waitsFor": other} for name, other in zip(names, (*names[1:], names[0]), strict=True)
    }
    assert sentences(changed("terms", to=circle)).count("waits for itself") == 3
    onto = {
        "delivery": {"workingDays": 5, "waitsFor": "delivery"},
        "advice": {"workingDays": 5, "waitsFor": "delivery"},
    }
    assert sentences(changed("terms", to=onto)) == "The term delivery waits for itself."


def test_care_and_legal_claims_lift_without_consent_for_authorities() -> None:
    """Where the exception is not consent itself, the agreement may ask less; between authorities without a motive."""
    raw = with_rule(
        to="municipality",
        functions=None,
        ground="vw-107-4",
        exceptions=["uavg-30-3-a", "uavg-32-d"],
        categories={"medical": "none", "detention": "authorisation"},
    )
    raw["parties"].append({"slot": "municipality", "name": "Utrecht", "oin": "00000099000000000006"})
    raw["controllers"].append({"slot": "municipality", "responsibleFor": "Admission."})
    assert read(raw).rules[0].value().consents == {DataCategory.MEDICAL: None, DataCategory.DETENTION: kit.A}


def test_a_side_agreement_that_widens_is_told_which_rule_does() -> None:
    """Fewer categories, fewer functions, and no other crossing."""
    base = kit.agreement(kit.rule(DataCategory.IDENTITY, DataCategory.CONTACT))
    narrow = kit.agreement(kit.rule(DataCategory.IDENTITY))
    assert list(soundness.widening(narrow, base)) == []
    wide = kit.agreement(
        kit.rule(DataCategory.IDENTITY, DataCategory.FAMILY, id="more"),
        kit.rule(DataCategory.IDENTITY, id="elsewhere", purpose=Purpose.ADMISSION),
        kit.rule(DataCategory.IDENTITY, id="others", functions=kit.rule().functions | {CareFunction.SHELTER}),
    )
    told = list(soundness.widening(wide, base))
    assert [each.split()[1] for each in told] == ["more", "elsewhere", "others"]
    anyhow = kit.agreement(kit.rule(DataCategory.IDENTITY, functions=frozenset()))
    assert list(soundness.widening(narrow, anyhow)) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=20,
)


@given(json_values)
def test_the_fast_encoder_gives_the_canonical_form(value: object) -> None:
    """RFC 8785, for whole numbers and ASCII names, which is all that a document has."""
    assert document.canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_canonical_bytes_do_not_depend_on_how_a_document_was_written() -> None:
    """Spaces and the order of members are not part of what is signed; the order of a list is."""
    raw = small()
    backwards = dict(reversed(list(raw.items())))
    assert document.canonical(orjson.loads(orjson.dumps(backwards, option=orjson.OPT_INDENT_2))) == document.canonical(
        raw
    )
    assert document.canonical(changed("parties", to=small()["parties"][::-1])) != document.canonical(raw)


def test_the_digest_of_a_document_is_frozen() -> None:
    """What parties signed years ago must have the same bytes for ever."""
    assert document.digest(document.canonical(small())).hex() == GOLDEN


GOLDEN = "bae9406b94b8d870aa8d5e3e52c4c7e69ad69d149aef4145774b05144257ca5e"
