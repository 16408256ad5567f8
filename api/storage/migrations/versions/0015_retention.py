"""Retention: what entries said may go when its term is over, and their hashes stay.

Until now nothing of `audit.entry` could be deleted. From here on a body can be, by the owner, once a mark says that
those below it are past their term; marks are append-only.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION audit.refuse_early_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN
        IF EXISTS (SELECT FROM audit.retention) THEN
            RETURN NULL;
        END IF;
    ELSIF EXISTS (
        SELECT FROM audit.leaf l WHERE l.entry_id = OLD.id AND l.index < (SELECT max(below) FROM audit.retention)
    ) THEN
        RETURN OLD;
    END IF;
    RAISE insufficient_privilege USING MESSAGE = 'audit.entry is append-only until the retention term is over';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "retention",
        sa.Column("below", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("below > 0 AND below % 256 = 0", name=op.f("ck_retention_whole_bundles")),
        sa.PrimaryKeyConstraint("below", name=op.f("pk_retention")),
        schema="audit",
        comment="What entries below this index said is past its term: it may be deleted, and their hashes stay.",
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.retention "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()"
    )
    op.execute("ALTER TABLE audit.retention ENABLE ALWAYS TRIGGER append_only")
    op.execute(f"GRANT SELECT ON audit.retention TO {_application()}")
    op.execute(REFUSE)
    op.execute("DROP TRIGGER append_only ON audit.entry")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit.entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()"
    )
    op.execute("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER append_only")
    for name, level in (("kept_while_no_term_is_over", "STATEMENT"), ("kept_until_its_term", "ROW")):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE DELETE ON audit.entry "
            f"FOR EACH {level} EXECUTE FUNCTION audit.refuse_early_deletion()"
        )
        op.execute(f"ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER {name}")


def downgrade() -> None:
    op.execute("DROP TRIGGER kept_while_no_term_is_over ON audit.entry")
    op.execute("DROP TRIGGER kept_until_its_term ON audit.entry")
    op.execute("DROP TRIGGER append_only ON audit.entry")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()"
    )
    op.execute("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER append_only")
    op.execute("DROP FUNCTION audit.refuse_early_deletion()")
    op.drop_table("retention", schema="audit")


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
