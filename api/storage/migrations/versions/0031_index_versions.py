"""A version of the V-number index that was put away takes nobody in any more."""

import sqlalchemy as sa
from alembic import context, op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# Who did not see the new key in time computes again: 40001 is retried, and then says to come again.
PUT_AWAY = """
CREATE FUNCTION exchange.refuse_old_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM keys.index_version v WHERE v.version > get_byte(NEW.v_index, 0)) THEN
        RAISE serialization_failure USING MESSAGE = 'this version of the index is put away';
    END IF;
    RETURN NEW;
END $$
"""
GUARD = """
CREATE TRIGGER living_index BEFORE INSERT OR UPDATE OF v_index ON exchange.person
    FOR EACH ROW WHEN (NEW.v_index IS NOT NULL) EXECUTE FUNCTION exchange.refuse_old_index()
"""


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])


def upgrade() -> None:
    op.create_table(
        "index_version",
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_index_version")),
        schema="keys",
        comment="Versions of the V-number index that were the only one since. A trigger on person refuses those before: who still computes under such a key would store a person whom nobody finds.",
    )
    op.execute(PUT_AWAY)
    op.execute(GUARD)
    op.execute("ALTER TABLE exchange.person ENABLE ALWAYS TRIGGER living_index")
    op.execute(f"GRANT SELECT ON keys.index_version TO {_application()}")


def downgrade() -> None:
    op.execute(f"REVOKE ALL ON keys.index_version FROM {_application()}")
    op.execute("DROP TRIGGER living_index ON exchange.person")
    op.execute("DROP FUNCTION exchange.refuse_old_index()")
    op.drop_table("index_version", schema="keys")
