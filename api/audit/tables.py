"""Tables of the log. A request inserts into `entry` and nothing else; `ketenbrug work` alone writes the others (0039).

`generation` and `retention` are inserted into by the owner alone: in a migration, and by `ketenbrug audit adopt` and
`ketenbrug audit retain`.

`leaf`, `tile`, `checkpoint`, `generation`, `retention` and `verifier` are never updated, deleted from or truncated: the
role of no process may, and a trigger stops the owner (revision 0002). What a superuser does in spite of that,
`audit verify` finds. The same holds of `entry`, but that the owner may delete a row when its term is over (0015).
`delivery` is how far the log was delivered, to a logbook and to witnesses: the rows here that are updated.
`projection` and `projection_person` hold nothing that the leaves do not: they may be dropped and built again.

`entry` stands in pages, a partition for each month (0033); a page of which every term is over is dropped as a whole.
Nothing but these modules knows of pages: everybody else reads and appends to `entry`.

There is no foreign key from `leaf` to `entry`: its check would lock, and so rewrite, every row of `entry` once more.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    literal_column,
    select,
    text,
)

from api.storage.base import Xid8, instant, metadata, words
from api.vocabulary import SignalRule

entry: Final = Table(
    "entry",
    metadata,
    # No identity: before PostgreSQL 17 a table with partitions has none.
    Column("id", BigInteger, primary_key=True),
    Column("xid", Xid8, nullable=False, server_default=func.pg_current_xact_id()),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, Computed("sha256('\\x00'::bytea || leaf)", persisted=True), nullable=False),
    CheckConstraint("octet_length(leaf) BETWEEN 2 AND 65535", name="leaf_length"),
    Index("ix_entry_xid_id", "xid", "id"),
    schema="audit",
    postgresql_partition_by="RANGE (id)",
    comment=(
        "The exact bytes of every entry. xid: the transaction that wrote it; identity values do not commit in order, "
        "so that a reader who went by them would miss late committers."
    ),
)

leaf: Final = Table(
    "leaf",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, nullable=False, unique=True),
    Column("leaf_hash", LargeBinary, nullable=False),
    CheckConstraint("octet_length(leaf_hash) = 32", name="leaf_hash_length"),
    CheckConstraint("index >= 0", name="index_natural"),
    Index("ix_leaf_leaf_hash", "leaf_hash", postgresql_using="hash"),
    schema="audit",
    comment="Which entry stands at which index, with its hash as it was put into the tree.",
)

body: Final = select(entry.c.leaf).where(entry.c.id == leaf.c.entry_id).limit(literal_column("1")).lateral("body")
"""What the entry of each leaf says: to be joined to `leaf`.

A page is found by the id of each, which the limit keeps so: for a plain join of many, PostgreSQL reads all pages.
"""

tile: Final = Table(
    "tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("width", SmallInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("middle", LargeBinary),
    CheckConstraint("width BETWEEN 1 AND 256 AND octet_length(data) = 32 * width", name="data_length"),
    CheckConstraint("octet_length(middle) = 32 * (width / 16)", name="middle_length"),
    schema="audit",
    comment=(
        "Tiles (C2SP tlog-tiles): every full one, and above level 0 every partial one that a checkpoint rests on. "
        "The partial tile of level 0 is not stored: its hashes are the last rows of audit.leaf. middle: the node over "
        "each sixteen hashes, which is computed from data; NULL of a tile that was stored before there was a middle."
    ),
)

checkpoint: Final = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("last_xid", Xid8, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    instant("at"),
    Column("compact_range", LargeBinary),
    CheckConstraint("octet_length(root) = 32", name="root_length"),
    CheckConstraint("size >= 0", name="size_natural"),
    CheckConstraint("octet_length(compact_range) % 32 = 0", name="compact_range_length"),
    schema="audit",
    comment=(
        "Signed heads of the tree. The key is the compare-and-swap of the sequencer: a size is signed once. "
        "generation, last_xid, last_id: the last entry that is in the tree. compact_range: the roots of the full "
        "subtrees that the tree falls into, from left to right; NULL where it was signed before they were kept."
    ),
)

generation: Final = Table(
    "generation",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("system_identifier", BigInteger, nullable=False),
    Column("origin", Text),
    Column("first_entry", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    instant("at"),
    CheckConstraint("number >= 1", name="number_natural"),
    schema="audit",
    comment=(
        "Where the numbering of transactions began anew: the cluster that numbers them, the name of the log from there "
        "on when it was given one, the entry id above which entries are of this generation, the size of the tree then."
    ),
)

retention: Final = Table(
    "retention",
    metadata,
    Column("below", BigInteger, primary_key=True, autoincrement=False),
    instant("at"),
    CheckConstraint("below > 0 AND below % 256 = 0", name="whole_bundles"),
    schema="audit",
    comment="What entries below this index said is past its term: it may be deleted, and their hashes stay.",
)

cosignature: Final = Table(
    "cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("vkey", Text, primary_key=True),
    Column("line", Text, nullable=False),
    instant("at"),
    schema="audit",
    comment=(
        "Lines that stand below the note of a checkpoint: the log's own post-quantum one, and those of witnesses. Old "
        "ones are removed: whoever needs one kept it."
    ),
)

verifier: Final = Table(
    "verifier",
    metadata,
    Column("vkey", Text, primary_key=True),
    instant("at"),
    schema="audit",
    comment="Verifier keys of the log, since when. Public. Whoever checks should also have them from elsewhere.",
)

WORDS: Final = (
    "array_to_tsvector(array_remove(array_remove(ARRAY[action, kind, actor, purpose, organisation::text], NULL), ''))"
)
"""The words of an entry, as the index and a query that means to use it say it. A tsvector knows how words begin."""

projection: Final = Table(
    "projection",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    instant("at", nullable=True),
    Column("action", Text),
    Column("result", Text),
    Column("reason", Text),
    Column("organisation", Uuid),
    Column("kind", Text),
    Column("client", Text),
    Column("actor", Text),
    Column("object_type", Text),
    Column("object_id", Uuid),
    Column("purpose", Text),
    Column("request_id", Uuid),
    Column("grounds", ARRAY(Text)),
    Column("categories", ARRAY(Text)),
    Column("withheld", ARRAY(Text)),
    Index("ix_projection_object_id_index", "object_id", "index"),
    Index("ix_projection_at_index", "at", "index"),
    Index("ix_projection_client_index", "client", "index"),
    Index("ix_projection_request_id", "request_id", postgresql_using="hash"),
    Index("ix_projection_reason_index", "reason", "index", postgresql_where=text("reason IS NOT NULL")),
    Index("ix_projection_result_index", "result", "index", postgresql_where=text("result <> 'permitted'")),
    # As a query turned round says it: what is not permitted, an entry without a readable result included.
    Index("ix_projection_not_permitted", "index", postgresql_where=text("(result = 'permitted') IS NOT TRUE")),
    # Rules walk back through these.
    Index(
        "ix_projection_denials",
        "object_id",
        "organisation",
        "action",
        "index",
        postgresql_where=text("reason IN ('not-found', 'not-permitted')"),
    ),
    Index("ix_projection_emergencies", "client", "index", postgresql_where=text("action = 'emergencies.declare'")),
    # One index of all of them: it takes what many entries have in common at once, where a tree is gone down for each.
    Index("ix_projection_words", text(WORDS), "grounds", "categories", "withheld", postgresql_using="gin"),
    schema="audit",
    comment="Search columns, read from the leaves by the sequencer. A member that is missing or odd is NULL.",
)

signal: Final = Table(
    "signal",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    *words("rule", SignalRule),
    Column("index", BigInteger, nullable=False),
    instant("at"),
    Column("organisation", Uuid, nullable=False),
    Column("client", Text, nullable=False),
    Column("actor", Text),
    Column("figure", BigInteger, nullable=False),
    Column("threshold", BigInteger, nullable=False),
    UniqueConstraint("rule", "index"),
    Index("ix_signal_index", "index"),
    Index("ix_signal_at", "at"),
    schema="audit",
    comment="What a rule found at the entry of this index. Computed from the search columns; may be computed again.",
)

signal_count: Final = Table(
    "signal_count",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("organisation", Uuid, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Index("ix_signal_count_rule_kind_day", "rule", "kind", "day"),
    schema="audit",
    comment="What the rules count by day (in Amsterdam). An actor that nobody named is the empty text.",
)

signal_state: Final = Table(
    "signal_state",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    schema="audit",
    comment="Up to which size of the log each rule has looked; without a row, it has not begun.",
)

projection_person: Final = Table(
    "projection_person",
    metadata,
    Column("person", Uuid, primary_key=True),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_projection_person_index", "index"),
    schema="audit",
    comment="Which entries are about whom, by the person's alias in this log.",
)

delivery: Final = Table(
    "delivery",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next", BigInteger, nullable=False),
    instant("at"),
    CheckConstraint("next >= 0", name="next_natural"),
    schema="audit",
    comment="Up to which index the log was delivered elsewhere, and confirmed there.",
)
