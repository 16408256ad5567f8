"""The vault: the persons' keys for one request. One batch unwrap, then pure computation; dropped with the request."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import insert, literal_column, select

from api.crypto.envelopes import PersonKeys
from api.crypto.padding import padded
from api.crypto.rows import SEAL, digest, named, trace_of
from api.crypto.tables import person_key
from api.crypto.wrappers import WrappedKey
from api.errors import Undecryptable
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any
    from uuid import UUID

    from api.crypto.rows import SealedRow, SealedSet, Selected
    from api.crypto.wrappers import KeyWrapper
    from api.storage.unit import Unit

_INSERT: Final = statement(insert(person_key), "person_id", "version", "kek", "wrapped", "created_at")
_NEWEST: Final = statement(
    select(person_key.c.person_id, person_key.c.version, person_key.c.kek, person_key.c.wrapped)
    .order_by(person_key.c.created_at.desc())
    .limit(literal_column("1"))
)
_LENGTH: Final = 32


async def probe(unit: Unit, wrapper: KeyWrapper) -> None:
    """See that the newest key of a person unwraps, if there is any. Raises `Undecryptable` or `Unavailable`."""
    rows = await unit.all(_NEWEST())
    wrapped = [WrappedKey(row["person_id"], row["version"], row["kek"], row["wrapped"]) for row in rows]
    for key in await wrapper.unwrap(wrapped):
        key[:] = bytes(len(key))


class Vault:
    """Seals and opens for the persons whose keys were taken in. It decides nothing: callers hold a permit."""

    __slots__ = ("_keys", "_wrapper", "sealed")

    def __init__(self, wrapper: KeyWrapper) -> None:
        self.sealed: Final[dict[str, bytes]] = {}
        """By row, as the log names it, the digest of each seal that was made, to be stored."""
        self._wrapper = wrapper
        self._keys: dict[UUID, PersonKeys] = {}

    def __repr__(self) -> str:
        return f"<Vault for {len(self._keys)} persons>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    async def create(self, unit: Unit, person: UUID) -> None:
        """Make the key of a new person and take it in."""
        row = await self.renewed(person, 1)
        await unit.run(
            _INSERT(person_id=person, version=row.version, kek=row.kek, wrapped=row.wrapped, created_at=unit.now)
        )

    async def renewed(self, person: UUID, version: int) -> WrappedKey:
        """A new key of a person, wrapped, to be stored by the caller. From now on it seals; it opens nothing older."""
        key = bytearray(secrets.token_bytes(_LENGTH))
        row = await self._wrapper.wrap(person, version, key)
        self._keys[person] = PersonKeys(person, {version: key})
        return row

    async def take(self, rows: Iterable[WrappedKey]) -> None:
        """Take in wrapped keys: one call to the key service for all. Raises `Undecryptable` or `Unavailable`."""
        wanted = [row for row in dict.fromkeys(rows) if row.person not in self._keys]
        versions: dict[UUID, dict[int, bytearray]] = {}
        for row, key in zip(wanted, await self._wrapper.unwrap(wanted) if wanted else (), strict=True):
            versions.setdefault(row.person, {})[row.version] = key
        for person, keys in versions.items():
            self._keys[person] = PersonKeys(person, keys)

    def seal_row(
        self,
        person: UUID,
        kind: SealedRow,
        row: UUID,
        values: Mapping[str, Any],
        bound: Mapping[str, Any],
        kept: Mapping[str, bytes | None] | None = None,
    ) -> dict[str, bytes | None]:
        """The sealed columns of a row and its `seal`, to be stored together.

        `values` are JSON values, None for NULL. `kept` holds the columns that stay as they are: envelopes, or traces.
        """
        keys = self._of(person)
        present = {
            name: padded(orjson.dumps(value), kind.steps[name]) for name, value in values.items() if value is not None
        }
        sealed: dict[str, bytes | None] = dict.fromkeys(values) | keys.seal(present, kind.table.name, row)
        traces = {name: trace_of(each) for name, each in {**(kept or {}), **sealed}.items()}
        if traces.keys() != set(kind.columns):
            raise AssertionError(kind.table.name)
        sealed[SEAL] = self._noted(kind, row, keys.seal_row(kind.table.name, row, bound, traces))
        return sealed

    def not_stored(self, kind: SealedRow, row: UUID) -> None:
        """Forget the seal of a row that was not stored after all."""
        del self.sealed[named(kind.table, row)]

    def row(self, person: UUID, kind: SealedRow, values: Mapping[str, Any], clear: Mapping[str, Any]) -> dict[str, Any]:
        """All columns of a new row: the clear ones as they are, `values` sealed, and the seal over them."""
        bound = {name: clear[name] for name in kind.bound}
        return {**clear, **self.seal_row(person, kind, clear["id"], values, bound)}

    def replace(
        self, person: UUID, kind: SealedRow, record: Selected, values: Mapping[str, Any]
    ) -> dict[str, bytes | None]:
        """New envelopes of some columns, and the new seal, of a row that selected `kind.selected(…)`.

        What was there is checked first. Raises `Undecryptable`.
        """
        self.check_row(person, kind, record)
        kept = {name: kind.value(record, name) for name in kind.columns if name not in values}
        return self.seal_row(person, kind, kind.row(record), values, kind.bound_in(record), kept)

    def open_row(self, person: UUID, kind: SealedRow, record: Selected, only: Collection[str]) -> dict[str, Any]:
        """Check the seal of a row that selected `kind.selected(…)`, then open `only` these columns; None for NULL.

        Raises `Undecryptable`.
        """
        self.check_row(person, kind, record)
        there = {name: value for name in only if (value := kind.value(record, name)) is not None}
        opened = self._of(person).open(there, kind.table.name, kind.row(record))
        return dict.fromkeys(only) | {name: orjson.loads(text) for name, text in opened.items()}

    def check_row(self, person: UUID, kind: SealedRow, record: Selected) -> None:
        """Check the seal of a row that selected `kind.selected(…)`, and open nothing. Raises `Undecryptable`."""
        traces = {name: trace_of(kind.value(record, name)) for name in kind.columns}
        seal, bound = kind.value(record, SEAL), kind.bound_in(record)
        self._of(person).check_row(seal, kind.table.name, kind.row(record), bound, traces)

    def seal_member(self, person: UUID, kind: SealedSet, name: str, row: UUID, value: Any) -> bytes:  # noqa: ANN401 - JSON
        """Seal the content of one member of a set."""
        column = kind.column(name)
        text = padded(orjson.dumps(value), kind.step)
        return self._of(person).seal({column: text}, kind.members.name, row)[column]

    def open_member(self, person: UUID, kind: SealedSet, name: str, row: UUID, envelope: bytes) -> Any:  # noqa: ANN401 - JSON
        """Open the content of one member of a set that was checked. Raises `Undecryptable`."""
        column = kind.column(name)
        return orjson.loads(self._of(person).open({column: envelope}, kind.members.name, row)[column])

    def seal_set(
        self, person: UUID, kind: SealedSet, row: UUID, bound: Mapping[str, Any], members: Mapping[str, bytes]
    ) -> bytes:
        """The seal of a row over its members: envelopes or traces, by name."""
        traces = {name: trace_of(each) for name, each in members.items()}
        return self._noted(kind, row, self._of(person).seal_row(kind.table.name, row, bound, traces))

    def check_set(self, person: UUID, kind: SealedSet, record: Selected, members: Mapping[str, bytes]) -> None:
        """Refuse unless exactly these members were sealed on a row that selected `kind.selected()`.

        Raises `Undecryptable`.
        """
        table = kind.table.name
        traces = {name: trace_of(each) for name, each in members.items()}
        row, seal = record[f"{table}_id"], record[f"{table}_{SEAL}"]
        self._of(person).check_row(seal, table, row, kind.bound_in(record), traces)

    def _noted(self, kind: SealedRow | SealedSet, row: UUID, seal: bytes) -> bytes:
        self.sealed[named(kind.table, row)] = digest(seal)
        return seal

    def _of(self, person: UUID) -> PersonKeys:
        keys = self._keys.get(person)
        if keys is None:
            raise Undecryptable
        return keys
