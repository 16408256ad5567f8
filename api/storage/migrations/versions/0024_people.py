"""Where people sign in, who is signed in, and links by which somebody may do so once."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

DEEDS = ("organisation", "client", "designation", "operator")
ROLES = ("case-worker", "coordinator", "privacy-officer", "auditor", "operator")


def upgrade() -> None:
    _deeds(*DEEDS, "provider")
    op.create_table(
        "provider",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("role_claim", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.JSONB(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _of("organisation", "provider"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider")),
        sa.UniqueConstraint("issuer", "client_id", name=op.f("uq_provider_issuer_client_id")),
        schema="oauth",
        comment="OpenID providers of organisations, where their people sign in. client_id: what we are called there. "
        "roles: values of role_claim, and the role that each is here.",
    )
    op.create_index(op.f("ix_provider_organisation_id"), "provider", ["organisation_id"], schema="oauth")
    op.create_table(
        "session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid()),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _roles("session"),
        _of("organisation", "session"),
        _of("provider", "session"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session")),
        sa.UniqueConstraint("id", name=op.f("uq_session_id")),
        schema="oauth",
        comment="People who are signed in. digest: of what their cookie holds. person: the pseudonym by which the log "
        "knows them. sealed: their name, under a key that only the cookie gives. provider_id is null: by an operator's "
        "link.",
    )
    op.create_index(op.f("ix_session_organisation_id"), "session", ["organisation_id"], schema="oauth")
    op.create_index(op.f("ix_session_provider_id"), "session", ["provider_id"], schema="oauth")
    op.create_table(
        "link",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _roles("link"),
        _of("organisation", "link"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_link")),
        schema="oauth",
        comment="Links by which somebody may sign in once, made by an operator. digest: of the secret in the link.",
    )
    application = op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE (role_claim, roles, contact, enabled) ON oauth.provider TO {application}")
    op.execute(f"GRANT SELECT, INSERT, DELETE, UPDATE (seen_at) ON oauth.session TO {application}")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON oauth.link TO {application}")


def downgrade() -> None:
    op.drop_table("link", schema="oauth")
    op.drop_table("session", schema="oauth")
    op.drop_table("provider", schema="oauth")
    op.execute("DELETE FROM oauth.proposal WHERE deed = 'provider'")
    _deeds(*DEEDS)


def _deeds(*deeds: str) -> None:
    listed = ", ".join(f"'{each}'" for each in deeds)
    op.drop_constraint(op.f("ck_proposal_deed"), "proposal", schema="oauth")
    op.create_check_constraint(op.f("ck_proposal_deed"), "proposal", f"deed IN ({listed})", schema="oauth")


def _of(other: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{other}_id")
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"oauth.{other}.id"], name=name)


def _roles(table: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{each}'" for each in ROLES)
    return sa.CheckConstraint(f"roles <@ ARRAY[{listed}]", name=op.f(f"ck_{table}_roles"))
