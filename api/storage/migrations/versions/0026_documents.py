"""Documents of a dossier, and the parts of their contents."""

import sqlalchemy as sa
from alembic import context, op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CATEGORIES = (
    "admission-facts",
    "identity",
    "contact",
    "whereabouts",
    "travel-documents",
    "procedure-history",
    "family",
    "return",
    "decisions",
    "hearings",
    "medical",
    "belief",
    "orientation",
    "ethnicity",
    "public-order",
    "detention",
)
KINDS = ("application/pdf", "image/jpeg", "image/png", "image/tiff", "text/plain")


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{each}'" for each in words)


def _sealed(name: str) -> sa.CheckConstraint:
    rule = f"get_byte({name}, 0) = 225 AND octet_length({name}) >= 32"
    return sa.CheckConstraint(rule, name=op.f(f"ck_document_{name}_sealed"))


def upgrade() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dossier_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column(
            "length",
            sa.Integer(),
            nullable=True,
            comment="Bytes of the content; NULL until it is there, as all that tells of it.",
        ),
        sa.Column("upload", sa.Uuid(), nullable=True, comment="Which parts are the content."),
        sa.Column(
            "fingerprint",
            sa.LargeBinary(),
            nullable=True,
            comment="HMAC of the digest, by which a repeated upload is known.",
        ),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"category IN ({_listed(CATEGORIES)})", name=op.f("ck_document_category")),
        sa.CheckConstraint(f"media_type IN ({_listed(KINDS)})", name=op.f("ck_document_media_type")),
        _sealed("title"),
        _sealed("secret"),
        sa.CheckConstraint("octet_length(seal) = 32", name=op.f("ck_document_seal")),
        sa.CheckConstraint(
            "num_nulls(secret, length, upload, fingerprint, stored_at) IN (0, 5)", name=op.f("ck_document_stored")
        ),
        sa.ForeignKeyConstraint(["dossier_id"], ["exchange.dossier.id"], name=op.f("fk_document_dossier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("upload", name=op.f("uq_document_upload")),
        schema="exchange",
    )
    op.create_index(op.f("ix_document_dossier_id"), "document", ["dossier_id"], schema="exchange")
    op.create_index(op.f("ix_document_person_id"), "document", ["person_id"], schema="exchange")
    op.create_table(
        "document_part",
        sa.Column(
            "upload",
            sa.Uuid(),
            nullable=False,
            comment="One attempt to send a content; of no document unless that names it.",
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=False,
            comment="Sealed chunks (C2SP chunked-encryption), in order.",
        ),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("upload", "number", name=op.f("pk_document_part")),
        schema="exchange",
    )
    op.create_index(
        "ix_document_part_first",
        "document_part",
        ["stored_at"],
        schema="exchange",
        postgresql_where=sa.text("number = 0"),
    )
    # Ciphertext does not compress: PostgreSQL need not try.
    op.execute("ALTER TABLE exchange.document_part ALTER COLUMN content SET STORAGE EXTERNAL")
    role = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, DELETE ON exchange.document, exchange.document_part TO {role}")
    op.execute(f"GRANT UPDATE (secret, seal, length, upload, fingerprint, stored_at) ON exchange.document TO {role}")


def downgrade() -> None:
    op.drop_table("document_part", schema="exchange")
    op.drop_table("document", schema="exchange")
