"""The documents hold together: links lead somewhere, decisions have their form, words are unique."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import REGISTRY

from api import problems
from api.audit import delay as _delay  # noqa: F401 - it counts
from api.audit import publication as _publication  # noqa: F401 - as above
from api.cli import looking as _looking  # noqa: F401 - as above
from api.edge import metrics as _metrics  # noqa: F401 - as above

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "clients", "docs", "openapi", "tests")
ADRS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
ADR_LINES_MOST = 60
ADR_HEADINGS = (
    "## Context and Problem Statement",
    "## Considered Options",
    "## Decision Outcome",
    "### Consequences",
    "### Confirmation",
    "## Pros and Cons of the Options",
)
EUPL = "57fb42fbcd0b037ce528ed8f72f1ec095d67bc6825ecf1448ff39be1fe68a4b4"
"""SHA-256 of the English text of EUPL-1.2, as the SPDX licence list has it."""

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def test_alerts_are_on_figures_that_there_are_and_lead_to_a_page() -> None:
    (group,) = yaml.safe_load((ROOT / "docs/how/alerts.yaml").read_text())["groups"]
    rules = group["rules"]
    named = {name for each in rules for name in re.findall(r"ketenbrug_\w+", each["expr"])}
    assert len(rules) == len({each["alert"] for each in rules})
    assert named <= set(REGISTRY._names_to_collectors)
    for each in rules:
        assert (ROOT / each["annotations"]["runbook"]).is_file()


def _documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.md"))])


def _anchors(document: Path) -> set[str]:
    headings: list[str] = _HEADING.findall(_FENCE.sub("", document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(document: Path) -> list[str]:
    text = _CODE.sub("", _FENCE.sub("", document.read_text()))
    broken: list[str] = []
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document if not path else (document.parent / path).resolve()
        outside = ROOT not in (target, *target.parents)
        if outside or not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert _broken(document) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """The check bites: a missing file, a missing heading, a way out of the repository."""
    document = tmp_path / "page.md"
    document.write_text("# Here\n[a](none.md) [b](#there) [c](#here) [d](https://example.org) `[e](none.md)`\n")
    assert _broken(document) == ["none.md", "#there", "#here"]


def test_every_document_that_code_names_is_there() -> None:
    named: set[str] = set()
    for room in ("api", "clients", "tests"):
        for module in (ROOT / room).rglob("*.py"):
            named.update(re.findall(r"\b(?:docs|openapi)/[\w/.-]+\.(?:md|yaml|json)\b", module.read_text()))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_decision_that_is_named_is_taken() -> None:
    taken = {path.name[:4] for path in ADRS}
    named: set[str] = set()
    for path in [*_documents(), *(path for room in ("api", "clients") for path in (ROOT / room).rglob("*.py"))]:
        named.update(re.findall(r"\bADR (\d{4})\b", path.read_text()))
    assert named <= taken


@pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.name[:4])
def test_a_decision_has_its_form(adr: Path) -> None:
    """MADR, with the options that were rejected, short enough to be read."""
    lines = adr.read_text().splitlines()
    assert len(lines) <= ADR_LINES_MOST
    assert re.fullmatch(rf"# {adr.name[:4]} \S.*", lines[0])
    assert re.fullmatch(r"- Status: (accepted|superseded by \d{4})", lines[2])
    assert re.fullmatch(r"- Date: 20\d\d-\d\d-\d\d", lines[3])
    assert tuple(line for line in lines if line in ADR_HEADINGS) == ADR_HEADINGS
    assert any(line.startswith("- Rejected: ") for line in lines)


def test_decisions_are_numbered_without_gaps_and_all_are_in_the_index() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))
    index = (ROOT / "docs/adr/README.md").read_text()
    assert [path.name for path in ADRS if f"({path.name})" not in index] == []


def _glossary() -> list[tuple[str, str, str]]:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    return [row for row in rows if row[0] != "English"]


def test_a_dutch_term_has_one_english_word() -> None:
    """Two words for one idea would be two ideas."""
    rows = _glossary()
    for column in (0, 1):
        counted = Counter(row[column].lower() for row in rows)
        assert [term for term, count in counted.items() if count > 1] == []


def test_the_glossary_has_every_word_of_the_domain() -> None:
    """Every row is whole, and the page is not empty by accident."""
    rows = _glossary()
    assert {"vreemdeling", "toestemming", "dossierverzoek", "grondslag", "regievoerder"} <= {row[1] for row in rows}
    assert all(cell.strip() for row in rows for cell in row)


def test_every_status_code_of_a_problem_is_explained() -> None:
    """The page for integrators has the codes of the one table, and no other refusals."""
    text = (ROOT / "docs/how/status-codes.md").read_text()
    explained = {int(code) for code in re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE)}
    assert {code for code in explained if code >= 400} == {row.status for row in problems.TYPES}


def test_a_changelog_has_one_sentence_a_line() -> None:
    for name in ("CHANGELOG.md", "openapi/CHANGELOG.md"):
        text = (ROOT / name).read_text()
        assert "## [Unreleased]" in text or "## Unreleased" in text
        items = re.findall(r"^- (.+(?:\n  .+)*)", text, re.MULTILINE)
        assert items
        assert [item for item in items if not item.endswith(".") or re.search(r"[.!?] [A-Z]", item)] == []


def test_the_licence_is_whole_and_unchanged() -> None:
    """EUPL-1.2 in English: fifteen articles and the appendix of compatible licences."""
    raw = (ROOT / "LICENSE").read_bytes()
    text = raw.decode()
    articles = [int(number) for number in re.findall(r"^(\d{1,2})\.[A-Z]", text, re.MULTILINE)]
    assert articles == list(range(1, 16))
    assert "Appendix" in text
    assert text.rstrip().endswith("require the production of a new EUPL version.")
    assert hashlib.sha256(raw).hexdigest() == EUPL
