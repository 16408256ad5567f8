"""The migrations and the models say the same, upwards and downwards."""

from __future__ import annotations

import ast
import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import CheckConstraint
from typer.testing import CliRunner

import api
from api.cli import migrate
from api.errors import Misconfigured
from api.storage.base import SCHEMAS
from tests.audit_store import append, settle

if TYPE_CHECKING:
    from tests.servers import Database

CATALOGUE = {
    "columns": """
        SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attgenerated, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE n.nspname = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
            AND NOT c.relispartition
        ORDER BY 1, 2, 3""",
    "constraints": """
        SELECT n.nspname, r.relname, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
        JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = c.connamespace
        WHERE n.nspname = ANY($1) AND NOT r.relispartition ORDER BY 1, 2, 3""",
    "indexes": """
        SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY($1) AND NOT c.relispartition ORDER BY 1""",
    "partitions": """
        SELECT c.relname, pg_get_partkeydef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY($1) AND c.relkind = 'p' ORDER BY 1""",
    "comments": """
        SELECT n.nspname, c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2""",
}


async def catalogue(url: str) -> dict[str, list[tuple[Any, ...]]]:
    connection: Any = await asyncpg.connect(url)
    try:
        return {
            kind: [tuple(row) for row in await connection.fetch(sql, list(SCHEMAS))] for kind, sql in CATALOGUE.items()
        }
    finally:
        await connection.close()


def execute(connection: Any, sql: str) -> None:
    with connection.begin():
        connection.exec_driver_sql(sql)


def declares_a_table(path: Path) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Name) and called.id == "Table" for called in calls)


def test_the_models_and_the_migrations_are_equal(database: Database) -> None:
    """A change of a table without its migration is found here; so is a migration without its table."""
    assert migrate.check(database.owner_url) == ()


def test_a_check_stands_beside_the_columns_not_within_one() -> None:
    """Alembic draws the CHECKs of a table and loses those of a column, without a word."""
    tables = migrate.gather().tables.values()
    within = [
        f"{table.fullname}.{column.name}"
        for table in tables
        for column in table.columns
        if any(isinstance(constraint, CheckConstraint) for constraint in column.constraints)
    ]
    assert within == []


async def test_the_database_that_migrations_make_is_the_one_that_the_models_make(
    database: Database, empty_database: Database
) -> None:
    """To the letter of the catalogue: also the texts of CHECKs and partial indexes, which Alembic does not compare."""

    def make(connection: Any) -> None:
        with connection.begin():
            for schema in SCHEMAS:
                connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            migrate.gather().create_all(connection)

    await asyncio.to_thread(lambda: migrate.run(empty_database.owner_url, make))
    by_models, by_migrations = await catalogue(empty_database.owner_url), await catalogue(database.owner_url)
    assert by_migrations == by_models
    assert by_models["columns"]


async def test_down_to_base_leaves_nothing(empty_database: Database) -> None:
    """Up, down and up again: a release can be taken back."""
    for _ in range(2):
        await asyncio.to_thread(lambda: migrate.upgrade(empty_database.owner_url, **empty_database.roles))
        await asyncio.to_thread(lambda: migrate.downgrade(empty_database.owner_url, **empty_database.roles))
        connection: Any = await asyncpg.connect(empty_database.superuser_url)
        left = await connection.fetch(
            """SELECT nspname FROM pg_namespace WHERE nspname = ANY($1)
               UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
                   AND relname NOT LIKE 'alembic_version%'
               UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
            list(SCHEMAS),
        )
        await connection.close()
        assert left == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate.upgrade(database.owner_url, **database.roles)
    assert migrate.check(database.owner_url) == ()


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_database: Database) -> None:
    """All revisions of a call are one transaction: there is no half release."""
    in_the_way = "CREATE SCHEMA audit"  # of revision 0001, which makes the other schemas first
    migrate.run(empty_database.owner_url, lambda connection: execute(connection, in_the_way))
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(empty_database.owner_url, **empty_database.roles)
    there = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('keys', 'oauth', 'consent', 'exchange')"
    assert migrate.run(empty_database.owner_url, lambda connection: connection.exec_driver_sql(there).scalar()) == 0


PERSON = "INSERT INTO exchange.person (id, created_at) VALUES (gen_random_uuid(), now())"
SUPERSESSION = """
ALTER TABLE consent.supersession DROP CONSTRAINT fk_supersession_consent_id,
    DROP CONSTRAINT fk_supersession_superseded_id;
INSERT INTO consent.supersession VALUES (gen_random_uuid(), gen_random_uuid(), 1)"""


@pytest.mark.parametrize(("before", "insert"), [("0003", PERSON), ("0020", SUPERSESSION)])
def test_rows_without_a_seal_are_not_taken_over(empty_database: Database, before: str, insert: str) -> None:
    """The revision that brings row seals says what to do, and leaves the database as it was."""
    owner, roles = empty_database.owner_url, empty_database.roles
    migrate.upgrade(owner, **roles, revision=before)
    for each in insert.split(";"):
        migrate.run(owner, partial(execute, sql=each))
    with pytest.raises(Misconfigured, match="stay on that release, or begin with an empty database"):
        migrate.upgrade(owner, **roles)
    at = "SELECT version_num FROM alembic_version"
    assert migrate.run(owner, lambda connection: connection.exec_driver_sql(at).scalar()) == before


ALONE = """
ALTER TABLE exchange.document DROP CONSTRAINT fk_document_dossier_id, DROP CONSTRAINT ck_document_title_sealed;
ALTER TABLE exchange.document_withdrawal DROP CONSTRAINT fk_document_withdrawal_dossier_id"""
WITHDRAWN = """
WITH made AS (
    INSERT INTO exchange.document (id, dossier_id, person_id, category, media_type, title, seal, added_at)
    VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'identity', 'text/plain', 'x', sha256('x'), now())
    RETURNING id, dossier_id, category, media_type, added_at
), told AS (
    INSERT INTO exchange.event (id, organisation_id, type, subject_type, subject_id, recorded_at)
    SELECT gen_random_uuid(), id, 'dossier.document-' || word, 'document', id, now()
    FROM made, unnest(ARRAY['stored', 'withdrawn']) AS word
)
INSERT INTO exchange.document_withdrawal
SELECT id, dossier_id, category, media_type, added_at, NULL, 'too-much', now() FROM made"""


def test_the_release_before_never_hands_out_what_was_withdrawn(empty_database: Database) -> None:
    """While a hold keeps a document that was taken back, that release stays away; and it reads every event it meets."""
    owner, roles = empty_database.owner_url, empty_database.roles
    migrate.upgrade(owner, **roles, revision="0028")
    for each in (*ALONE.split(";"), WITHDRAWN):
        migrate.run(owner, partial(execute, sql=each))
    with pytest.raises(Misconfigured, match="hand them out again"):
        migrate.downgrade(owner, **roles, revision="0027")
    migrate.run(owner, partial(execute, sql="DELETE FROM exchange.document"))
    migrate.downgrade(owner, **roles, revision="0027")
    types = "SELECT array_agg(type) FROM exchange.event"
    left = migrate.run(owner, lambda connection: connection.exec_driver_sql(types).scalar())
    assert left == ["dossier.document-stored"]


def test_the_roles_must_be_there(empty_database: Database) -> None:
    """All that lacks is told at once, each with the statement that makes it."""
    with pytest.raises(Misconfigured) as found:
        migrate.upgrade(empty_database.owner_url, app_role="nobody_test", work_role="nobody_else_test")
    assert [fault.split("as a superuser, ")[1] for fault in found.value.faults] == [
        "CREATE ROLE nobody_test LOGIN.",
        "CREATE ROLE nobody_else_test LOGIN IN ROLE nobody_test.",
    ]


def test_no_role_of_the_service_may_own_the_tables(empty_database: Database) -> None:
    for url in (empty_database.app_url, empty_database.work_url):
        with pytest.raises(Misconfigured, match="may own nothing"):
            migrate.upgrade(url, **empty_database.roles)


def test_who_works_is_a_member_of_the_application_and_not_the_other_way_round(empty_database: Database) -> None:
    """Told with the statement that mends it, which is tried."""
    owner, app, work = empty_database.owner_url, empty_database.app_role, empty_database.work_role
    superuser = empty_database.superuser_url
    migrate.run(superuser, partial(execute, sql=f"REVOKE {app} FROM {work}"))
    try:
        with pytest.raises(Misconfigured) as found:
            migrate.upgrade(owner, **empty_database.roles)
        assert found.value.faults == (
            f"The role {work} has not the rights of {app}: as a superuser, GRANT {app} TO {work}.",
        )
        migrate.run(superuser, partial(execute, sql=f"GRANT {work} TO {app}"))
        with pytest.raises(Misconfigured, match=f"could write the log: as a superuser, REVOKE {work} FROM {app}"):
            migrate.upgrade(owner, **empty_database.roles)
        migrate.run(superuser, partial(execute, sql=f"REVOKE {work} FROM {app}"))
    finally:
        migrate.run(superuser, partial(execute, sql=f"GRANT {app} TO {work}"))
    with pytest.raises(Misconfigured, match="they are two roles"):
        migrate.upgrade(owner, app_role=app, work_role=app)
    migrate.upgrade(owner, **empty_database.roles)


async def test_a_log_goes_on_as_another_role_after_an_upgrade(empty_database: Database) -> None:
    """Whoever wrote it until now writes it no more; what is there stays, and going back gives the right back."""
    owner, roles = empty_database.owner_url, empty_database.roles
    await asyncio.to_thread(migrate.upgrade, owner, **roles, revision="0038")
    before: Any = await asyncpg.connect(empty_database.app_url)
    await append(before, 300)
    assert (await settle(before)).edge.size == 300
    await append(before, 5)
    await asyncio.to_thread(migrate.upgrade, owner, **roles)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await settle(before)
    await append(before, 5)
    after: Any = await asyncpg.connect(empty_database.work_url)
    assert (await settle(after)).edge.size == 310
    await asyncio.to_thread(migrate.downgrade, owner, **roles, revision="0038")
    await append(before, 5)
    assert (await settle(before)).edge.size == 315
    await before.close()
    await after.close()


def test_every_module_that_declares_a_table_is_gathered() -> None:
    """A table that the migrations never see would be found missing only in production."""
    root = Path(api.__file__).parent
    declaring = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts)
        for path in root.rglob("*.py")
        if "migrations" not in path.parts and declares_a_table(path)
    }
    migrate.gather()
    gathered = {name for name in declaring if name.endswith(".tables")} | set(migrate.BESIDES)
    assert declaring == gathered


def test_the_command_line_migrates_checks_and_goes_back(empty_database: Database) -> None:
    """`ketenbrug migrate` alone brings the database up."""
    runner = CliRunner()
    roles = ("--app-role", empty_database.app_role, "--work-role", empty_database.work_role)
    owner = {"KETENBRUG_DATABASE_URL": empty_database.owner_url}
    assert runner.invoke(migrate.app, roles, env=owner).exit_code == 0
    assert runner.invoke(migrate.app, [*roles, "check"], env=owner).exit_code == 0
    assert runner.invoke(migrate.app, [*roles, "down", "base"], env=owner).exit_code == 0
    differs = runner.invoke(migrate.app, [*roles, "check"], env=owner)
    assert differs.exit_code == 1
    assert "add_table" in differs.output


def test_the_command_line_never_says_the_password() -> None:
    nowhere = {"KETENBRUG_DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:1/x_test"}
    missing = CliRunner().invoke(migrate.app, [], env=nowhere)
    assert isinstance(missing.exception, Misconfigured)
    assert "s3cret" not in missing.output
    assert "s3cret" not in str(missing.exception)
