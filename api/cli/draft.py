"""For who changes tables: `python -m api.cli.draft` draws revision 0001 anew from the models, while there are no users.

    python -m api.cli.draft                  0001 again, over the one that is there
    python -m api.cli.draft "Case notes"     the next revision: the difference between the models and all revisions

Both compare with an embedded PostgreSQL in a temporary folder. Read what is drawn: Alembic does not see a renaming, and
rights and triggers are written by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import CreateTableOp

from api.cli import migrate
from api.sandbox.cluster import Cluster
from api.sandbox.databases import Role
from api.storage import migrations
from api.storage.base import SCHEMAS
from api.storage.migrations import options

if TYPE_CHECKING:
    from alembic.operations.ops import DowngradeOps, UpgradeOps
    from sqlalchemy import Connection

VERSIONS: Final = Path(migrations.__file__).parent / "versions"
FIRST: Final = "0001"

_IMPORTS: Final = {
    "postgresql.": "from sqlalchemy.dialects import postgresql",
    "kinds.": "\nfrom api.storage.migrations import kinds",
}
_SHAPE: Final = '''\
"""{title}."""

import sqlalchemy as sa
from alembic import op
{imports}
revision = "{revision}"
down_revision = {before}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''


def draw(title: str | None, into: Path = VERSIONS) -> Path:
    """Write a revision and return its file: 0001 when there is no title, else the next one."""
    with tempfile.TemporaryDirectory() as folder, Cluster.start(Path(folder) / "postgres", durable=False) as cluster:
        cluster.create("ketenbrug")
        owner_url = cluster.url(Role.OWNER, "ketenbrug")
        if title is not None:
            migrate.upgrade(owner_url)
        revision, text = migrate.run(owner_url, partial(_drawn, title=title))
    name = re.sub(r"\W+", "_", (title or "tables").lower()).strip("_")
    file = into / f"{revision}_{name}.py"
    file.write_text(text)
    subprocess.run((sys.executable, "-m", "ruff", "format", "--quiet", str(file)), check=True)  # noqa: S603
    return file


def _drawn(connection: Connection, title: str | None) -> tuple[str, str]:
    """The number and the text of a revision that makes this database equal to the models."""
    context = MigrationContext.configure(connection, opts=options.OPTIONS)
    script = produce_migrations(context, migrate.gather())
    _bare(script.upgrade_ops)
    up, down = _rendered(script.upgrade_ops, context), _rendered(script.downgrade_ops, context)
    before = context.get_current_revision() if title else None
    if before is None:
        up = [*(f'op.execute("CREATE SCHEMA {schema}")' for schema in SCHEMAS), *up]
        down = [*down, *(f'op.execute("DROP SCHEMA {schema}")' for schema in reversed(SCHEMAS))]
    revision = f"{int(before) + 1:04}" if before else FIRST
    return revision, _SHAPE.format(
        title=title or "Every table",
        imports="".join(line + "\n" for word, line in _IMPORTS.items() if word in "".join(up + down)),
        revision=revision,
        before=f'"{before}"' if before else None,
        up="\n    ".join(up),
        down="\n    ".join(down),
    )


def _bare(operations: UpgradeOps | None) -> None:
    """Take off what a table tells our own code: it is nothing that a database has."""
    for each in operations.ops if operations is not None else ():
        if isinstance(each, CreateTableOp):
            each.info = {}


def _rendered(operations: UpgradeOps | DowngradeOps | None, context: MigrationContext) -> list[str]:
    if operations is None:
        raise AssertionError("Alembic compared nothing")
    text = render_python_code(operations, render_item=options.OPTIONS["render_item"], migration_context=context)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return textwrap.dedent("\n".join(lines)).splitlines()


if __name__ == "__main__":
    print(draw(sys.argv[1] if len(sys.argv) > 1 else None))
