"""Callers who proved nothing are counted, until a worker summarises a minute of them in the log."""

import sqlalchemy as sa
from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unproven",
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_unproven_count")),
        sa.PrimaryKeyConstraint("minute", "zone", "reason", name=op.f("pk_unproven")),
        schema="oauth",
        comment="Refused requests of callers who proved nothing, until a worker makes an entry of a minute.",
    )
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON oauth.unproven TO {role}")


def downgrade() -> None:
    op.drop_table("unproven", schema="oauth")
