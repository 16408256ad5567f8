"""What stands beside the API: documentation from our own host, a page per problem, health, security.txt."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from api import problems
from api.edge import docs, enclosure
from api.edge.well_known import SecurityContact
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

MANIFEST = orjson.loads((docs.ASSETS / "manifest.json").read_bytes())
PAGES = ("/", "/docs", "/docs/try", "/problems", "/problems/not-permitted")
_USED = re.compile(r'(?:src|href)="([^"]*)"')
_OUTSIDE = re.compile(r"(?:https?:)?//(?!127\.0\.0\.1)[\w.-]+\.\w", re.ASCII)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with edge_kit.client(edge_kit.enclosed()) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_uses_nothing_but_our_own_host(client: httpx.AsyncClient, path: str) -> None:
    """Every link and asset is a path here, and is there."""
    answer = await client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    used = _USED.findall(answer.text)
    assert used
    assert not _OUTSIDE.search(answer.text)
    for target in used:
        assert target.startswith("/")
        assert (await client.get(target)).status_code == 200, target


@pytest.mark.parametrize("path", PAGES)
async def test_the_policy_of_a_page_lets_nothing_in_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    """What a vendored script would fetch elsewhere stays unfetched; no inline script, no eval, no frame."""
    policy = (await client.get(path)).headers["content-security-policy"]
    directives = {name: sources for name, _, sources in (part.strip().partition(" ") for part in policy.split(";"))}
    assert directives["default-src"] == "'none'"
    assert directives["base-uri"] == directives["form-action"] == directives["frame-ancestors"] == "'none'"
    sources = " ".join(directives.values()).split()
    assert all(each in {"'none'", "'self'", "data:"} or each.startswith("'sha256-") for each in sources)
    assert directives.get("script-src", "'self'") == directives.get("connect-src", "'self'") == "'self'"
    answer = await client.get(path)
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


async def test_the_documentation_reads_our_own_description(client: httpx.AsyncClient) -> None:
    for script in ("read.js", "try.js"):
        text = (await client.get(f"/docs/assets/{script}")).text
        assert '"/v1/openapi.json"' in text
        assert not _OUTSIDE.search(text)


def test_vendored_assets_are_unaltered_and_have_their_licences() -> None:
    """The manifest names every file, its origin and its SHA-256; nothing lies there that it does not name."""
    there = {path.relative_to(docs.ASSETS).as_posix() for path in docs.ASSETS.rglob("*") if path.is_file()}
    assert there == set(MANIFEST) | {"manifest.json"}
    for name, told in MANIFEST.items():
        assert hashlib.sha256((docs.ASSETS / name).read_bytes()).hexdigest() == told["sha256"], name
        assert re.fullmatch(r"npm:[a-z-]+@\d+\.\d+\.\d+|ketenbrug", told["from"])
        assert told["licence"] in {"MIT", "Apache-2.0", "EUPL-1.2"}
    for folder in ("redoc", "swagger-ui"):
        assert f"{folder}/LICENSE" in there


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "redoc/LICENSE", "../docs.py", "%2e%2e/docs.py", "/etc/passwd", "nothing.js", "redoc", ""],
)
async def test_only_what_a_page_loads_is_served(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/docs/assets/{name}")
    edge_kit.assert_problem(answer, 404, "not-found")


async def test_assets_have_the_type_that_nosniff_asks_for(client: httpx.AsyncClient) -> None:
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for name in MANIFEST:
        kind = kinds.get(name.rpartition(".")[2])
        if kind is not None:
            answer = await client.get(f"/docs/assets/{name}")
            assert answer.headers["content-type"].split(";")[0] == kind


@pytest.mark.parametrize("row", problems.TYPES, ids=lambda row: row.slug)
async def test_the_type_of_a_problem_leads_to_a_page_that_explains_it(
    client: httpx.AsyncClient, row: problems.ProblemType
) -> None:
    """RFC 9457 section 3.1.1: when it happens, and what the caller does."""
    answer = await client.get(f"/problems/{row.slug}")
    assert answer.status_code == 200
    for text in (row.title, row.dutch):
        assert text.replace("'", "&#x27;") in answer.text
    assert "When it happens" in answer.text
    assert "What you do next" in answer.text
    assert f'href="/problems/{row.slug}"' in (await client.get("/problems")).text


async def test_a_problem_that_there_is_not_has_no_page(client: httpx.AsyncClient) -> None:
    edge_kit.assert_problem(await client.get("/problems/nonsense"), 404, "not-found")
    edge_kit.assert_problem(await client.get("/problems", headers={"accept": "image/png"}), 406, "not-acceptable")


async def test_the_description_is_for_everybody(client: httpx.AsyncClient) -> None:
    """/core/publish-openapi: without authentication, from any origin, at its fixed place; nothing else has CORS."""
    answer = await client.get("/v1/openapi.json", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["info"]["version"] == answer.headers["api-version"]
    assert (await client.get("/v1/openapi.json")).content == answer.content
    other = await client.get("/v1/things", headers={"Origin": "https://elsewhere.example"})
    assert not any(name.startswith("access-control") for name in other.headers)


async def test_security_txt_says_where_to_report_and_until_when(client: httpx.AsyncClient) -> None:
    """RFC 9116: Contact, an Expires that is ahead and at most a year, Canonical."""
    answer = await client.get("/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:security@ketenbrug.test"
    assert fields["Canonical"] == f"{edge_kit.BASE}/.well-known/security.txt"
    assert datetime.strptime(fields["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) == edge_kit.EXPIRES


async def test_where_nobody_is_told_there_is_no_security_txt() -> None:
    """An empty file would say that there is somebody."""
    told = replace(edge_kit.options(), security=None)
    async with edge_kit.client(enclosure.enclose(enclosure.application(told), told)) as client:
        edge_kit.assert_problem(await client.get("/.well-known/security.txt"), 404, "not-found")
    assert SecurityContact("mailto:a@b.example", "", edge_kit.EXPIRES).text(edge_kit.BASE).count("Policy") == 0


async def test_a_process_that_lives_says_so(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}


async def _good() -> None:
    await asyncio.sleep(0)


async def _bad() -> None:
    raise RuntimeError("Canary: password")


async def _hung() -> None:
    await asyncio.sleep(timedelta(hours=1).total_seconds())


async def test_a_process_that_cannot_serve_says_which_check_fails_and_not_why() -> None:
    async with edge_kit.client(edge_kit.enclosed(ready={"database": _good})) as client:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": ["database"]})
    checks = {"database": _good, "tables": _bad, "keys": _hung}
    async with edge_kit.client(edge_kit.enclosed(ready=checks)) as client:
        answer = await client.get("/health/ready")
    body = edge_kit.assert_problem(answer, 503, "unavailable")
    assert body["detail"] == "Not ready: keys, tables."
    assert answer.headers["retry-after"] == "5"
    assert "Canary" not in answer.text
