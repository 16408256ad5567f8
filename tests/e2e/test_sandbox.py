"""`ketenbrug sandbox` is a contract: other tools read sandbox.json, play with it, and kill it as they like."""

from __future__ import annotations

import socket
import stat
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.vocabulary import Municipality, Purpose
from clients.errors import NotFound
from tests import live

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Sandbox


PARTS = {"ngo", "otherNgo", "ind", "dtv", "avim", "municipality", "auditor", "operator"}
SAMPLES = {"vNumber", "caseId", "personId", "consentId", "dossierRequestId", "dossierId"}


def pulled(sandbox: Sandbox) -> int:
    """How many sections the NGO sees of the sample."""
    dossier = UUID(sandbox.description()["samples"]["dossierId"])
    with sandbox.cast() as cast:
        return len(cast.ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING).value.sections)


def test_its_description_has_what_others_rely_on_and_nothing_more(sandbox: Sandbox) -> None:
    described = sandbox.description()

    assert set(described) == {
        "baseUrl",
        "issuer",
        "tokenEndpoint",
        "databaseUrl",
        "applicationDatabaseUrl",
        "workDatabaseUrl",
        "clients",
        "samples",
    }
    assert described["issuer"] == f"http://127.0.0.1:{sandbox.port}"
    assert described["baseUrl"] == f"{described['issuer']}/v1"
    assert described["tokenEndpoint"] == f"{described['issuer']}/oauth/token"
    assert set(described["clients"]) == PARTS
    for client in described["clients"].values():
        assert set(client) == {"clientId", "organisation", "scope", "jwk"}
        assert {"kty", "crv", "x", "y", "d"} <= set(client["jwk"])
    assert set(described["samples"]) == SAMPLES


@pytest.mark.parametrize("name", ["sandbox.json", "credentials.json", "keys", "samples.json"])
def test_what_holds_keys_is_for_its_owner_only(sandbox: Sandbox, name: str) -> None:
    assert stat.S_IMODE((sandbox.directory / name).stat().st_mode) & 0o177 == 0


def test_it_never_looks_at_the_database_of_a_service(sandbox: Sandbox) -> None:
    """`KETENBRUG_DATABASE_URL` was set all the while (see `live.PRODUCTION`)."""
    described = sandbox.description()

    assert "production" not in described["databaseUrl"]
    assert "production" not in sandbox.said.read_text()


def test_the_sample_dossier_is_there_for_the_ngo_and_for_nobody_else(sandbox: Sandbox) -> None:
    samples = sandbox.description()["samples"]
    dossier = UUID(samples["dossierId"])

    assert pulled(sandbox) >= 8
    with sandbox.cast() as cast:
        assert cast.ngo.cases.read(UUID(samples["caseId"])).value.v_number == samples["vNumber"]
        assert cast.ngo.consents.read(UUID(samples["consentId"])).value.id == UUID(samples["consentId"])
        assert cast.ngo.dossier_requests.read(UUID(samples["dossierRequestId"])).value.dossier_id == dossier
        with pytest.raises(NotFound):
            cast.other_ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING)


def test_its_population_has_the_figures_of_the_evaluation(sandbox: Sandbox) -> None:
    """Tables S.1 and S.2 (Regioplan, WODC 19041, 2020), as officials and overseers get them."""
    with sandbox.cast() as cast:
        flow = cast.auditor.statistics.flow(date(2019, 12, 31)).value

    assert str(flow.profile) == "official"
    assert flow.total.inflow.with_status.value == 1_019
    assert flow.total.durable_outflow.count.value == 59
    groningen = next(each for each in flow.municipalities if each.municipality is Municipality.GRONINGEN)
    assert groningen.durable_outflow.percentage_of_inflow.value == 3


def test_a_taken_port_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = live.command("sandbox", "--dir", str(tmp_path / "other"), "--port", str(port))

    assert ended.returncode == 2
    assert ended.stderr == f"- Port {port} on 127.0.0.1 cannot be used: Address already in use.\n"
    assert not (tmp_path / "other").exists()


def test_a_directory_in_use_is_refused_and_left_alone(sandbox: Sandbox) -> None:
    ended = live.command("sandbox", "--dir", str(sandbox.directory), "--port", str(live.free_port()))

    assert ended.returncode == 2
    assert "Another process uses the PostgreSQL" in ended.stderr.replace("\n", " ")
    assert pulled(sandbox) >= 8
