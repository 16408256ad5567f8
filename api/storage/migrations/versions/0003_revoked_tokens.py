"""Access tokens that were revoked (RFC 7009)."""

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revoked",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_revoked")),
        schema="oauth",
        comment="Access tokens that were revoked and have not expired yet (RFC 7009). No personal data: digests.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, DELETE ON oauth.revoked TO {application}")


def downgrade() -> None:
    op.drop_table("revoked", schema="oauth")
