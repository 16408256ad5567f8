"""Drawing revisions from the models."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from api.cli import draft, migrate

if TYPE_CHECKING:
    from pathlib import Path


def test_the_next_revision_follows_the_last_and_holds_what_is_new(tmp_path: Path) -> None:
    """With models and migrations equal, that is nothing."""
    file = draft.draw("Case notes", tmp_path)
    last = max(path.name.split("_")[0] for path in draft.VERSIONS.glob("[0-9]*.py"))
    text = file.read_text()
    assert file.name == f"{int(last) + 1:04}_case_notes.py"
    assert f'down_revision = "{last}"' in text
    assert [ast.unparse(each) for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)] == [
        "def upgrade() -> None:\n    pass",
        "def downgrade() -> None:\n    pass",
    ]


def test_the_first_revision_is_drawn_with_every_table_and_stands_apart_from_the_models(tmp_path: Path) -> None:
    """A revision is frozen once it has run: a model that changes later may not change it."""
    text = draft.draw(None, tmp_path).read_text()
    tables = [f'"{table.name}"' for table in migrate.gather().tables.values()]
    assert all(table in text for table in tables)
    imports = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.ImportFrom)]
    assert {each.module for each in imports if each.module and each.module.startswith("api")} <= {
        "api.storage.migrations"
    }
