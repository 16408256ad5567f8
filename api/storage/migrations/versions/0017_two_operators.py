"""Operators with a key of their own, and what one of them proposed until another one confirmed it."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_operator")),
        schema="oauth",
        comment="Operators of the exchange, under opaque names, with the public key that each signs with.",
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_signature", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Text()),
        sa.Column("confirmed_signature", sa.Text()),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "deed IN ('organisation', 'client', 'designation', 'operator')", name=op.f("ck_proposal_deed")
        ),
        sa.CheckConstraint("confirmed_by <> proposed_by", name=op.f("ck_proposal_two")),
        sa.CheckConstraint(
            "num_nulls(confirmed_by, confirmed_signature, confirmed_at) IN (0, 3)",
            name=op.f("ck_proposal_confirmed"),
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["oauth.operator.name"], name=op.f("fk_proposal_proposed_by")),
        sa.ForeignKeyConstraint(["confirmed_by"], ["oauth.operator.name"], name=op.f("fk_proposal_confirmed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        schema="oauth",
        comment="What one operator proposed to register, and who confirmed it; both signatures stay.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT ON oauth.operator TO {application}")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_signature, confirmed_at) "
        f"ON oauth.proposal TO {application}"
    )


def downgrade() -> None:
    op.drop_table("proposal", schema="oauth")
    op.drop_table("operator", schema="oauth")
