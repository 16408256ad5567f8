"""A Core statement is compiled once, binds its values in place, and can carry INSERTs along."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import ARRAY, Column, Integer, MetaData, Table, Text, any_, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from api.errors import Overloaded, PlaintextRefused, Unavailable
from api.storage.base import ENVELOPE_LEAST, ENVELOPE_VERSION, Envelope, Xid8
from api.storage.statement import Bound, combine, statement
from api.storage.unit import meant

THING = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("kind", Text, server_default="plain"),
    Column("sealed", Envelope),
    Column("details", JSONB),
)
ENVELOPE = bytes([ENVELOPE_VERSION]) + bytes(ENVELOPE_LEAST - 1)


def test_values_stand_where_the_text_wants_them() -> None:
    find = statement(select(THING.c.id).where(THING.c.kind == bindparam("kind"), THING.c.id > bindparam("after")))

    bound = find(after=7, kind="x")

    assert bound.args == ("x", 7)
    assert "thing.kind = $1" in bound.sql
    assert "thing.id > $2" in bound.sql


def test_one_value_may_stand_in_two_places() -> None:
    either = (THING.c.id == bindparam("number")) | (THING.c.id < bindparam("number"))

    bound = statement(select(THING.c.id).where(either))(number=7)

    assert bound.args == (7,)
    assert bound.sql.count("$1") == 2


def test_what_the_statement_says_itself_needs_no_value() -> None:
    assert statement(select(THING.c.id).where(THING.c.kind == "fixed"))().args == ("fixed",)


def test_an_insert_names_the_columns_that_it_is_given_and_returns_nothing_unasked() -> None:
    bound = statement(insert(THING), "id", "kind")(id=1, kind="x")

    assert "(id, kind)" in bound.sql
    assert "RETURNING" not in bound.sql


def test_values_are_written_as_the_driver_wants_them() -> None:
    bound = statement(update(THING).values(details=bindparam("details")))(details={"a": [1]})

    assert bound.args == ('{"a": [1]}',)


def test_a_list_is_one_value() -> None:
    bound = statement(select(THING.c.id).where(THING.c.id == any_(bindparam("ids", type_=ARRAY(Integer)))))(ids=[1, 2])

    assert bound.args == ([1, 2],)


@pytest.mark.parametrize("plain", [b"Amina", "Amina", b"\xe1", bytes(64), ENVELOPE[:-1]])
def test_what_is_not_sealed_does_not_get_into_a_sealed_column(plain: object) -> None:
    """The guard holds on the compiled path too, where no ORM looks at values."""
    store = statement(insert(THING), "id", "sealed")

    with pytest.raises(PlaintextRefused) as refused:
        store(id=1, sealed=plain)
    assert "Amina" not in str(refused.value)


def test_an_envelope_or_nothing_gets_into_a_sealed_column() -> None:
    store = statement(insert(THING), "id", "sealed")

    assert store(id=1, sealed=ENVELOPE).args == (1, ENVELOPE)
    assert store(id=1, sealed=None).args == (1, None)


def test_arguments_do_not_show_themselves() -> None:
    """They may be personal data, and a statement may end in a traceback."""
    assert "V1234567890" not in repr(Bound("SELECT $1", ("V1234567890",)))


def test_a_transaction_id_is_a_kind_of_its_own() -> None:
    assert Xid8().get_col_spec() == "xid8"


def test_carried_inserts_and_the_last_select_are_one_statement() -> None:
    """One snapshot, one round trip, one commit: if the entry cannot be written, nothing is answered."""
    carried = [Bound("INSERT INTO a VALUES ($1, $2)", (1, 2)), Bound("INSERT INTO b VALUES ($1)", (3,))]

    bound = combine(carried, Bound("SELECT $2, $1, $1", (4, 5)))

    assert bound.sql == (
        "WITH carried_1 AS (INSERT INTO b VALUES ($3)), carried_0 AS (INSERT INTO a VALUES ($1, $2)) SELECT $5, $4, $4"
    )
    assert bound.args == (1, 2, 3, 4, 5)


def test_places_beyond_the_ninth_keep_their_number() -> None:
    many = Bound(", ".join(f"${each}" for each in range(1, 12)), tuple(range(11)))

    bound = combine([many], many)

    assert bound.sql.endswith("$20, $21, $22")
    assert len(bound.args) == 22


def test_nothing_carried_changes_nothing() -> None:
    alone = Bound("SELECT 1", ())

    assert combine([], alone) is alone


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (asyncpg.TooManyConnectionsError(""), Overloaded),
        (asyncpg.DeadlockDetectedError(""), Overloaded),
        (asyncpg.SerializationError(""), Overloaded),
        (asyncpg.LockNotAvailableError(""), Overloaded),
        (asyncpg.QueryCanceledError(""), Unavailable),
        (asyncpg.ConnectionDoesNotExistError(""), Unavailable),
        (asyncpg.AdminShutdownError(""), Unavailable),
        (asyncpg.DiskFullError(""), Unavailable),
        (asyncpg.InterfaceError("closed"), Unavailable),
        (asyncpg.ReadOnlySQLTransactionError(""), Unavailable),
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.UndefinedTableError(""), type(None)),
        (asyncpg.CheckViolationError(""), type(None)),
        (AssertionError(), type(None)),
    ],
)
def test_a_driver_error_means_come_back_later_or_is_a_fault_of_ours(error: Exception, meaning: type) -> None:
    assert type(meant(error)) is meaning
