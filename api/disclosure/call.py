"""What an operation holds in its hands: the declared operation, the proven caller, the unit of work, the vault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.crypto.honey import Eye

if TYPE_CHECKING:
    from uuid import UUID

    from api.crypto.blind import BlindIndex
    from api.crypto.vault import Vault
    from api.disclosure.authority import Operation
    from api.oauth.payloads import SignedPayload
    from api.principal import Principal
    from api.storage.unit import Unit


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key of this client for this operation, and the id of what it makes."""

    key: str
    made: UUID
    replayed: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One call. The edge makes it; the gate reads from it what is asked and by whom: no use case can say otherwise.

    `once` is there for an operation that creates: what its idempotency key stands for. `eye` is on planted records.
    `signed`: the body, where it came with a signature that holds.
    """

    operation: Operation
    caller: Principal
    unit: Unit
    vault: Vault
    index: BlindIndex
    once: Once | None = None
    eye: Eye = field(default_factory=Eye)
    signed: SignedPayload | None = None

    @property
    def replayed(self) -> bool:
        """Whether what the key created is only rendered anew."""
        return self.once is not None and self.once.replayed

    @property
    def made(self) -> UUID:
        """The id of what this operation makes, or made when it was first asked."""
        if self.once is None:
            raise AssertionError("only an operation that creates has one")
        return self.once.made
