"""The MetaData, and the kinds of columns that every room uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, CheckConstraint, Column, DateTime, LargeBinary, MetaData, Text, Uuid
from sqlalchemy.types import TypeDecorator, UserDefinedType

from api.errors import PlaintextRefused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    from sqlalchemy.engine import Dialect

SCHEMAS = ("keys", "oauth", "consent", "exchange", "audit")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ENVELOPE_VERSION = 0xE1
ENVELOPE_LEAST = 32
"""Bytes of an envelope around nothing: header 4, nonce 12, tag 16."""

SEAL_BYTES = 32
"""Bytes of a row's seal: version 2, authenticator 30."""


PADDING = 256
"""Of how many bytes what is sealed becomes a multiple (`api.crypto.padding`), unless its column says otherwise."""


class Envelope(TypeDecorator[bytes]):
    """BYTEA that takes nothing but envelopes (`api.crypto.envelopes`), on the compiled driver path too.

    `step`: of what its values are lengthened to a multiple. Raises `PlaintextRefused`. Opening is never a column's
    work: it needs a permit.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, step: int = PADDING) -> None:
        super().__init__()
        self.step = step

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Let an envelope or NULL through."""
        if value is None:
            return None
        if not isinstance(value, bytes) or len(value) < ENVELOPE_LEAST or value[0] != ENVELOPE_VERSION:
            raise PlaintextRefused("only sealed values may be stored here")
        return value


class Xid8(UserDefinedType[int]):
    """A 64-bit transaction id: orders rows by commit horizon where identity values cannot (late committers)."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        """The SQL name."""
        return "xid8"


def sealed(name: str, *, nullable: bool = False, step: int = PADDING) -> tuple[Column[Any], CheckConstraint]:
    """A column for envelopes, with the same guard as a CHECK: version byte, least length. Unpack it: `*sealed("x")`.

    `step` is 1 only where all values are equally long.
    """
    rule = f"get_byte({name}, 0) = {ENVELOPE_VERSION} AND octet_length({name}) >= {ENVELOPE_LEAST}"
    return Column(name, Envelope(step), nullable=nullable), CheckConstraint(rule, name=f"{name}_sealed")


def seal() -> tuple[Column[Any], CheckConstraint]:
    """Make the column of a row's seal (`api.crypto.rows`). Unpack it: `*seal()`."""
    return Column("seal", LargeBinary, nullable=False), CheckConstraint(
        f"octet_length(seal) = {SEAL_BYTES}", name="seal"
    )


def words(
    name: str,
    closed: type[StrEnum] | Iterable[str],
    *,
    nullable: bool = False,
    **options: Any,  # noqa: ANN401 - Column's options
) -> tuple[Column[Any], CheckConstraint]:
    """Make a text column that takes the words of one closed list. Unpack it: `*words("state", State)`."""
    listed = ", ".join(f"'{word}'" for word in closed)
    return Column(name, Text, nullable=nullable, **options), CheckConstraint(f"{name} IN ({listed})", name=name)


def words_array(
    name: str,
    closed: type[StrEnum],
    **options: Any,  # noqa: ANN401 - Column's options
) -> tuple[Column[Any], CheckConstraint]:
    """Make a text[] column that takes the words of one closed list."""
    listed = ", ".join(f"'{word}'" for word in closed)
    return Column(name, ARRAY(Text), nullable=False, **options), CheckConstraint(
        f"{name} <@ ARRAY[{listed}]", name=name
    )


def instant(name: str, *, nullable: bool = False) -> Column[Any]:
    """Make a timestamptz column."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def key() -> Column[Any]:
    """Make the primary key of a row: a UUID that we choose before we seal."""
    return Column("id", Uuid, primary_key=True)
