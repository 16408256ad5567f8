"""The vault: the persons' keys for one request. One batch unwrap, then pure computation; dropped with the request."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import insert

from api.crypto.envelopes import PersonKeys
from api.crypto.tables import person_key
from api.errors import Undecryptable
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from uuid import UUID

    from api.crypto.wrappers import KeyWrapper, WrappedKey
    from api.storage.unit import Unit

_INSERT: Final = statement(insert(person_key), "person_id", "version", "kek", "wrapped", "created_at")
_LENGTH: Final = 32


class Vault:
    """Seals and opens for the persons whose keys were taken in. It decides nothing: callers hold a permit."""

    __slots__ = ("_keys", "_wrapper")

    def __init__(self, wrapper: KeyWrapper) -> None:
        self._wrapper = wrapper
        self._keys: dict[UUID, PersonKeys] = {}

    def __repr__(self) -> str:
        return f"<Vault for {len(self._keys)} persons>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    async def create(self, unit: Unit, person: UUID) -> None:
        """Make the key of a new person and take it in."""
        key = secrets.token_bytes(_LENGTH)
        row = await self._wrapper.wrap(person, 1, key)
        await unit.run(
            _INSERT(person_id=person, version=row.version, kek=row.kek, wrapped=row.wrapped, created_at=unit.now)
        )
        self._keys[person] = PersonKeys(person, {1: key})

    async def take(self, rows: Iterable[WrappedKey]) -> None:
        """Take in wrapped keys: one call to the key service for all. Raises `Undecryptable` or `Unavailable`."""
        wanted = [row for row in dict.fromkeys(rows) if row.person not in self._keys]
        versions: dict[UUID, dict[int, bytes]] = {}
        for row, key in zip(wanted, await self._wrapper.unwrap(wanted), strict=True):
            versions.setdefault(row.person, {})[row.version] = key
        for person, keys in versions.items():
            self._keys[person] = PersonKeys(person, keys)

    def seal(self, person: UUID, value: Any, table: str, column: str, row: UUID) -> bytes:  # noqa: ANN401 - any JSON value
        """Seal a JSON value to its place."""
        return self._of(person).seal(orjson.dumps(value), table, column, row)

    def open(self, person: UUID, envelope: bytes, table: str, column: str, row: UUID) -> Any:  # noqa: ANN401 - any JSON value
        """Open a JSON value that was sealed to this place. Raises `Undecryptable`."""
        return orjson.loads(self._of(person).open(envelope, table, column, row))

    def _of(self, person: UUID) -> PersonKeys:
        keys = self._keys.get(person)
        if keys is None:
            raise Undecryptable
        return keys
