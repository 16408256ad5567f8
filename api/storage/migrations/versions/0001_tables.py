"""Every table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA keys")
    op.execute("CREATE SCHEMA oauth")
    op.execute("CREATE SCHEMA consent")
    op.execute("CREATE SCHEMA exchange")
    op.execute("CREATE SCHEMA audit")
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "v_index",
            sa.LargeBinary(),
            nullable=True,
            comment="Blind index of the V-number; NULL when there is none yet.",
        ),
        sa.Column("v_number", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "get_byte(v_number, 0) = 225 AND octet_length(v_number) >= 32", name=op.f("ck_person_v_number_sealed")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("v_index", name=op.f("uq_person_v_index")),
        schema="exchange",
    )
    op.create_table(
        "person_alias",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("alias", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person_alias")),
        sa.UniqueConstraint("alias", name=op.f("uq_person_alias_alias")),
        schema="exchange",
        comment="The random name of a person in the audit log. Deleting a row makes the log anonymous.",
    )
    op.create_table(
        "person_key",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "version", name=op.f("pk_person_key")),
        schema="keys",
        comment="The key of each person, wrapped. Deleting a row is erasing the person.",
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("oin", sa.Text(), nullable=True),
        sa.Column("municipalities", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("designation_source", sa.Text(), nullable=True),
        sa.Column("designation_date", sa.Date(), nullable=True),
        sa.Column("signing_jwks", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('ngo', 'ind', 'dtv', 'avim', 'municipality', 'mrt', 'steering-group', 'programme', 'representative', 'auditor', 'operator')",
            name=op.f("ck_organisation_kind"),
        ),
        sa.CheckConstraint(
            "municipalities <@ ARRAY['amsterdam', 'eindhoven', 'groningen', 'rotterdam', 'utrecht']",
            name=op.f("ck_organisation_municipalities"),
        ),
        sa.CheckConstraint("oin ~ '^[0-9]{20}$'", name=op.f("ck_organisation_oin")),
        sa.CheckConstraint(
            "(designation_source IS NULL) = (designation_date IS NULL)", name=op.f("ck_organisation_designation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("oin", name=op.f("uq_organisation_oin")),
        schema="oauth",
        comment="The parties of the exchange. designation_*: Aliens Act 2000 article 107(8), with its source. signing_jwks: public keys that sign agreements for it.",
    )
    op.create_table(
        "seen",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_seen")),
        schema="oauth",
        comment="Marks of what was used once (DPoP proofs, client assertions). No personal data: digests.",
    )
    op.create_table(
        "case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("with_status", sa.Boolean(), nullable=False, comment="Whether the person has LVV status."),
        sa.Column("closed_date", sa.Date(), nullable=True),
        sa.Column("leaving_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "leaving_reason IN ('permit-asylum', 'permit-regularisation', 'permit-other', 'return', 'onward-migration', 'state-shelter-repeat-application', 'departure-postponed-medical', 'mob', 'municipal-shelter', 'handover', 'exclusion', 'shelter-term-ended', 'deceased', 'other')",
            name=op.f("ck_case_leaving_reason"),
        ),
        sa.CheckConstraint(
            "municipality IN ('amsterdam', 'eindhoven', 'groningen', 'rotterdam', 'utrecht')",
            name=op.f("ck_case_municipality"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["exchange.person.id"], name=op.f("fk_case_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case")),
        schema="exchange",
    )
    op.create_index(op.f("ix_case_person_id"), "case", ["person_id"], unique=False, schema="exchange")
    op.create_table(
        "client",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("jwks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("grant_type", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("client_id ~ '^[a-z0-9][a-z0-9-]{1,63}$'", name=op.f("ck_client_client_id")),
        sa.CheckConstraint("grant_type IN ('client_credentials')", name=op.f("ck_client_grant_type")),
        sa.CheckConstraint(
            "scopes <@ ARRAY['cases:read', 'cases:write', 'consents:read', 'consents:write', 'agreements:read', 'agreements:write', 'dossier-requests:read', 'dossier-requests:write', 'dossiers:read', 'dossiers:write', 'screening-outcomes:read', 'screening-outcomes:write', 'advice:read', 'advice:write', 'advice-requests:read', 'advice-requests:write', 'meetings:read', 'meetings:write', 'events:read', 'subscriptions:write', 'statistics:read', 'persons:read', 'audit:read-own', 'audit:read', 'admin:write']",
            name=op.f("ck_client_scopes"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["oauth.organisation.id"], name=op.f("fk_client_organisation_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client")),
        schema="oauth",
        comment="Machine clients. epoch counts the changes of the row and of its organisation.",
    )
    op.create_index(op.f("ix_client_organisation_id"), "client", ["organisation_id"], unique=False, schema="oauth")
    op.create_table(
        "admission_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("addressee", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answers", sa.LargeBinary(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("conditions", sa.LargeBinary(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("review_date", sa.Date(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "result IN ('admitted', 'admitted-by-exception', 'sheltered-without-lvv-status', 'not-admitted')",
            name=op.f("ck_admission_check_result"),
        ),
        sa.CheckConstraint(
            "get_byte(answers, 0) = 225 AND octet_length(answers) >= 32", name=op.f("ck_admission_check_answers_sealed")
        ),
        sa.CheckConstraint(
            "get_byte(conditions, 0) = 225 AND octet_length(conditions) >= 32",
            name=op.f("ck_admission_check_conditions_sealed"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["exchange.case.id"], name=op.f("fk_admission_check_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admission_check")),
        schema="exchange",
    )
    op.create_index(
        op.f("ix_admission_check_addressee"), "admission_check", ["addressee"], unique=False, schema="exchange"
    )
    op.create_index(op.f("ix_admission_check_case_id"), "admission_check", ["case_id"], unique=False, schema="exchange")
    op.create_table(
        "assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "function IN ('coordination', 'shelter', 'legal-screening', 'social-guidance', 'activation', 'housing', 'return-guidance')",
            name=op.f("ck_assignment_function"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["exchange.case.id"], name=op.f("fk_assignment_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        schema="exchange",
    )
    op.create_index(
        "ix_assignment_case_id_organisation_id",
        "assignment",
        ["case_id", "organisation_id"],
        unique=False,
        schema="exchange",
    )
    op.create_index(
        "ix_assignment_organisation_id_case_id",
        "assignment",
        ["organisation_id", "case_id"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "dossier_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("requester", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("proportionality_note", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("working_days", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal_reason", sa.LargeBinary(), nullable=True),
        sa.Column(
            "missing",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Category -> withheld-by-law | not-found, as the supplier says.",
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "categories <@ ARRAY['admission-facts', 'identity', 'contact', 'whereabouts', 'travel-documents', 'procedure-history', 'family', 'return', 'decisions', 'hearings', 'medical', 'belief', 'orientation', 'ethnicity', 'public-order', 'detention', 'shared-outcome', 'legal-analysis', 'advice']",
            name=op.f("ck_dossier_request_categories"),
        ),
        sa.CheckConstraint(
            "purpose IN ('admission', 'legal-screening', 'residence-advice', 'return-advice', 'identity-advice', 'case-meeting', 'escalation', 'subject-access', 'audit-review', 'enforcement')",
            name=op.f("ck_dossier_request_purpose"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'acknowledged', 'delivered', 'complete', 'refused', 'cancelled')",
            name=op.f("ck_dossier_request_state"),
        ),
        sa.CheckConstraint(
            "get_byte(proportionality_note, 0) = 225 AND octet_length(proportionality_note) >= 32",
            name=op.f("ck_dossier_request_proportionality_note_sealed"),
        ),
        sa.CheckConstraint(
            "get_byte(refusal_reason, 0) = 225 AND octet_length(refusal_reason) >= 32",
            name=op.f("ck_dossier_request_refusal_reason_sealed"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["exchange.case.id"], name=op.f("fk_dossier_request_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dossier_request")),
        schema="exchange",
    )
    op.create_index(op.f("ix_dossier_request_case_id"), "dossier_request", ["case_id"], unique=False, schema="exchange")
    op.create_index(
        op.f("ix_dossier_request_requester"), "dossier_request", ["requester"], unique=False, schema="exchange"
    )
    op.create_index(
        op.f("ix_dossier_request_supplier"), "dossier_request", ["supplier"], unique=False, schema="exchange"
    )
    op.create_table(
        "dossier",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["exchange.dossier_request.id"], name=op.f("fk_dossier_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dossier")),
        sa.UniqueConstraint("request_id", name=op.f("uq_dossier_request_id")),
        schema="exchange",
    )
    op.create_table(
        "dossier_section",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dossier_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("fields", sa.ARRAY(sa.Text()), nullable=False, comment="Names of the fields; never values."),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('admission-facts', 'identity', 'contact', 'whereabouts', 'travel-documents', 'procedure-history', 'family', 'return', 'decisions', 'hearings', 'medical', 'belief', 'orientation', 'ethnicity', 'public-order', 'detention')",
            name=op.f("ck_dossier_section_category"),
        ),
        sa.CheckConstraint(
            "get_byte(content, 0) = 225 AND octet_length(content) >= 32", name=op.f("ck_dossier_section_content_sealed")
        ),
        sa.ForeignKeyConstraint(["dossier_id"], ["exchange.dossier.id"], name=op.f("fk_dossier_section_dossier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dossier_section")),
        sa.UniqueConstraint("dossier_id", "category", name=op.f("uq_dossier_section_dossier_id_category")),
        schema="exchange",
    )


def downgrade() -> None:
    op.drop_table("dossier_section", schema="exchange")
    op.drop_table("dossier", schema="exchange")
    op.drop_index(op.f("ix_dossier_request_supplier"), table_name="dossier_request", schema="exchange")
    op.drop_index(op.f("ix_dossier_request_requester"), table_name="dossier_request", schema="exchange")
    op.drop_index(op.f("ix_dossier_request_case_id"), table_name="dossier_request", schema="exchange")
    op.drop_table("dossier_request", schema="exchange")
    op.drop_index("ix_assignment_organisation_id_case_id", table_name="assignment", schema="exchange")
    op.drop_index("ix_assignment_case_id_organisation_id", table_name="assignment", schema="exchange")
    op.drop_table("assignment", schema="exchange")
    op.drop_index(op.f("ix_admission_check_case_id"), table_name="admission_check", schema="exchange")
    op.drop_index(op.f("ix_admission_check_addressee"), table_name="admission_check", schema="exchange")
    op.drop_table("admission_check", schema="exchange")
    op.drop_index(op.f("ix_client_organisation_id"), table_name="client", schema="oauth")
    op.drop_table("client", schema="oauth")
    op.drop_index(op.f("ix_case_person_id"), table_name="case", schema="exchange")
    op.drop_table("case", schema="exchange")
    op.drop_table("seen", schema="oauth")
    op.drop_table("organisation", schema="oauth")
    op.drop_table("person_key", schema="keys")
    op.drop_table("person_alias", schema="exchange")
    op.drop_table("person", schema="exchange")
    op.execute("DROP SCHEMA audit")
    op.execute("DROP SCHEMA exchange")
    op.execute("DROP SCHEMA consent")
    op.execute("DROP SCHEMA oauth")
    op.execute("DROP SCHEMA keys")
