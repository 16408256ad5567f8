"""docker-compose.yml and Dockerfile, read as data: there is no container engine where the tests run.

What the containers do is held elsewhere: the same commands run without them in the sandbox and its tests.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from api.settings import Settings, WorkSettings

ROOT = Path(__file__).parents[2]

STAY = ("db", "api", "work")
ONCE = ("roles", "migrate")
OURS = ("migrate", "api", "work")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file, read, with its anchors resolved."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    """The services by name."""
    found: dict[str, Any] = compose["services"]
    return found


def test_the_services_are_these_and_no_others(services: dict[str, Any]) -> None:
    assert set(services) == {*STAY, *ONCE}


@pytest.mark.parametrize("name", [*STAY, *ONCE])
def test_a_service_can_change_nothing_but_its_volumes(services: dict[str, Any], name: str) -> None:
    """Read-only file system, an unprivileged account by number, no capabilities, no way to get any."""
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert "privileged" not in service
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("name", STAY)
def test_a_service_that_stays_says_how_it_is(services: dict[str, Any], name: str) -> None:
    """It restarts, and it has a health check; the background work, which has no port, says aloud that it has none."""
    service = services[name]
    assert service["restart"] == "unless-stopped"
    health = service["healthcheck"]
    assert health == {"disable": True} or (
        health["test"][0] == "CMD" and {"interval", "timeout", "retries"} <= set(health)
    )
    assert name == "work" or "disable" not in health


@pytest.mark.parametrize("name", ONCE)
def test_a_service_that_runs_once_is_not_restarted(services: dict[str, Any], name: str) -> None:
    assert services[name]["restart"] == "no"


def test_each_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    """A healthy database, then the roles, then the tables, then the service."""
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert waits == {
        "db": {},
        "roles": {"db": "service_healthy"},
        "migrate": {"roles": "service_completed_successfully"},
        "api": {"migrate": "service_completed_successfully"},
        "work": {"migrate": "service_completed_successfully"},
    }


def test_the_commands_are_those_of_the_command_line(services: dict[str, Any]) -> None:
    assert {name: services[name]["command"][0] for name in OURS} == {
        "migrate": "migrate",
        "api": "serve",
        "work": "work",
    }
    assert "--no-work" in services["api"]["command"]


@pytest.mark.parametrize("name", OURS)
def test_an_environment_holds_settings_that_there_are(services: dict[str, Any], name: str) -> None:
    """A misspelt setting would be passed over in silence; a missing one would stop the start."""
    given = {variable for variable in services[name]["environment"] if variable.startswith("KETENBRUG_")}
    fields = (WorkSettings if name == "work" else Settings).model_fields
    known = {str(field.validation_alias or f"KETENBRUG_{setting.upper()}"): field for setting, field in fields.items()}
    assert given <= set(known)
    assert name == "migrate" or {variable for variable, field in known.items() if field.is_required()} <= given


def test_it_listens_where_the_health_check_asks(services: dict[str, Any]) -> None:
    api = services["api"]
    port = api["environment"]["KETENBRUG_PORT"]
    assert f"http://127.0.0.1:{port}/health/ready" in api["healthcheck"]["test"][-1]
    assert api["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {port}\n" in (ROOT / "Dockerfile").read_text()


def test_no_secret_stands_in_the_file(compose: dict[str, Any], services: dict[str, Any]) -> None:
    """Secrets are files; environments hold names, addresses and paths, and no URL holds a password."""
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    for service in services.values():
        assert "env_file" not in service
        for variable, value in service["environment"].items():
            assert not re.search(r"://[^/@]*:[^/@]*@", value)
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable):
                assert value.startswith("/run/secrets/")
    assert not re.search(r"PGPASSWORD|--password", (ROOT / "docker-compose.yml").read_text())


def test_each_gets_the_secrets_that_it_needs_and_no_others(services: dict[str, Any]) -> None:
    """No running service holds the owner's password or another's; only what makes the roles holds the superuser's."""
    held = {
        name: {each if isinstance(each, str) else each["source"] for each in service["secrets"]}
        for name, service in services.items()
    }
    assert held == {
        "db": {"database_superuser_password"},
        "roles": {f"database_{who}_password" for who in ("superuser", "owner", "app", "work")},
        "migrate": {"database_owner_password"},
        "api": {"database_app_password", "serving_keys"},
        "work": {"database_work_password", "keys"},
    }


def test_secrets_stay_out_of_repository_and_image() -> None:
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line for line in ignored if line.startswith("!")} == {
        "!pyproject.toml",
        "!uv.lock",
        "!README.md",
        "!LICENSE",
        "!api",
        "!clients",
    }


def test_the_database_is_reached_by_our_services_only(compose: dict[str, Any], services: dict[str, Any]) -> None:
    """It publishes no port, and its network has no way out."""
    assert compose["networks"]["inside"]["internal"] is True
    assert "ports" not in services["db"]
    assert services["db"]["networks"] == ["inside"]
    assert all(port.startswith("127.0.0.1:") for port in services["api"]["ports"])


def test_each_enters_the_database_as_a_role_of_its_own(services: dict[str, Any]) -> None:
    """And by no other way: the API knows none into the log, which the background work alone writes."""
    users = {
        name: [
            user[1]
            for variable, value in services[name]["environment"].items()
            if "DATABASE_URL" in variable and (user := re.match(r"postgresql://(\w+)@", value))
        ]
        for name in OURS
    }
    assert users == {"migrate": ["ketenbrug_owner"], "api": ["ketenbrug_app"], "work": ["ketenbrug_work"]}
    made = services["roles"]["entrypoint"][-1]
    assert "GRANT ketenbrug_app TO ketenbrug_work;" in made
    assert "GRANT ketenbrug_work" not in made


def test_the_signer_guard_outlives_its_container_and_is_not_the_databases(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    """On a volume of its own, which the image's account may write."""
    guard = services["work"]["environment"]["KETENBRUG_LOG_GUARD"]
    (volume,) = services["work"]["volumes"]
    name, _, directory = volume.partition(":")
    assert guard.startswith(f"{directory}/")
    assert name in compose["volumes"]
    assert all(not each.startswith(f"{name}:") for each in services["db"]["volumes"])
    assert f"RUN install -d -o 10001 -g 10001 -m 0700 {directory}\n" in (ROOT / "Dockerfile").read_text()


def test_the_image_runs_as_an_unprivileged_account_without_tools() -> None:
    """The last stage copies the finished environment only; its account is a number."""
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    last = stages[-1]
    assert len(stages) == 3
    assert "USER 10001:10001" in last
    assert 'ENTRYPOINT ["ketenbrug"]' in last
    assert not re.search(r"\b(uv|pip|apt-get|secrets)\b", last)
    assert "--frozen --no-dev" in stages[1]
    assert "sandbox" not in stages[1]
