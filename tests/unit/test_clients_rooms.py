"""What each operation of each client sends: a table, so that a change of it is a diff."""

from __future__ import annotations

from datetime import date
from inspect import cleandoc
from typing import TYPE_CHECKING, Final

import pytest

from api.schemas.audit import AuditSearch
from api.vocabulary import OutflowScheme, Purpose
from clients._audit import Audit
from clients._commons import Statistics
from clients._messages import path
from clients.ngo import NgoClient
from tests.clients_offer import PARTIES, TWINS, offered

if TYPE_CHECKING:
    from clients._parts import BlockingClient

OFFERED: Final = {
    "NgoClient": """
        admission_checks.ask         POST admission-checks key
        admission_checks.read        GET  admission-checks/{} purpose
        advice.evidence              GET  advice/{}/evidence purpose
        advice.list                  GET  advice?caseId purpose
        advice.read                  GET  advice/{} purpose
        advice_requests.list         GET  advice-requests
        advice_requests.read         GET  advice-requests/{}
        advice_requests.request      POST advice-requests key
        agreements.list              GET  agreements
        agreements.read              GET  agreements/{}
        agreements.sign              POST agreements/{}/signatures key
        cases.assign                 POST cases/{}/assignments key
        cases.close                  POST cases/{}/closures key
        cases.list                   GET  cases
        cases.open                   POST cases key
        cases.read                   GET  cases/{}
        cases.search                 POST cases/_search
        consents.invalidate          POST consents/{}/invalidations key
        consents.list                GET  consents?caseId
        consents.read                GET  consents/{}
        consents.receipt             GET  consents/{}/receipt
        consents.reconfirm           POST consents/{}/reconfirmations key
        consents.record              POST consents key
        consents.withdraw            POST consents/{}/withdrawals key
        documents.list               GET  dossiers/{}/documents purpose
        documents.read               GET  dossiers/{}/documents/{} purpose
        dossier_requests.cancel      POST dossier-requests/{}/cancellations key
        dossier_requests.list        GET  dossier-requests
        dossier_requests.preview     POST dossier-requests/_preview purpose
        dossier_requests.read        GET  dossier-requests/{}
        dossier_requests.request     POST dossier-requests key
        dossiers.manifest            GET  dossiers/{}/manifest purpose
        dossiers.read                GET  dossiers/{} purpose
        emergencies.declare          POST emergencies key
        emergencies.end              POST emergencies/{}/endings key
        emergencies.read             GET  emergencies/{}
        events.read                  GET  events
        organisations.list           GET  organisations
        persons.disclosures          GET  persons/{}/disclosures
        receipts.prove               GET  audit/receipts/{}/proof
        screening_outcomes.evidence  GET  screening-outcomes/{}/evidence
        screening_outcomes.list      GET  screening-outcomes?caseId
        screening_outcomes.read      GET  screening-outcomes/{}
        screening_outcomes.share     POST screening-outcomes key
        statistics.flow              GET  statistics/flow?referenceDate
    """,
    "ChainClient": """
        admission_checks.answer      POST admission-checks/{}/answers key
        admission_checks.read        GET  admission-checks/{} purpose
        advice.evidence              GET  advice/{}/evidence
        advice.give                  POST advice key
        advice.read                  GET  advice/{}
        advice_requests.list         GET  advice-requests
        advice_requests.read         GET  advice-requests/{} purpose
        agreements.list              GET  agreements
        agreements.read              GET  agreements/{}
        agreements.sign              POST agreements/{}/signatures key
        documents.attach             POST dossiers/{}/documents key
        documents.list               GET  dossiers/{}/documents
        documents.read               GET  dossiers/{}/documents/{}
        documents.store              PUT  dossiers/{}/documents/{}
        documents.withdraw           POST dossiers/{}/documents/{}/withdrawals key
        dossier_requests.acknowledge POST dossier-requests/{}/acknowledgements key
        dossier_requests.deliver     POST dossier-requests/{}/deliveries key
        dossier_requests.list        GET  dossier-requests
        dossier_requests.read        GET  dossier-requests/{} purpose
        dossier_requests.refuse      POST dossier-requests/{}/refusals key
        dossiers.manifest            GET  dossiers/{}/manifest
        dossiers.read                GET  dossiers/{}
        events.read                  GET  events
        organisations.list           GET  organisations
        receipts.prove               GET  audit/receipts/{}/proof
        screening_outcomes.read      GET  screening-outcomes/{} purpose
        statistics.flow              GET  statistics/flow?referenceDate
    """,
    "MunicipalityClient": """
        admission_checks.ask         POST admission-checks key
        admission_checks.decide      POST admission-checks/{}/decisions key
        admission_checks.read        GET  admission-checks/{} purpose
        advice.evidence              GET  advice/{}/evidence purpose
        advice.list                  GET  advice?caseId purpose
        advice.read                  GET  advice/{} purpose
        advice_requests.list         GET  advice-requests
        advice_requests.read         GET  advice-requests/{}
        advice_requests.request      POST advice-requests key
        agreements.add               POST agreements key
        agreements.list              GET  agreements
        agreements.read              GET  agreements/{}
        agreements.sign              POST agreements/{}/signatures key
        cases.assign                 POST cases/{}/assignments key
        cases.close                  POST cases/{}/closures key
        cases.list                   GET  cases
        cases.open                   POST cases key
        cases.read                   GET  cases/{}
        cases.search                 POST cases/_search
        events.read                  GET  events
        organisations.list           GET  organisations
        receipts.prove               GET  audit/receipts/{}/proof
        screening_outcomes.read      GET  screening-outcomes/{} purpose
        statistics.flow              GET  statistics/flow?referenceDate
    """,
    "AuditorClient": """
        agreements.list              GET  agreements
        agreements.read              GET  agreements/{}
        audit.checkpoint             GET  audit/checkpoint
        audit.consistency            GET  audit/consistency?first&second
        audit.entry                  GET  audit/entries/{}
        audit.export                 POST audit/entries/_export
        audit.open_identity          POST audit/identities/_open
        audit.proof                  GET  audit/entries/{}/proof
        audit.search                 POST audit/entries/_search
        audit.signals                GET  audit/signals
        delays.decide                POST audit/delays key
        delays.list                  GET  audit/delays
        delays.read                  GET  audit/delays/{}
        delays.review                POST audit/delays/{}/reviews key
        emergencies.list             GET  audit/emergencies
        emergencies.read             GET  audit/emergencies/{}
        emergencies.review           POST audit/emergencies/{}/reviews key
        erasures.read                GET  erasures/{}
        organisations.list           GET  organisations
        receipts.prove               GET  audit/receipts/{}/proof
        statistics.flow              GET  statistics/flow?referenceDate
    """,
    "OperatorClient": """
        agreements.add               POST agreements key
        agreements.list              GET  agreements
        agreements.read              GET  agreements/{}
        erasures.erase               POST erasures key
        erasures.read                GET  erasures/{}
        organisations.list           GET  organisations
        receipts.prove               GET  audit/receipts/{}/proof
    """,
}
"""By place: method, path, query, whether a purpose must be declared, whether it has an idempotency key."""


@pytest.mark.parametrize("kind", PARTIES, ids=lambda kind: kind.__name__)
def test_what_each_operation_sends(kind: type[BlockingClient]) -> None:
    assert "\n".join(str(each) for each in offered(kind)) == cleandoc(OFFERED[kind.__name__])


@pytest.mark.parametrize("kind", PARTIES, ids=lambda kind: kind.__name__)
def test_the_twins_send_the_same(kind: type[BlockingClient]) -> None:
    assert [str(each) for each in offered(kind)] == [str(each) for each in offered(TWINS[kind])]


@pytest.mark.parametrize("kind", PARTIES, ids=lambda kind: kind.__name__)
def test_every_operation_says_what_it_does(kind: type[BlockingClient]) -> None:
    for each in offered(kind):
        assert each.sentence.split("\n")[0].endswith((".", ":")), each.place


@pytest.mark.parametrize("kind", PARTIES, ids=lambda kind: kind.__name__)
def test_whatever_makes_something_may_be_sent_twice(kind: type[BlockingClient]) -> None:
    """Every POST has a key of its own, or changes nothing; but what was written into a file cannot be taken back."""
    for each in offered(kind):
        if each.call.into is not None:
            assert not each.call.replayable, each.place
            continue
        assert each.call.replayable, each.place
        assert (each.call.key is None) == each.call.safe, each.place


def test_a_preview_declares_the_purpose_that_is_asked_about() -> None:
    (preview,) = (each.call for each in offered(NgoClient) if each.name == "dossier-requests.preview")
    assert preview.purpose is Purpose.LEGAL_SCREENING


def test_a_path_has_no_way_out_of_its_place() -> None:
    """What is no id by mistake or by malice stays one segment."""
    assert path("cases", "../consents?x#y") == "cases/..%2Fconsents%3Fx%23y"


def test_optional_arguments_reach_the_query() -> None:
    search = Audit.search.describe(None, AuditSearch(action="dossiers.read"), limit=5).first
    assert (search.query, search.body) == ((("limit", "5"),), b'{"action":"dossiers.read"}')
    flow = Statistics.flow.describe(None, date(2019, 12, 31), scheme=OutflowScheme.EVALUATION_2020)
    assert flow.target == f"statistics/flow?referenceDate=2019-12-31&scheme={OutflowScheme.EVALUATION_2020}"
