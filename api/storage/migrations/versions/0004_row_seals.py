"""Row seals, one key per person that is replaced in place, and epochs of the key-encryption key.

Rows that were sealed before have no seal, and here is no key to make one: this revision takes an empty database or
refuses. Going back loses every seal; what is sealed then stays sealed, but this revision does not take it any more.
"""

import sqlalchemy as sa
from alembic import context, op

from api.errors import Misconfigured

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEALED = {
    "exchange": (
        "admission_check",
        "advice",
        "advice_request",
        "dossier",
        "dossier_request",
        "person",
        "screening_outcome",
    ),
    "consent": ("consent", "consent_event"),
}

# What was wrapped under an epoch that is over could never be unwrapped: whoever still does so must fail, not lose it.
OVER = """
CREATE FUNCTION keys.refuse_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM keys.destroyed_kek d WHERE d.kek = NEW.kek) THEN
        RAISE insufficient_privilege USING MESSAGE = format('the epoch of %s is over', NEW.kek);
    END IF;
    RETURN NEW;
END $$
"""
GUARD = """
CREATE TRIGGER living_epoch BEFORE INSERT OR UPDATE ON keys.person_key
    FOR EACH ROW EXECUTE FUNCTION keys.refuse_destroyed()
"""
# Its facts are never rewritten; what is sealed in it is sealed anew when the person's key is replaced.
EVENT = """
CREATE TRIGGER append_only BEFORE UPDATE {columns}OR DELETE OR TRUNCATE ON consent.consent_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()
"""
FACTS = "id, consent_id, sequence, kind, at, valid_until, by_organisation_id, by_client"


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])


def _append_only(columns: str) -> None:
    op.execute("DROP TRIGGER append_only ON consent.consent_event")
    op.execute(EVENT.format(columns=columns))
    op.execute("ALTER TABLE consent.consent_event ENABLE ALWAYS TRIGGER append_only")


def _check_empty() -> None:
    for schema, tables in SEALED.items():
        for table in tables:
            if op.get_bind().exec_driver_sql(f'SELECT EXISTS (SELECT FROM {schema}."{table}")').scalar():  # noqa: S608
                why = (
                    f"{schema}.{table} holds rows that an earlier release sealed without row seals, which cannot be added "
                    "here: stay on that release, or begin with an empty database and register anew. Nothing was changed."
                )
                raise Misconfigured((why,))


def upgrade() -> None:
    _check_empty()
    for schema, tables in SEALED.items():
        for table in tables:
            op.add_column(table, sa.Column("seal", sa.LargeBinary(), nullable=False), schema=schema)
            op.create_check_constraint(op.f(f"ck_{table}_seal"), table, "octet_length(seal) = 32", schema=schema)
    op.drop_constraint(op.f("pk_person_key"), "person_key", schema="keys")
    op.create_primary_key(op.f("pk_person_key"), "person_key", ["person_id"], schema="keys")
    op.create_check_constraint(
        op.f("ck_person_key_version"), "person_key", "version BETWEEN 1 AND 32767", schema="keys"
    )
    op.create_index("ix_person_key_kek", "person_key", ["kek"], schema="keys")
    op.create_index("ix_person_key_created_at", "person_key", ["created_at"], schema="keys")
    op.create_table_comment(
        "person_key",
        "The one key of each person, wrapped. Whoever seals with it holds the row until commit; a new version replaces the old one in the transaction that seals everything anew. Deleting a row is erasing the person.",
        existing_comment="The key of each person, wrapped. Deleting a row is erasing the person.",
        schema="keys",
    )
    op.create_table(
        "destroyed_kek",
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kek", name=op.f("pk_destroyed_kek")),
        schema="keys",
        comment="Epochs that are over. A trigger on person_key refuses what is wrapped under one.",
    )
    op.create_table(
        "rotation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("what IN ('dek', 'index')", name=op.f("ck_rotation_what")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation")),
        schema="keys",
        comment="Replacements that take long: one that was interrupted goes on from when it began.",
    )
    op.create_index(
        "uq_rotation_running",
        "rotation",
        ["what"],
        unique=True,
        schema="keys",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.execute(OVER)
    op.execute(GUARD)
    op.execute("ALTER TABLE keys.person_key ENABLE ALWAYS TRIGGER living_epoch")
    _append_only(f"OF {FACTS} ")
    application = _application()
    # FOR SHARE needs the right to change some column: this one tells least.
    op.execute(f"GRANT UPDATE (created_at) ON keys.person_key TO {application}")
    op.execute(f"GRANT SELECT ON keys.destroyed_kek, keys.rotation TO {application}")


def downgrade() -> None:
    application = _application()
    op.execute(f"REVOKE ALL ON keys.destroyed_kek, keys.rotation FROM {application}")
    op.execute(f"REVOKE UPDATE (created_at) ON keys.person_key FROM {application}")
    _append_only("")
    op.execute("DROP TRIGGER living_epoch ON keys.person_key")
    op.execute("DROP FUNCTION keys.refuse_destroyed()")
    op.drop_table("rotation", schema="keys")
    op.drop_table("destroyed_kek", schema="keys")
    op.create_table_comment(
        "person_key",
        "The key of each person, wrapped. Deleting a row is erasing the person.",
        existing_comment="",
        schema="keys",
    )
    op.drop_index("ix_person_key_created_at", "person_key", schema="keys")
    op.drop_index("ix_person_key_kek", "person_key", schema="keys")
    op.drop_constraint(op.f("ck_person_key_version"), "person_key", schema="keys")
    op.drop_constraint(op.f("pk_person_key"), "person_key", schema="keys")
    op.create_primary_key(op.f("pk_person_key"), "person_key", ["person_id", "version"], schema="keys")
    for schema, tables in SEALED.items():
        for table in tables:
            op.drop_column(table, "seal", schema=schema)
