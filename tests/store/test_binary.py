"""Rows that are written in binary read back as they were given, whatever they hold."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, BigInteger, Column, DateTime, LargeBinary, MetaData, Table, Text, Uuid

from api.storage import binary
from api.storage.binary import Form
from api.storage.unit import Lent, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import servers

KINDS: Final = Table(
    "kinds",
    MetaData(),
    Column("number", BigInteger),
    Column("word", Text),
    Column("words", ARRAY(Text)),
    Column("id", Uuid),
    Column("at", DateTime(timezone=True)),
    Column("data", LargeBinary),
)
TABLE: Final = (
    "CREATE TEMPORARY TABLE kinds (number bigint, word text, words text[], id uuid, at timestamptz, data bytea)"
)
FORM: Final = Form(KINDS, KINDS.c.keys())
CELLS: Final[tuple[Callable[[Any], bytes], ...]] = (
    binary.bigint,
    binary.text,
    binary.texts,
    binary.uuid,
    binary.instant,
    binary.data,
)
NOW: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEXT: Final = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
ROW: Final = st.tuples(
    *(
        st.none() | each
        for each in (
            st.integers(-(2**63), 2**63 - 1),
            TEXT,
            st.lists(TEXT, max_size=5).map(tuple),
            st.uuids(),
            st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001 - their bounds
            st.binary(max_size=300),
        )
    )
)


def cells(row: tuple[Any, ...]) -> list[bytes]:
    return [cell(value) for cell, value in zip(CELLS, row, strict=True)]


def test_what_is_written_is_what_is_read(module_database: servers.Database) -> None:
    with asyncio.Runner() as runner:
        connection: Any = runner.run(asyncpg.connect(module_database.superuser_url))

        async def there_and_back(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            unit = Unit(Lent(connection), NOW)
            await unit.copy(FORM(FORM.row(*cells(row)) for row in rows))
            await unit.finish()
            found = await connection.fetch("DELETE FROM kinds RETURNING *")
            return [tuple(row) for row in found]

        @settings(max_examples=60)
        @given(st.lists(ROW, max_size=20))
        def holds(rows: list[tuple[Any, ...]]) -> None:
            read = runner.run(there_and_back(rows))
            assert [tuple(tuple(each) if isinstance(each, list) else each for each in row) for row in read] == rows

        runner.run(connection.execute(TABLE))
        holds()
        runner.run(connection.close())


@pytest.mark.parametrize("count", [5, 7])
def test_a_row_with_a_cell_too_few_or_too_many_is_refused(module_database: servers.Database, count: int) -> None:
    async def tried() -> None:
        connection: Any = await asyncpg.connect(module_database.superuser_url)
        try:
            await connection.execute(TABLE)
            with pytest.raises(asyncpg.BadCopyFileFormatError):
                await Unit(Lent(connection), NOW).copy(FORM([FORM.row(*[binary.NULL] * count)]))
        finally:
            await connection.close()

    asyncio.run(tried())
