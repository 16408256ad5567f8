"""The bodies of the log stand in pages: partitions of `audit.entry` by id, one for each month.

What is there becomes the first page, whose ids end where those of the next month begin: in a log that had no pages yet,
those of February 2020. The other pages are made, and the ids moved on to them, by `audit.turn_page`, which a worker calls
each minute.
"""

import sqlalchemy as sa
from alembic import context, op

from api.storage.migrations import kinds

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

COMMENT = (
    "The exact bytes of every entry. xid: the transaction that wrote it; identity values do not commit in order, "
    "so that a reader who went by them would miss late committers."
)
GUARDS = (
    ("append_only", "UPDATE OR TRUNCATE", "STATEMENT", "refuse_rewriting"),
    ("kept_while_no_term_is_over", "DELETE", "STATEMENT", "refuse_early_deletion"),
    ("kept_until_its_term", "DELETE", "ROW", "refuse_early_deletion"),
)
# From PostgreSQL 18 on NOT NULL has a name, and one that another table of the schema has gets a number. A table and its
# partitions have the same.
NAMES = """
DO $$
DECLARE
    each name;
BEGIN
    FOR each IN SELECT conname FROM pg_constraint WHERE conrelid = 'audit.entry'::regclass AND contype = 'n' LOOP
        EXECUTE format('ALTER TABLE audit.entry RENAME CONSTRAINT %I TO %I', each, rtrim(each, '0123456789'));
    END LOOP;
END $$
"""
# The numbering goes on where it was. A role that appends takes the next number, and can set none.
MOVE = """
DO $$
DECLARE
    stood record;
BEGIN
    SELECT last_value, is_called INTO stood FROM audit.{before};
    PERFORM setval('audit.entry_id_seq', stood.last_value, stood.is_called);
END $$
"""
PAGES = r"""
CREATE VIEW audit.page AS
    SELECT c.relname AS name, coalesce(substring(said.bounds FROM 'FROM \(''(\d+)')::bigint, 0) AS first,
        substring(said.bounds FROM 'TO \(''(\d+)')::bigint AS ends
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS said (bounds)
    WHERE i.inhparent = 'audit.entry'::regclass
"""
# What fires for a row, a page has from the table; what fires for a statement, it does not.
GUARD = """
CREATE FUNCTION audit.guard_page(page text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit.%I
        FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_rewriting()', page);
    EXECUTE format('CREATE TRIGGER kept_while_no_term_is_over BEFORE DELETE ON audit.%I
        FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_early_deletion()', page);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only,
        ENABLE ALWAYS TRIGGER kept_while_no_term_is_over', page);
END $$
"""
# Months since January 2020, in UTC: each owns as many ids as nobody can use up in it.
MONTH = """
CREATE FUNCTION audit.month(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT ((extract(year FROM at AT TIME ZONE 'UTC') - 2020) * 12 + extract(month FROM at AT TIME ZONE 'UTC') - 1)::bigint
$$
"""
# Of the owner, to any month that has come; returns in which one the ids stand.
OPEN = """
CREATE FUNCTION audit.open_page(at timestamptz) RETURNS bigint LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    month CONSTANT bigint := audit.month(at);
    start CONSTANT bigint := month << 40;
    each bigint;
    page text;
BEGIN
    IF at > statement_timestamp() + interval '1 day' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'this month has not come';
    END IF;
    -- (1) most minutes there is nothing to do
    IF (SELECT last_value FROM audit.entry_id_seq) >= start
        AND EXISTS (SELECT FROM audit.page p WHERE p.first > start)
    THEN
        RETURN (SELECT last_value >> 40 FROM audit.entry_id_seq);
    END IF;
    -- (2) one at a time, and nobody who adopts; who appends is not in the way. Once in a transaction: see (3)
    IF EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = 'audit.entry'::regclass
               AND l.mode = 'ShareUpdateExclusiveLock')
    THEN
        RAISE object_in_use USING MESSAGE = 'the page was looked at in this transaction already';
    END IF;
    LOCK TABLE ONLY audit.entry IN SHARE UPDATE EXCLUSIVE MODE;
    -- (3) ids only move forward, and only to a page that others see: one that an earlier transaction made
    IF (SELECT last_value FROM audit.entry_id_seq) < start
        AND EXISTS (SELECT FROM audit.page p WHERE p.first = start)
    THEN
        PERFORM setval('audit.entry_id_seq', start, false);
    END IF;
    -- (4) the page of this month, if nobody made it ahead, and that of the next
    FOREACH each IN ARRAY ARRAY[month, month + 1] LOOP
        CONTINUE WHEN each << 40 <= (SELECT last_value FROM audit.entry_id_seq)
            OR EXISTS (SELECT FROM audit.page p WHERE p.first = each << 40);
        page := format('entry_%s_%s', 2020 + each / 12, to_char(each % 12 + 1, 'FM00'));
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.entry INCLUDING ALL EXCLUDING INDEXES)', page);
        PERFORM audit.guard_page(page);
        EXECUTE format('ALTER TABLE audit.entry ATTACH PARTITION audit.%I FOR VALUES FROM (%s) TO (%s)',
            page, each << 40, each + 1 << 40);
    END LOOP;
    RETURN (SELECT last_value >> 40 FROM audit.entry_id_seq);
END $$
"""
# Of the application: false when it does not turn. To a wrong clock it looks as if months had passed, and ids never come
# back. The first page is of no month: whatever comes is the next one.
TURN = """
CREATE FUNCTION audit.turn_page(at timestamptz) RETURNS boolean LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stands CONSTANT bigint := (SELECT last_value >> 40 FROM audit.entry_id_seq);
BEGIN
    IF stands > 0 AND audit.month(at) > stands + 1 THEN
        RETURN false;
    END IF;
    PERFORM audit.open_page(at);
    RETURN true;
END $$
"""
# Without a look at each entry: the log takes those of a generation in the order of (xid, id), so that the last one of the
# page in that order has the highest index of them. Ids alone tell nothing: they do not commit in order. What a
# superuser slipped in before the last one holds nothing up.
TERM = """
CREATE FUNCTION audit.past_its_term(page text) RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held record;
BEGIN
    SELECT p.first, p.ends INTO STRICT held FROM audit.page p WHERE p.name = page;
    RETURN held.ends <= (SELECT last_value FROM audit.entry_id_seq) AND NOT EXISTS (
        SELECT FROM (
            SELECT first_entry AS after, lead(first_entry, 1, held.ends) OVER (ORDER BY number) AS upto
            FROM audit.generation
        ) AS g
        CROSS JOIN LATERAL (
            SELECT e.id FROM audit.entry e
            WHERE e.id >= held.first AND e.id < held.ends AND e.id > g.after AND e.id <= g.upto
            ORDER BY e.xid DESC, e.id DESC LIMIT 1
        ) AS last
        WHERE g.after < held.ends AND g.upto >= held.first AND NOT EXISTS (
            SELECT FROM audit.leaf l
            WHERE l.entry_id = last.id AND l.index < (SELECT max(below) FROM audit.retention)));
END $$
"""
DROP = """
CREATE FUNCTION audit.drop_page(page text) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
BEGIN
    -- Whoever still writes to it is waited for, and seen.
    EXECUTE format('LOCK TABLE audit.%I IN SHARE MODE', page);
    IF NOT audit.past_its_term(page) THEN
        RAISE insufficient_privilege
            USING MESSAGE = format('audit.%I is append-only until the retention term is over', page);
    END IF;
    EXECUTE format('DROP TABLE audit.%I', page);
END $$
"""
DEEDS = (
    "guard_page(text)",
    "month(timestamptz)",
    "open_page(timestamptz)",
    "turn_page(timestamptz)",
    "past_its_term(text)",
    "drop_page(text)",
)


def upgrade() -> None:
    # (1) what is there is the first page
    for name, _, _, _ in GUARDS:
        op.execute(f"DROP TRIGGER {name} ON audit.entry")
    op.execute("ALTER TABLE audit.entry RENAME TO entry_first")
    op.execute("ALTER TABLE audit.entry_first RENAME CONSTRAINT pk_entry TO pk_entry_first")
    op.execute("ALTER INDEX audit.ix_entry_xid_id RENAME TO ix_entry_first_xid_id")
    op.execute("ALTER SEQUENCE audit.entry_id_seq RENAME TO entry_first_id_seq")
    op.execute(f"REVOKE ALL ON audit.entry_first FROM {_application()}")
    # (2) the table of which it is one
    _table(split="RANGE (id)")
    op.execute(MOVE.format(before="entry_first_id_seq"))
    op.execute("ALTER TABLE audit.entry_first ALTER COLUMN id DROP IDENTITY")
    op.execute("ALTER TABLE audit.entry_first ALTER COLUMN id SET DEFAULT nextval('audit.entry_id_seq'::regclass)")
    # Ids do not go back: after a downgrade they are in the month that they were in before it.
    ends = (op.get_bind().scalar(sa.text("SELECT last_value >> 40 FROM audit.entry_id_seq")) + 1) << 40
    op.execute(f"ALTER TABLE audit.entry ATTACH PARTITION audit.entry_first FOR VALUES FROM (MINVALUE) TO ({ends})")
    op.execute(f"GRANT USAGE ON SEQUENCE audit.entry_id_seq TO {_application()}")
    # (3) what turns pages, and drops them
    for each in (PAGES, GUARD, MONTH, OPEN, TURN, TERM, DROP):
        op.execute(each)
    op.execute("SELECT audit.guard_page('entry_first')")
    for deed in DEEDS:
        op.execute(f"REVOKE ALL ON FUNCTION audit.{deed} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION audit.turn_page(timestamptz) TO {_application()}")


def downgrade() -> None:
    for deed in reversed(DEEDS):
        op.execute(f"DROP FUNCTION audit.{deed}")
    op.execute("DROP VIEW audit.page")
    op.execute("ALTER TABLE audit.entry RENAME TO entry_paged")
    op.execute("ALTER TABLE audit.entry_paged RENAME CONSTRAINT pk_entry TO pk_entry_paged")
    op.execute("ALTER INDEX audit.ix_entry_xid_id RENAME TO ix_entry_paged_xid_id")
    op.execute("ALTER SEQUENCE audit.entry_id_seq RENAME TO entry_paged_id_seq")
    _table(sa.Identity(always=True))
    op.execute(
        "INSERT INTO audit.entry (id, xid, leaf) OVERRIDING SYSTEM VALUE SELECT id, xid, leaf FROM audit.entry_paged"
    )
    op.execute(MOVE.format(before="entry_paged_id_seq"))
    op.execute("DROP TABLE audit.entry_paged")


def _table(*numbers: sa.Identity, split: str | None = None) -> None:
    """The table as the application sees it, with its rights and its triggers. Without more it makes its own sequence."""
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger(), *numbers, nullable=False),
        sa.Column("xid", kinds.Named("xid8"), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column(
            "leaf_hash", sa.LargeBinary(), sa.Computed("sha256('\\x00'::bytea || leaf)", persisted=True), nullable=False
        ),
        sa.CheckConstraint("octet_length(leaf) BETWEEN 2 AND 65535", name=op.f("ck_entry_leaf_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        schema="audit",
        comment=COMMENT,
        postgresql_partition_by=split,
    )
    op.execute(NAMES)
    op.create_index("ix_entry_xid_id", "entry", ["xid", "id"], unique=False, schema="audit")
    op.execute(f"GRANT SELECT, INSERT (leaf) ON audit.entry TO {_application()}")
    for name, deeds, level, function in GUARDS:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {deeds} ON audit.entry FOR EACH {level} EXECUTE FUNCTION audit.{function}()"
        )
        op.execute(f"ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER {name}")


def _application() -> str:
    return op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"])
