"""How far the log was delivered to a logbook."""

import sqlalchemy as sa
from alembic import context, op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("next >= 0", name=op.f("ck_delivery_next_natural")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_delivery")),
        schema="audit",
        comment="Up to which index the log was delivered elsewhere, and confirmed there.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON audit.delivery TO {application}")


def downgrade() -> None:
    op.drop_table("delivery", schema="audit")
