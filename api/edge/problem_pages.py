"""A page per problem: the address that `type` names leads here. HTML for people, Markdown for the repository.

Both say the same, from the one table in `api.problems`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from api import problems
from api.edge import docs, routing
from api.problems import Problem, ProblemType, Stopped

if TYPE_CHECKING:
    from fastapi import FastAPI


def install(app: FastAPI) -> None:
    """Serve `/problems` and `/problems/{slug}`."""
    served = routing.router(described=False)
    served.add_api_route("/problems", _index, response_class=HTMLResponse)
    served.add_api_route("/problems/{slug}", _page, response_class=HTMLResponse)
    routing.join(app, served)


def markdown() -> dict[str, str]:
    """The text of each page by its slug, and of the index as `README`."""
    lines = [f"| [{row.slug}]({row.slug}.md) | {row.status} | {row.title} |" for row in _ordered()]
    index = "\n".join(
        ["# Problems", "", _INTRODUCTION, "", "| problem | status | meaning |", "|---|---|---|", *lines, ""]
    )
    return {"README": index, **{row.slug: _markdown(row) for row in problems.TYPES}}


_INTRODUCTION = (
    "Every refusal is `application/problem+json` (RFC 9457). Its `type` leads to one of these pages; its `nextStep` "
    "says what to do. Pages and answers come from one table, `api/problems.py`."
)


def _ordered() -> list[ProblemType]:
    return sorted(problems.TYPES, key=lambda row: row.slug)


def _markdown(row: ProblemType) -> str:
    return (
        f"# {row.title}\n\n*{row.dutch}*\n\nStatus {row.status}, type `/problems/{row.slug}`.\n\n"
        f"## When it happens\n\n{row.detail}\n\n## What you do next\n\n{row.next_step}\n"
    )


async def _index() -> HTMLResponse:
    rows = "".join(
        f'<tr><td><a href="/problems/{row.slug}">{row.slug}</a></td><td>{row.status}</td>'
        f"<td>{escape(row.title)}</td></tr>\n"
        for row in _ordered()
    )
    return docs.plain(
        "Problems",
        f"<h1>Problems</h1>\n<p>{_marked(_INTRODUCTION)}</p>\n<table>\n"
        '<thead><tr><th scope="col">Problem</th><th scope="col">Status</th><th scope="col">Meaning</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n",
    )


async def _page(slug: str) -> HTMLResponse:
    row = problems.BY_SLUG.get(slug)
    if row is None:
        raise Stopped(Problem(problems.NOT_FOUND))
    return docs.plain(
        escape(row.title),
        f'<h1>{escape(row.title)}</h1>\n<p class="dutch" lang="nl">{escape(row.dutch)}</p>\n'
        f"<p>Status {row.status}, type <code>/problems/{row.slug}</code>.</p>\n"
        f"<h2>When it happens</h2>\n<p>{_marked(row.detail)}</p>\n"
        f"<h2>What you do next</h2>\n<p>{_marked(row.next_step)}</p>\n"
        '<p><a href="/problems">All problems</a></p>\n',
    )


def _marked(text: str) -> str:
    """Escaped, with what stands between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
