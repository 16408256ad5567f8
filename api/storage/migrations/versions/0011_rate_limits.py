"""What workers have leased of a client's rate limit."""

import sqlalchemy as sa
from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allowance",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("window_no", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_allowance")),
        schema="oauth",
        comment="What workers have leased of a client's rate limit in the present window. Lost in a crash, and may be.",
        prefixes=["UNLOGGED"],
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON oauth.allowance TO {application}")


def downgrade() -> None:
    op.drop_table("allowance", schema="oauth")
