"""Which keys posts are sealed to, by their ids, so that an old file of them is found out."""

import sqlalchemy as sa
from alembic import context, op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbox_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_inbox_key")),
        schema="keys",
        comment="Ids of keys that posts are sealed to, so that nobody serves with an old file of them. No keys.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT ON keys.inbox_key TO {application}")


def downgrade() -> None:
    op.drop_table("inbox_key", schema="keys")
