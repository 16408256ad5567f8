"""What custody asks of who keeps the key-encryption keys (KEK), and how it writes down what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import uuid_utils.compat as uuid_utils

from api.audit import log
from api.audit.entry import Entry, Thing
from api.crypto.wrappers import KeyWrapper
from api.vocabulary import Result

if TYPE_CHECKING:
    from uuid import UUID

    from api.audit.entry import Stated
    from api.principal import Principal
    from api.storage.unit import Unit

ROTATE_KEK: Final = "keys.rotate-kek"
ROTATE_DEK: Final = "keys.rotate-dek"
ROTATE_INDEX: Final = "keys.rotate-index"
DESTROY_EPOCH: Final = "keys.destroy-epoch"
CHECK: Final = "keys.check"
ROTATE_SIGNING: Final = "keys.rotate-signing"
ROTATE_INBOX: Final = "keys.rotate-inbox"


class Custodian(KeyWrapper, Protocol):
    """A key service of which we may also begin and end epochs."""

    async def current(self) -> str:
        """The KEK under which is wrapped from now on. Raises `Unavailable`."""
        ...

    async def renew(self, former: str) -> str:
        """Make a new KEK the current one in place of this one, unless that was done already; the id of the current.

        The others go on unwrapping. Raises `Unavailable`.
        """
        ...

    async def destroy(self, kek: str) -> None:
        """Destroy a KEK that is not current, for good; one that is gone already is no fault. Raises `Unavailable`."""
        ...


class Units(Protocol):
    """Where custody gets its units of work: one for each step, so that nothing is locked for long."""

    def __call__(self) -> Unit:
        """A new unit, at the present moment."""
        ...


class Progress(Protocol):
    """Who is told how far it is."""

    def __call__(self, done: int, left: int) -> None:
        """So many are done, so many left."""
        ...


def write_down(
    unit: Unit,
    actor: Principal,
    action: str,
    kind: str,
    row: UUID | None = None,
    person: UUID | None = None,
    *,
    refused: str | None = None,
    stated: Stated | None = None,
    cause: str | None = None,
) -> None:
    """Carry the entry of one act of custody: committed with the act, or neither is. `person` is an alias of the log.

    `refused`: the reason why it was not done. `stated`, `cause`: why it was, as an entry tells it.
    """
    log.append(
        unit,
        Entry(
            id=uuid_utils.uuid7(),
            at=unit.now,
            action=action,
            result=Result.PERMITTED if refused is None else Result.REFUSED,
            actor=actor,
            thing=Thing(kind, row),
            reason=refused,
            persons=() if person is None else (person,),
            stated=stated,
            cause=cause,
        ),
    )
