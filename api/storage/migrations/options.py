"""How Alembic compares tables with a database: one answer for a migration, a draft and the check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy.types import TypeDecorator, UserDefinedType

from api.storage.base import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.autogenerate.api import AutogenContext

VERSION_TABLE: Final = "alembic_version"
VERSION_SCHEMA: Final = "public"
_PAGE: Final = re.compile(r"entry_(first|\d{4}_\d\d)")


def _ours(name: str | None, kind: str, _parents: Mapping[Any, Any]) -> bool:
    """Compare our schemas only: the database may hold others, and `public` holds nothing but the version.

    Nor the pages of the log, of which the database has as many as months have passed.
    """
    if kind == "table":
        return name is None or _PAGE.fullmatch(name) is None
    return kind != "schema" or name in SCHEMAS


def _rendered(kind: str, thing: Any, _context: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 - Alembic's signature
    """Write our column types as what they are in the database, so that a revision stands apart from the models."""
    if kind == "type" and isinstance(thing, TypeDecorator):
        return f"sa.{thing.impl!r}"
    if kind == "type" and isinstance(thing, UserDefinedType):
        return f'kinds.Named("{thing.get_col_spec()}")'
    return False


OPTIONS: Final[dict[str, Any]] = {
    "include_schemas": True,
    "include_name": _ours,
    "render_item": _rendered,
    "compare_type": True,
    "compare_server_default": True,
    "version_table": VERSION_TABLE,
    "version_table_schema": VERSION_SCHEMA,
}
