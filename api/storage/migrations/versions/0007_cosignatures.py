"""Cosignatures of checkpoints: the log's own post-quantum one, and those of witnesses."""

import sqlalchemy as sa
from alembic import context, op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", "vkey", name=op.f("pk_cosignature")),
        schema="audit",
        comment="Lines that stand below the note of a checkpoint: the log's own post-quantum one, and those of witnesses. Old ones are removed: whoever needs one kept it.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, DELETE ON audit.cosignature TO {application}")


def downgrade() -> None:
    op.drop_table("cosignature", schema="audit")
