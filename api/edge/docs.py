"""The documentation on our own server: Redoc to read, Swagger UI to try. No request leaves the host.

The assets are vendored, unaltered, with their licences beside them; `assets/manifest.json` says where each came from
and holds its SHA-256, which a test compares. The content security policy lets nothing else in, so that what a vendored
script would fetch elsewhere (Redoc's logo) stays unfetched.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import HTMLResponse, Response

from api import problems
from api.edge import routing
from api.problems import Problem, Stopped

if TYPE_CHECKING:
    from fastapi import FastAPI

ASSETS: Final = Path(__file__).parent / "assets"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
READ_POLICY: Final = POLICY.replace(
    "style-src 'self'",
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
)
"""Redoc adds an empty style element (the first hash) that it fills through the CSSOM, and one fixed style."""
PLAIN_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For pages of ours, which have no script."""

_KINDS: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_PAGE: Final = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/docs/assets/icon.svg">
{styles}</head>
<body>
{body}
</body>
</html>
"""


def install(app: FastAPI) -> None:
    """Serve `/`, `/docs`, `/docs/try` and the assets of both."""
    served = routing.router(described=False)
    served.add_api_route("/", _start, response_class=HTMLResponse)
    served.add_api_route("/docs", _read, response_class=HTMLResponse)
    served.add_api_route("/docs/try", _try, response_class=HTMLResponse)
    served.add_api_route("/docs/assets/{path:path}", _asset, response_class=Response)
    routing.join(app, served)


def plain(
    title: str, body: str, *, status: int = 200, language: str = "en", policy: str = PLAIN_POLICY
) -> HTMLResponse:
    """A page of ours: `body` is HTML, `title` text without markup."""
    page = _html(title, ("pages.css",), f"<main>\n{body}</main>", policy, language)
    page.status_code = status
    return page


def _html(title: str, styles: tuple[str, ...], body: str, policy: str, language: str = "en") -> HTMLResponse:
    links = "".join(f'<link rel="stylesheet" href="/docs/assets/{name}">\n' for name in styles)
    text = _PAGE.format(language=language, title=title, styles=links, body=body)
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


async def _start() -> HTMLResponse:
    return plain(
        "Ketenbrug",
        "<h1>Ketenbrug</h1>\n<p>Consent-aware exchange between the Dutch migration chain and the organisations that "
        "guide undocumented migrants.</p>\n<ul>\n"
        '<li><a href="/docs">Read the API</a></li>\n<li><a href="/docs/try">Try the API</a></li>\n'
        '<li><a href="/v1/openapi.json">Its description (OpenAPI)</a></li>\n'
        '<li><a href="/problems">What can go wrong, and what to do</a></li>\n</ul>\n',
    )


async def _read() -> HTMLResponse:
    body = (
        '<main id="read"></main>\n<script src="/docs/assets/redoc/redoc.standalone.js"></script>\n'
        '<script src="/docs/assets/read.js"></script>'
    )
    return _html("Ketenbrug API", ("frame.css",), body, READ_POLICY)


async def _try() -> HTMLResponse:
    body = (
        '<div id="try"></div>\n<script src="/docs/assets/swagger-ui/swagger-ui-bundle.js"></script>\n'
        '<script src="/docs/assets/try.js"></script>'
    )
    return _html("Try the Ketenbrug API", ("frame.css", "swagger-ui/swagger-ui.css"), body, POLICY)


async def _asset(path: str) -> Response:
    if path not in _served():
        raise Stopped(Problem(problems.NOT_FOUND))
    return Response(_bytes(path), media_type=_KINDS[Path(path).suffix])


@cache
def _served() -> frozenset[str]:
    """Only what the manifest names, and of that only what a page loads."""
    manifest: dict[str, object] = orjson.loads((ASSETS / "manifest.json").read_bytes())
    return frozenset(name for name in manifest if Path(name).suffix in _KINDS)


@cache
def _bytes(path: str) -> bytes:
    return (ASSETS / path).read_bytes()
