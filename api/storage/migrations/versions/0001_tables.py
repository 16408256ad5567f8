"""Every table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from api.storage.migrations import kinds

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
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("last_xid", kinds.Named("xid8"), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(root) = 32", name=op.f("ck_checkpoint_root_length")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_checkpoint_size_natural")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
        schema="audit",
        comment="Signed heads of the tree. The key is the compare-and-swap of the sequencer: a size is signed once. last_xid, last_id: the last entry that is in the tree.",
    )
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", kinds.Named("xid8"), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column(
            "leaf_hash", sa.LargeBinary(), sa.Computed("sha256('\\x00'::bytea || leaf)", persisted=True), nullable=False
        ),
        sa.CheckConstraint("octet_length(leaf) BETWEEN 2 AND 65535", name=op.f("ck_entry_leaf_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        schema="audit",
        comment="The exact bytes of every entry. xid: the transaction that wrote it; identity values do not commit in order, so that a reader who went by them would miss late committers.",
    )
    op.create_index("ix_entry_xid_id", "entry", ["xid", "id"], unique=False, schema="audit")
    op.create_table(
        "leaf",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("index >= 0", name=op.f("ck_leaf_index_natural")),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name=op.f("ck_leaf_leaf_hash_length")),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_leaf")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_leaf_entry_id")),
        schema="audit",
        comment="Which entry stands at which index, with its hash as it was put into the tree.",
    )
    op.create_table(
        "projection",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("organisation", sa.Uuid(), nullable=True),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("object_type", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_projection")),
        schema="audit",
        comment="Search columns, read from the leaves by the sequencer. A member that is missing or odd is NULL.",
    )
    op.create_index("ix_projection_action_index", "projection", ["action", "index"], unique=False, schema="audit")
    op.create_index("ix_projection_at_index", "projection", ["at", "index"], unique=False, schema="audit")
    op.create_index("ix_projection_object_id_index", "projection", ["object_id", "index"], unique=False, schema="audit")
    op.create_index(
        "ix_projection_organisation_index", "projection", ["organisation", "index"], unique=False, schema="audit"
    )
    op.create_table(
        "projection_person",
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("person", "index", name=op.f("pk_projection_person")),
        schema="audit",
        comment="Which entries are about whom, by the person's alias in this log.",
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("width", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "width BETWEEN 1 AND 256 AND octet_length(data) = 32 * width", name=op.f("ck_tile_data_length")
        ),
        sa.PrimaryKeyConstraint("level", "n", "width", name=op.f("pk_tile")),
        schema="audit",
        comment="Tiles (C2SP tlog-tiles): every full one, and above level 0 every partial one that a checkpoint rests on. The partial tile of level 0 is not stored: its hashes are the last rows of audit.leaf.",
    )
    op.create_table(
        "verifier",
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("vkey", name=op.f("pk_verifier")),
        schema="audit",
        comment="Verifier keys of the log, since when. Public. Whoever checks should also have them from elsewhere.",
    )
    op.create_table(
        "agreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("rests_on", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind <> 'side-agreement' OR rests_on IS NOT NULL", name=op.f("ck_agreement_side_rests")),
        sa.CheckConstraint(
            "kind IN ('covenant', 'side-agreement', 'commission', 'data-sharing')", name=op.f("ck_agreement_kind")
        ),
        sa.CheckConstraint(
            "municipality IN ('amsterdam', 'eindhoven', 'groningen', 'rotterdam', 'utrecht')",
            name=op.f("ck_agreement_municipality"),
        ),
        sa.ForeignKeyConstraint(["rests_on"], ["consent.agreement.id"], name=op.f("fk_agreement_rests_on")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
        schema="consent",
        comment="A data-sharing agreement (gegevensdelingsafspraak) of one municipality.",
    )
    op.create_index(op.f("ix_agreement_municipality"), "agreement", ["municipality"], unique=False, schema="consent")
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("recipient_organisation_id", sa.Uuid(), nullable=False),
        sa.Column("function", sa.Text(), nullable=True),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("text_id", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "categories <@ ARRAY['admission-facts', 'identity', 'contact', 'whereabouts', 'travel-documents', 'procedure-history', 'family', 'return', 'decisions', 'hearings', 'medical', 'belief', 'orientation', 'ethnicity', 'public-order', 'detention', 'shared-outcome', 'legal-analysis', 'advice']",
            name=op.f("ck_consent_categories"),
        ),
        sa.CheckConstraint(
            "function IN ('coordination', 'shelter', 'legal-screening', 'social-guidance', 'activation', 'housing', 'return-guidance')",
            name=op.f("ck_consent_function"),
        ),
        sa.CheckConstraint(
            "given_by IN ('self', 'legal-representative', 'guardian', 'mentor')", name=op.f("ck_consent_given_by")
        ),
        sa.CheckConstraint("kind IN ('authorisation', 'explicit-consent')", name=op.f("ck_consent_kind")),
        sa.CheckConstraint("purpose <> 'enforcement'", name=op.f("ck_consent_never")),
        sa.CheckConstraint(
            "purpose IN ('admission', 'legal-screening', 'residence-advice', 'return-advice', 'identity-advice', 'case-meeting', 'escalation', 'subject-access', 'audit-review', 'enforcement')",
            name=op.f("ck_consent_purpose"),
        ),
        sa.CheckConstraint("cardinality(categories) >= 1", name=op.f("ck_consent_some")),
        sa.CheckConstraint(
            "get_byte(evidence, 0) = 225 AND octet_length(evidence) >= 32", name=op.f("ck_consent_evidence_sealed")
        ),
        sa.CheckConstraint("octet_length(text_sha256) = 32", name=op.f("ck_consent_text_sha256")),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_consent_validity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        schema="consent",
        comment="What a person was asked: one purpose, one recipient in one function, some categories. State: see events.",
    )
    op.create_index(
        "ix_consent_case_id_recipient_organisation_id",
        "consent",
        ["case_id", "recipient_organisation_id"],
        unique=False,
        schema="consent",
    )
    op.create_index(op.f("ix_consent_person_id"), "consent", ["person_id"], unique=False, schema="consent")
    op.create_table(
        "event",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", kinds.Named("xid8"), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event")),
        sa.UniqueConstraint("id", name=op.f("uq_event_id")),
        schema="exchange",
    )
    op.create_index(
        "ix_event_organisation_id_xid_position",
        "event",
        ["organisation_id", "xid", "position"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "idempotency_key",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "operation", "key", name=op.f("pk_idempotency_key")),
        schema="exchange",
    )
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
        "reported_figure",
        sa.Column("reference_date", sa.Date(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column(
            "value",
            sa.Integer(),
            nullable=True,
            comment="Whole people, places or per cents; NULL when no number was printed.",
        ),
        sa.Column("text", sa.Text(), nullable=True, comment="What was printed, where the number does not tell it."),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "measure IN ('intended-capacity', 'occupancy', 'occupancy-percentage', 'free-percentage', 'durable-target')",
            name=op.f("ck_reported_figure_measure"),
        ),
        sa.CheckConstraint(
            "municipality IN ('amsterdam', 'eindhoven', 'groningen', 'rotterdam', 'utrecht')",
            name=op.f("ck_reported_figure_municipality"),
        ),
        sa.CheckConstraint("value IS NOT NULL OR text IS NOT NULL", name=op.f("ck_reported_figure_printed")),
        sa.PrimaryKeyConstraint("reference_date", "municipality", "measure", name=op.f("pk_reported_figure")),
        schema="exchange",
        comment="Figures as they were published, for what no population yields: capacity, targets, estimates.",
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
        "agreement_version",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True, comment="The last day; NULL while no end is agreed."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_agreement_version_digest")),
        sa.CheckConstraint("valid_from <= valid_until", name=op.f("ck_agreement_version_validity")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_agreement_version_version")),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["consent.agreement.id"], name=op.f("fk_agreement_version_agreement_id")
        ),
        sa.PrimaryKeyConstraint("agreement_id", "version", name=op.f("pk_agreement_version")),
        schema="consent",
        comment="digest: SHA-256 of the canonical bytes of the document, which are what the parties sign.",
    )
    op.create_table(
        "consent_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by_organisation_id", sa.Uuid(), nullable=False),
        sa.Column("by_client", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('given', 'refused', 're-confirmed', 'withdrawn', 'expired', 'superseded', 'invalidated')",
            name=op.f("ck_consent_event_kind"),
        ),
        sa.CheckConstraint(
            "get_byte(note, 0) = 225 AND octet_length(note) >= 32", name=op.f("ck_consent_event_note_sealed")
        ),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_consent_event_sequence")),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.consent.id"], name=op.f("fk_consent_event_consent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_event")),
        sa.UniqueConstraint("consent_id", "sequence", name=op.f("uq_consent_event_consent_id_sequence")),
        schema="consent",
        comment="Append-only. The latest event is the state; its sequence is the version that the audit log names. valid_until: to when it was re-confirmed. note: sealed; of a re-confirmation, its evidence.",
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
        "agreement_party",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("director", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "slot IN ('ngo', 'ind', 'dtv', 'avim', 'municipality', 'mrt', 'steering-group', 'programme', 'representative', 'auditor', 'operator')",
            name=op.f("ck_agreement_party_slot"),
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id", "version"],
            ["consent.agreement_version.agreement_id", "consent.agreement_version.version"],
            name=op.f("fk_agreement_party_agreement_id_version"),
        ),
        sa.PrimaryKeyConstraint("agreement_id", "version", "organisation_id", name=op.f("pk_agreement_party")),
        schema="consent",
        comment="Which organisation is party, in the slot of its kind; director: regievoerder.",
    )
    op.create_table(
        "agreement_rule",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("functions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("exceptions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "category IN ('admission-facts', 'identity', 'contact', 'whereabouts', 'travel-documents', 'procedure-history', 'family', 'return', 'decisions', 'hearings', 'medical', 'belief', 'orientation', 'ethnicity', 'public-order', 'detention', 'shared-outcome', 'legal-analysis', 'advice')",
            name=op.f("ck_agreement_rule_category"),
        ),
        sa.CheckConstraint(
            "consent IN ('authorisation', 'explicit-consent', 'none')", name=op.f("ck_agreement_rule_consent")
        ),
        sa.CheckConstraint(
            "exceptions <@ ARRAY['avg-9-2-a', 'uavg-22-2-a', 'uavg-32-a', 'uavg-32-d', 'uavg-30-3-a']",
            name=op.f("ck_agreement_rule_exceptions"),
        ),
        sa.CheckConstraint(
            "functions <@ ARRAY['coordination', 'shelter', 'legal-screening', 'social-guidance', 'activation', 'housing', 'return-guidance']",
            name=op.f("ck_agreement_rule_functions"),
        ),
        sa.CheckConstraint(
            "ground IN ('vw-107-8', 'vw-107-4', 'public-task', 'avg-15', 'vital-interest')",
            name=op.f("ck_agreement_rule_ground"),
        ),
        sa.CheckConstraint("purpose <> 'enforcement'", name=op.f("ck_agreement_rule_never")),
        sa.CheckConstraint(
            "purpose IN ('admission', 'legal-screening', 'residence-advice', 'return-advice', 'identity-advice', 'case-meeting', 'escalation', 'subject-access', 'audit-review', 'enforcement')",
            name=op.f("ck_agreement_rule_purpose"),
        ),
        sa.CheckConstraint(
            "recipient IN ('ngo', 'ind', 'dtv', 'avim', 'municipality', 'mrt', 'steering-group', 'programme', 'representative', 'auditor', 'operator')",
            name=op.f("ck_agreement_rule_recipient"),
        ),
        sa.CheckConstraint(
            "source IN ('ngo', 'ind', 'dtv', 'avim', 'municipality', 'mrt', 'steering-group', 'programme', 'representative', 'auditor', 'operator')",
            name=op.f("ck_agreement_rule_source"),
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id", "version"],
            ["consent.agreement_version.agreement_id", "consent.agreement_version.version"],
            name=op.f("fk_agreement_rule_agreement_id_version"),
        ),
        sa.PrimaryKeyConstraint("agreement_id", "version", "rule", "category", name=op.f("pk_agreement_rule")),
        schema="consent",
        comment="The rules of a document, a row per category: for lists, which are decided in SQL. Rebuilt from documents.",
    )
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
        "advice_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("requester", sa.Uuid(), nullable=False),
        sa.Column("addressee", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column(
            "outcome_id",
            sa.Uuid(),
            nullable=True,
            comment="A screening outcome that goes with it; that room knows nothing of this one.",
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("working_days", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('admission', 'legal-screening', 'residence-advice', 'return-advice', 'identity-advice', 'case-meeting', 'escalation', 'subject-access', 'audit-review', 'enforcement')",
            name=op.f("ck_advice_request_purpose"),
        ),
        sa.CheckConstraint(
            "get_byte(question, 0) = 225 AND octet_length(question) >= 32",
            name=op.f("ck_advice_request_question_sealed"),
        ),
        sa.CheckConstraint("working_days BETWEEN 1 AND 366", name=op.f("ck_advice_request_working_days")),
        sa.ForeignKeyConstraint(["case_id"], ["exchange.case.id"], name=op.f("fk_advice_request_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advice_request")),
        schema="exchange",
    )
    op.create_index(
        op.f("ix_advice_request_addressee"), "advice_request", ["addressee"], unique=False, schema="exchange"
    )
    op.create_index(op.f("ix_advice_request_case_id"), "advice_request", ["case_id"], unique=False, schema="exchange")
    op.create_index(
        op.f("ix_advice_request_requester"), "advice_request", ["requester"], unique=False, schema="exchange"
    )
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
        sa.Column("refusal_reason", sa.Text(), nullable=True),
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
            "refusal_reason IN ('no-file-found', 'identity-unclear', 'disproportionate', 'not-competent')",
            name=op.f("ck_dossier_request_refusal_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'acknowledged', 'delivered', 'complete', 'refused', 'cancelled')",
            name=op.f("ck_dossier_request_state"),
        ),
        sa.CheckConstraint(
            "get_byte(proportionality_note, 0) = 225 AND octet_length(proportionality_note) >= 32",
            name=op.f("ck_dossier_request_proportionality_note_sealed"),
        ),
        sa.CheckConstraint("working_days BETWEEN 1 AND 366", name=op.f("ck_dossier_request_working_days")),
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
        "screening_outcome",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=False),
        sa.Column("shared", sa.LargeBinary(), nullable=False),
        sa.Column("analysis", sa.LargeBinary(), nullable=True),
        sa.Column("explanations", sa.LargeBinary(), nullable=False),
        sa.Column("not_explained_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "not_explained_reason IN ('left-unknown-destination', 'incapacity', 'urgent')",
            name=op.f("ck_screening_outcome_not_explained_reason"),
        ),
        sa.CheckConstraint(
            "get_byte(analysis, 0) = 225 AND octet_length(analysis) >= 32",
            name=op.f("ck_screening_outcome_analysis_sealed"),
        ),
        sa.CheckConstraint(
            "get_byte(explanations, 0) = 225 AND octet_length(explanations) >= 32",
            name=op.f("ck_screening_outcome_explanations_sealed"),
        ),
        sa.CheckConstraint(
            "get_byte(shared, 0) = 225 AND octet_length(shared) >= 32", name=op.f("ck_screening_outcome_shared_sealed")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["exchange.case.id"], name=op.f("fk_screening_outcome_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening_outcome")),
        schema="exchange",
    )
    op.create_index(
        op.f("ix_screening_outcome_case_id"), "screening_outcome", ["case_id"], unique=False, schema="exchange"
    )
    op.create_table(
        "agreement_signature",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column(
            "signature", sa.Text(), nullable=False, comment="Detached JWS over the canonical bytes of the document."
        ),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id", "version", "organisation_id"],
            [
                "consent.agreement_party.agreement_id",
                "consent.agreement_party.version",
                "consent.agreement_party.organisation_id",
            ],
            name=op.f("fk_agreement_signature_agreement_id_version_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("agreement_id", "version", "organisation_id", name=op.f("pk_agreement_signature")),
        schema="consent",
    )
    op.create_index(
        "ix_agreement_signature_organisation_id",
        "agreement_signature",
        ["organisation_id", "agreement_id", "version"],
        unique=False,
        schema="consent",
    )
    op.create_table(
        "advice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "answer IN ('advice', 'no-advice', 'more-information-needed')", name=op.f("ck_advice_answer")
        ),
        sa.CheckConstraint(
            "get_byte(content, 0) = 225 AND octet_length(content) >= 32", name=op.f("ck_advice_content_sealed")
        ),
        sa.ForeignKeyConstraint(["request_id"], ["exchange.advice_request.id"], name=op.f("fk_advice_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advice")),
        schema="exchange",
    )
    op.create_index(op.f("ix_advice_request_id"), "advice", ["request_id"], unique=False, schema="exchange")
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
        "screening_share",
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["outcome_id"], ["exchange.screening_outcome.id"], name=op.f("fk_screening_share_outcome_id")
        ),
        sa.PrimaryKeyConstraint("outcome_id", "organisation_id", name=op.f("pk_screening_share")),
        schema="exchange",
        comment="To whom an outcome was addressed; what they then see is decided at each read.",
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
    op.drop_table("screening_share", schema="exchange")
    op.drop_table("dossier", schema="exchange")
    op.drop_index(op.f("ix_advice_request_id"), table_name="advice", schema="exchange")
    op.drop_table("advice", schema="exchange")
    op.drop_index("ix_agreement_signature_organisation_id", table_name="agreement_signature", schema="consent")
    op.drop_table("agreement_signature", schema="consent")
    op.drop_index(op.f("ix_screening_outcome_case_id"), table_name="screening_outcome", schema="exchange")
    op.drop_table("screening_outcome", schema="exchange")
    op.drop_index(op.f("ix_dossier_request_supplier"), table_name="dossier_request", schema="exchange")
    op.drop_index(op.f("ix_dossier_request_requester"), table_name="dossier_request", schema="exchange")
    op.drop_index(op.f("ix_dossier_request_case_id"), table_name="dossier_request", schema="exchange")
    op.drop_table("dossier_request", schema="exchange")
    op.drop_index("ix_assignment_organisation_id_case_id", table_name="assignment", schema="exchange")
    op.drop_index("ix_assignment_case_id_organisation_id", table_name="assignment", schema="exchange")
    op.drop_table("assignment", schema="exchange")
    op.drop_index(op.f("ix_advice_request_requester"), table_name="advice_request", schema="exchange")
    op.drop_index(op.f("ix_advice_request_case_id"), table_name="advice_request", schema="exchange")
    op.drop_index(op.f("ix_advice_request_addressee"), table_name="advice_request", schema="exchange")
    op.drop_table("advice_request", schema="exchange")
    op.drop_index(op.f("ix_admission_check_case_id"), table_name="admission_check", schema="exchange")
    op.drop_index(op.f("ix_admission_check_addressee"), table_name="admission_check", schema="exchange")
    op.drop_table("admission_check", schema="exchange")
    op.drop_table("agreement_rule", schema="consent")
    op.drop_table("agreement_party", schema="consent")
    op.drop_index(op.f("ix_client_organisation_id"), table_name="client", schema="oauth")
    op.drop_table("client", schema="oauth")
    op.drop_index(op.f("ix_case_person_id"), table_name="case", schema="exchange")
    op.drop_table("case", schema="exchange")
    op.drop_table("consent_event", schema="consent")
    op.drop_table("agreement_version", schema="consent")
    op.drop_table("seen", schema="oauth")
    op.drop_table("organisation", schema="oauth")
    op.drop_table("person_key", schema="keys")
    op.drop_table("reported_figure", schema="exchange")
    op.drop_table("person_alias", schema="exchange")
    op.drop_table("person", schema="exchange")
    op.drop_table("idempotency_key", schema="exchange")
    op.drop_index("ix_event_organisation_id_xid_position", table_name="event", schema="exchange")
    op.drop_table("event", schema="exchange")
    op.drop_index(op.f("ix_consent_person_id"), table_name="consent", schema="consent")
    op.drop_index("ix_consent_case_id_recipient_organisation_id", table_name="consent", schema="consent")
    op.drop_table("consent", schema="consent")
    op.drop_index(op.f("ix_agreement_municipality"), table_name="agreement", schema="consent")
    op.drop_table("agreement", schema="consent")
    op.drop_table("verifier", schema="audit")
    op.drop_table("tile", schema="audit")
    op.drop_table("projection_person", schema="audit")
    op.drop_index("ix_projection_organisation_index", table_name="projection", schema="audit")
    op.drop_index("ix_projection_object_id_index", table_name="projection", schema="audit")
    op.drop_index("ix_projection_at_index", table_name="projection", schema="audit")
    op.drop_index("ix_projection_action_index", table_name="projection", schema="audit")
    op.drop_table("projection", schema="audit")
    op.drop_table("leaf", schema="audit")
    op.drop_index("ix_entry_xid_id", table_name="entry", schema="audit")
    op.drop_table("entry", schema="audit")
    op.drop_table("checkpoint", schema="audit")
    op.execute("DROP SCHEMA audit")
    op.execute("DROP SCHEMA exchange")
    op.execute("DROP SCHEMA consent")
    op.execute("DROP SCHEMA oauth")
    op.execute("DROP SCHEMA keys")
