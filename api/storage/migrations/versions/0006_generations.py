"""Generations of the log: which cluster numbers the transactions of its entries, and since when."""

import sqlalchemy as sa
from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "generation",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("first_entry", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_generation_number_natural")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_generation")),
        schema="audit",
        comment="Where the numbering of transactions began anew: the cluster that numbers them, the name of the log from there on when it was given one, the entry id above which entries are of this generation, the size of the tree then.",
    )
    op.execute(
        "INSERT INTO audit.generation (number, system_identifier, first_entry, size, at) "
        "SELECT 1, system_identifier, 0, 0, now() FROM pg_control_system()"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.generation "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()"
    )
    op.execute("ALTER TABLE audit.generation ENABLE ALWAYS TRIGGER append_only")
    op.execute(f"GRANT SELECT ON audit.generation TO {_application()}")
    op.add_column(
        "checkpoint", sa.Column("generation", sa.Integer(), nullable=False, server_default="1"), schema="audit"
    )
    op.alter_column("checkpoint", "generation", server_default=None, schema="audit")
    op.create_table_comment(
        "checkpoint",
        "Signed heads of the tree. The key is the compare-and-swap of the sequencer: a size is signed once. generation, last_xid, last_id: the last entry that is in the tree.",
        schema="audit",
    )


def downgrade() -> None:
    op.create_table_comment(
        "checkpoint",
        "Signed heads of the tree. The key is the compare-and-swap of the sequencer: a size is signed once. last_xid, last_id: the last entry that is in the tree.",
        schema="audit",
    )
    op.drop_column("checkpoint", "generation", schema="audit")
    op.drop_table("generation", schema="audit")


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
