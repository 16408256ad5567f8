"""publiccode.yml is valid under version 0.7.0 of the standard (yml.publiccode.tools)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]

MANDATORY = (
    "publiccodeYmlVersion",
    "name",
    "url",
    "platforms",
    "developmentStatus",
    "softwareType",
    "organisation/uri",
    "description/en/shortDescription",
    "description/en/longDescription",
    "description/en/features",
    "legal/license",
    "maintenance/type",
    "localisation/localisationReady",
    "localisation/availableLanguages",
)
STATUSES = {"concept", "development", "beta", "stable", "obsolete"}
TYPES = {
    "standalone/mobile",
    "standalone/iot",
    "standalone/desktop",
    "standalone/web",
    "standalone/backend",
    "standalone/other",
    "addon",
    "library",
    "configurationFiles",
}
MAINTENANCE = {"internal", "contract", "community", "none"}
TOP_LEVEL = {
    *(key.partition("/")[0] for key in MANDATORY),
    *("applicationSuite", "landingURL", "isBasedOn", "softwareVersion", "releaseDate", "logo", "categories"),
    *("usedBy", "fundedBy", "roadmap", "supports", "intendedAudience", "dependsOn"),
}


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    """The file, read."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "publiccode.yml").read_text())
    return read


def _at(code: dict[str, Any], key: str) -> Any:
    found: Any = code
    for part in key.split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


@pytest.mark.parametrize("key", MANDATORY)
def test_a_mandatory_key_is_there(code: dict[str, Any], key: str) -> None:
    assert _at(code, key) not in (None, "", [], {})


def test_no_key_is_unknown(code: dict[str, Any]) -> None:
    """A key that the standard does not know is a misspelt one."""
    assert set(code) <= TOP_LEVEL


def test_closed_words_are_of_the_standard(code: dict[str, Any]) -> None:
    assert code["developmentStatus"] in STATUSES
    assert code["softwareType"] in TYPES
    assert _at(code, "maintenance/type") in MAINTENANCE


def test_whoever_maintains_it_is_named(code: dict[str, Any]) -> None:
    """Contacts are mandatory when it is maintained inside or by a community, contractors exactly when by contract."""
    maintenance = code["maintenance"]
    assert (maintenance["type"] not in {"internal", "community"}) or maintenance["contacts"]
    assert ("contractors" in maintenance) == (maintenance["type"] == "contract")


def test_texts_have_their_lengths(code: dict[str, Any]) -> None:
    for texts in code["description"].values():
        assert len(texts["shortDescription"]) <= 150
        assert "\n" not in texts["shortDescription"]
        assert 150 <= len(texts["longDescription"]) <= 10_000
        assert all(isinstance(feature, str) for feature in texts["features"])


def test_uris_and_countries_are_well_formed(code: dict[str, Any]) -> None:
    for uri in (code["url"], _at(code, "organisation/uri"), *(each["id"] for each in code["supports"])):
        assert re.fullmatch(r"(https://[^\s/]+\.[^\s]+|urn:[a-z0-9-]+:\S+)", uri)
    assert all(re.fullmatch(r"[A-Z]{2}", country) for country in _at(code, "intendedAudience/countries"))


def test_it_says_what_the_package_says(code: dict[str, Any]) -> None:
    """Name, version, licence and oldest Python are those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert code["name"].lower() == project["name"]
    assert code["softwareVersion"] == project["version"]
    assert _at(code, "legal/license") == project["license"]
    oldest = {each["name"]: each["versionMin"] for each in _at(code, "dependsOn/open")}["Python"]
    assert project["requires-python"] == f">={oldest}"
