"""The description and the problem pages as files, checked in so that a change shows as a diff.

Not imported by the app: only `ketenbrug openapi` and the tests write or compare them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from api.edge import problem_pages

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI


def write(directory: Path, app: FastAPI) -> tuple[Path, ...]:
    """Write `openapi.json`, `openapi.yaml` and `problems/*.md` under `directory`; return what was written.

    A page of a problem that is no longer in the table is removed.
    """
    wanted = {directory / name: text for name, text in files(app).items()}
    pages = directory / "problems"
    pages.mkdir(parents=True, exist_ok=True)
    for stale in set(pages.glob("*.md")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.write_bytes(text)
    return tuple(wanted)


def files(app: FastAPI) -> dict[str, bytes]:
    """The files by their path: two forms of the same description, and a page per problem with an index."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - a tool of the checkout; a server does not have it

    document = app.openapi()
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return {
        "openapi.json": orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
        "openapi.yaml": text.encode(),
        **{f"problems/{name}.md": page.encode() for name, page in problem_pages.markdown().items()},
    }
