"""Settings come from the environment, once; a process with faults does not start, and says all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError

from api import settings
from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PASSWORD: Final = "pass-that-nobody-may-read"
GOOD: Final = {
    "KETENBRUG_DATABASE_URL": f"postgresql://ketenbrug:{PASSWORD}@db.example:5432/ketenbrug",
    "KETENBRUG_PUBLIC_URL": "https://ketenbrug.example",
}


def read(kind: Callable[[], Any], environment: Mapping[str, str]) -> Any:
    """What a process with this environment would read."""
    with CliRunner(env=environment).isolation():
        return kind()


def refused(kind: Callable[[], Any], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The faults for which a process with this environment would not start."""
    with pytest.raises(Misconfigured) as found:
        read(kind, environment)
    assert PASSWORD not in f"{found.value!r} {found.value} {found.value.__cause__!r} {found.value.__context__!r}"
    return found.value.faults


def test_what_is_not_said_has_a_safe_default() -> None:
    found = read(settings.serving, GOOD)

    assert (found.host, found.port, found.workers, found.sandbox) == ("127.0.0.1", 8080, 1, False)
    assert found.key_file == Path("ketenbrug.keys")


def test_names_follow_from_the_public_address() -> None:
    found = read(settings.serving, GOOD)

    assert found.issuer == "https://ketenbrug.example"
    assert found.audience == "https://ketenbrug.example/v1"
    assert found.origin == "ketenbrug.example/log"
    assert read(settings.serving, GOOD | {"KETENBRUG_LOG_ORIGIN": "log.example/1"}).origin == "log.example/1"


def test_every_fault_is_told_at_once() -> None:
    """Whoever sets a service up should not learn its faults one start at a time."""
    faults = refused(
        settings.serving,
        {"KETENBRUG_PORT": "http", "KETENBRUG_POOL_SIZE": "1", "KETENBRUG_BODY_LIMIT": "1", "KETENBRUG_PATIENCE": "0"},
    )

    assert [fault.partition(":")[0] for fault in faults] == [
        "KETENBRUG_DATABASE_URL",
        "KETENBRUG_PUBLIC_URL",
        "KETENBRUG_PORT",
        "KETENBRUG_POOL_SIZE",
        "KETENBRUG_BODY_LIMIT",
        "KETENBRUG_PATIENCE",
    ]


def test_every_unsafe_value_is_told_at_once() -> None:
    faults = refused(
        settings.serving,
        {
            "KETENBRUG_DATABASE_URL": f"mysql://ketenbrug:{PASSWORD}@db.example/ketenbrug",
            "KETENBRUG_PUBLIC_URL": "http://ketenbrug.example",
            "KETENBRUG_SECURITY_CONTACT": "security@ketenbrug.example",
            "KETENBRUG_SANDBOX": "true",
        },
    )

    assert [fault.partition(":")[0] for fault in faults] == [
        "KETENBRUG_DATABASE_URL",
        "KETENBRUG_PUBLIC_URL",
        "KETENBRUG_SECURITY_CONTACT",
        "KETENBRUG_SANDBOX",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "https://ketenbrug.example/",
        "https://ketenbrug.example/api",
        "https://ketenbrug.example?x=1",
        f"https://somebody:{PASSWORD}@ketenbrug.example",
        "ketenbrug.example",
        "ftp://ketenbrug.example",
        "https://",
        "http://ketenbrug.example",
        "http://10.0.0.1:8080",
    ],
)
def test_an_address_that_clients_could_not_trust_is_refused(address: str) -> None:
    """Tokens name this address; http is for one's own machine only."""
    (fault,) = refused(settings.serving, GOOD | {"KETENBRUG_PUBLIC_URL": address})

    assert fault.startswith("KETENBRUG_PUBLIC_URL: ")


LOGBOOK: Final = {
    "KETENBRUG_LDV_COLLECTOR": "https://collector.example/v1/traces",
    "KETENBRUG_LDV_REGISTER": "https://register.example/activities",
}


def test_a_logbook_is_named_with_the_register_that_its_records_refer_to() -> None:
    assert read(settings.serving, GOOD | LOGBOOK).ldv_collector == LOGBOOK["KETENBRUG_LDV_COLLECTOR"]
    (fault,) = refused(settings.serving, GOOD | LOGBOOK | {"KETENBRUG_LDV_REGISTER": ""})
    assert fault.startswith("KETENBRUG_LDV_REGISTER: ")


@pytest.mark.parametrize(
    "address",
    ["http://collector.example/v1/traces", "collector.example", "https://a@collector.example", "http://127.0.0.1:4318"],
)
def test_records_of_persons_leave_over_https(address: str) -> None:
    (fault,) = refused(settings.serving, GOOD | LOGBOOK | {"KETENBRUG_LDV_COLLECTOR": address})
    assert fault.startswith("KETENBRUG_LDV_COLLECTOR: ")


@pytest.mark.parametrize(
    "address",
    [
        "http://guards.s3.example/log",
        "https://guards.s3.example",
        "https://guards.s3.example/",
        "https://guards.s3.example/log?versionId=1",
        "https://guards.s3.example/../log",
        "https://guards.s3.example:x/log",
        "https://key@guards.s3.example/log",
        "s3://guards/log",
    ],
)
def test_a_guard_that_machines_share_is_an_object(address: str) -> None:
    (fault,) = refused(settings.serving, GOOD | {"KETENBRUG_LOG_GUARD_URL": address})
    assert fault.startswith("KETENBRUG_LOG_GUARD_URL: ")


@pytest.mark.parametrize("address", ["http://log.s3.example", "https://log.s3.example/", "https://log.s3.example?x=1"])
def test_the_log_is_published_below_an_address(address: str) -> None:
    (fault,) = refused(settings.serving, GOOD | {"KETENBRUG_LOG_BUCKET_URL": address})
    assert fault.startswith("KETENBRUG_LOG_BUCKET_URL: ")
    for good in ("https://log.s3.example", "https://log.s3.example/tree", "http://127.0.0.1:9000/log"):
        assert read(settings.serving, GOOD | {"KETENBRUG_LOG_BUCKET_URL": good}).log_bucket_url == good


def test_an_object_of_a_bucket_may_be_the_guard() -> None:
    address = "https://guards.s3.eu-central-1.amazonaws.com/log"
    assert read(settings.serving, GOOD | {"KETENBRUG_LOG_GUARD_URL": address}).log_guard_url == address


@pytest.mark.parametrize(
    ("guard", "bucket"),
    [
        ("https://log.s3.example/tree/checkpoint", "https://log.s3.example/tree"),
        ("https://LOG.s3.example:443/tree", "https://log.s3.example/tree"),
        ("https://log.s3.example/guard", "https://log.s3.example"),
        ("https://log.s3.example/guard", "https://log.s3.example/guard/tree"),
    ],
)
def test_the_guard_is_not_where_the_log_is_published(guard: str, bucket: str) -> None:
    """Each head that is published would be written over the guard."""
    places = {"KETENBRUG_LOG_GUARD_URL": guard, "KETENBRUG_LOG_BUCKET_URL": bucket}
    (fault,) = refused(settings.serving, GOOD | places)
    assert fault.startswith("KETENBRUG_LOG_GUARD_URL: not what KETENBRUG_LOG_BUCKET_URL names")
    read(settings.serving, GOOD | places | {"KETENBRUG_LOG_BUCKET_URL": "https://log.s3.example/guards"})


def test_a_collector_on_this_machine_is_named_as_the_own_network() -> None:
    near = {"KETENBRUG_LDV_COLLECTOR": "http://127.0.0.1:4318/v1/traces", "KETENBRUG_LDV_OWN_NETWORK": "true"}
    assert read(settings.serving, GOOD | LOGBOOK | near).ldv_own_network


@pytest.mark.parametrize("origin", ["https://ngo.internal/keys", "ngo.internal", "ftp://ngo", "https://me@ngo"])
def test_where_clients_publish_keys_in_the_own_network_is_an_origin(origin: str) -> None:
    (fault,) = refused(settings.serving, GOOD | {"KETENBRUG_CLIENT_KEY_ORIGINS": f'["{origin}"]'})
    assert fault.startswith("KETENBRUG_CLIENT_KEY_ORIGINS")
    read(settings.serving, GOOD | {"KETENBRUG_CLIENT_KEY_ORIGINS": '["https://ngo.internal:8443"]'})


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_on_loopback_http_will_do(address: str) -> None:
    found = read(settings.serving, GOOD | {"KETENBRUG_PUBLIC_URL": address, "KETENBRUG_SANDBOX": "true"})

    assert found.sandbox
    assert found.public_url == address


@pytest.mark.parametrize("contact", ["mailto:security@ketenbrug.example", "https://ketenbrug.example/security"])
def test_a_finder_of_a_weakness_can_be_told_where_to_go(contact: str) -> None:
    assert read(settings.serving, GOOD | {"KETENBRUG_SECURITY_CONTACT": contact}).security_contact == contact


def test_commands_on_the_database_need_no_more_than_its_address() -> None:
    url = GOOD["KETENBRUG_DATABASE_URL"]

    assert read(settings.database, {"KETENBRUG_DATABASE_URL": url}) == url
    (fault,) = refused(settings.database, {})
    assert fault.startswith("KETENBRUG_DATABASE_URL: not set: "), "and says what it looks like"
    assert refused(settings.database, {"KETENBRUG_DATABASE_URL": f"{PASSWORD}@db"}) == (
        "KETENBRUG_DATABASE_URL: must begin with postgresql://",
    )


def test_commands_on_keys_need_no_more_than_where_they_are() -> None:
    assert read(settings.key_file, {"KETENBRUG_KEY_FILE": "/run/secrets/keys"}) == Path("/run/secrets/keys")
    assert read(settings.key_file, {}) == Path("ketenbrug.keys")


def test_settings_hide_the_password_and_do_not_change() -> None:
    found = read(settings.serving, GOOD)

    assert isinstance(found.database_url, SecretStr)
    assert PASSWORD not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"
    with pytest.raises(ValidationError):
        found.port = 1


def test_the_clock_of_entry_points_is_aware() -> None:
    assert settings.now().tzinfo is UTC
    assert abs((settings.now() - datetime.now(UTC)).total_seconds()) < 60  # noqa: TID251 - it is the clock that is tried


def test_who_keeps_the_key_encryption_keys_is_the_key_file_unless_said() -> None:
    path, chosen = read(settings.custody, {})

    assert (path, chosen.kind) == (Path("ketenbrug.keys"), "file")
    service = {
        "KETENBRUG_KEY_SERVICE": "transit",
        "KETENBRUG_KEY_SERVICE_URL": "https://bao.example:8200/",
        "KETENBRUG_KEY_SERVICE_CREDENTIALS": "/run/token",
    }
    _, chosen = read(settings.custody, service)
    assert (chosen.name, chosen.url, chosen.mount) == ("ketenbrug", "https://bao.example:8200", "transit")
    assert chosen.index, "the key of the index goes where the others are, unless said"
    assert not read(settings.custody, service | {"KETENBRUG_KEY_SERVICE_INDEX": "false"})[1].index


@pytest.mark.parametrize("url", ["http://bao.example:8200", "bao.example", "ftp://127.0.0.1"])
def test_keys_are_not_sent_in_the_clear(url: str) -> None:
    service = {
        "KETENBRUG_KEY_SERVICE": "transit",
        "KETENBRUG_KEY_SERVICE_URL": url,
        "KETENBRUG_KEY_SERVICE_CREDENTIALS": "/run/token",
    }
    (fault,) = refused(settings.custody, service)
    assert fault.startswith("KETENBRUG_KEY_SERVICE_URL: ")
    assert refused(settings.serving, GOOD | service) == (fault,)


def test_what_a_key_service_needs_is_told_at_once() -> None:
    faults = refused(settings.custody, {"KETENBRUG_KEY_SERVICE": "pkcs11"})
    assert [fault.partition(":")[0] for fault in faults] == [
        "KETENBRUG_KEY_SERVICE_MODULE",
        "KETENBRUG_KEY_SERVICE_TOKEN",
        "KETENBRUG_KEY_SERVICE_CREDENTIALS",
    ]


@pytest.mark.parametrize("threshold", ["0", "-1", "100001", "1e9", '"many"', "null"])
def test_a_threshold_is_one_that_its_rule_can_count_with(threshold: str) -> None:
    (fault,) = refused(settings.serving, GOOD | {"KETENBRUG_SIGNALS": f'{{"off-hours": {threshold}}}'})
    assert fault.startswith("KETENBRUG_SIGNALS_OFF-HOURS: ")
    assert read(settings.serving, GOOD | {"KETENBRUG_SIGNALS": '{"volume": 100000}'}).signals == {"volume": 100_000}
