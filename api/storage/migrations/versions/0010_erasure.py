"""Erasure of a person, and the holds that forbid it."""

import sqlalchemy as sa
from alembic import context, op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

GROUNDS = "'court-order', 'pending-proceedings', 'archives-act', 'data-breach-investigation'"
REASONS = "'no-longer-needed', 'consent-withdrawn', 'objection', 'unlawful', 'legal-obligation'"


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])


def upgrade() -> None:
    op.add_column("person", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True), schema="exchange")
    op.create_check_constraint(
        op.f("ck_person_erased"),
        "person",
        "erased_at IS NULL OR (v_index IS NULL AND v_number IS NULL)",
        schema="exchange",
    )
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"ground IN ({GROUNDS})", name=op.f("ck_legal_hold_ground")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
        schema="exchange",
        comment="While one stands the person is not erased, whoever asks.",
    )
    op.create_index(
        "uq_legal_hold_standing",
        "legal_hold",
        ["person_id"],
        unique=True,
        schema="exchange",
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("key_version", sa.SmallInteger(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"ground IN ({REASONS})", name=op.f("ck_erasure_ground")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        schema="exchange",
        comment="Proof that a key was destroyed: SHA-256 of the wrapped key that is gone. Not whose it was.",
    )
    application = _application()
    op.execute(f"GRANT SELECT, INSERT ON exchange.erasure TO {application}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (released_at) ON exchange.legal_hold TO {application}")
    op.execute(f"GRANT UPDATE (v_index, v_number, erased_at) ON exchange.person TO {application}")
    op.execute(f"GRANT DELETE ON keys.person_key, exchange.person_alias TO {application}")


def downgrade() -> None:
    application = _application()
    op.execute(f"REVOKE DELETE ON keys.person_key, exchange.person_alias FROM {application}")
    op.execute(f"REVOKE UPDATE (v_index, v_number, erased_at) ON exchange.person FROM {application}")
    op.drop_table("erasure", schema="exchange")
    op.drop_table("legal_hold", schema="exchange")
    op.drop_constraint(op.f("ck_person_erased"), "person", schema="exchange")
    op.drop_column("person", "erased_at", schema="exchange")
