"""Where the service's signing keys are made and kept: the file, or a token. Only the chosen one's library is loaded."""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Pydantic reads it
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from api.crypto import choice
from api.crypto.signers import FileWorkshop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from api.crypto.signers import Workshop


class SigningKind(StrEnum):
    """What may keep signing keys."""

    FILE = "file"
    PKCS11 = "pkcs11"


class SigningChoice(BaseModel):
    """Who keeps the signing keys, as settings."""

    signing_service: SigningKind = Field(SigningKind.FILE, description="Where keys that sign access tokens are made.")
    signing_module: Path | None = Field(None, description="pkcs11: the library of the maker.")
    signing_token: str = Field("", description="pkcs11: label of the token; it may be that of the key service.")
    signing_credentials: Path | None = Field(None, description="pkcs11: file with the PIN.")

    def signing_faults(self) -> list[str]:
        """What is missing."""
        if self.signing_service is SigningKind.FILE:
            return []
        needs = {"MODULE": self.signing_module, "TOKEN": self.signing_token, "CREDENTIALS": self.signing_credentials}
        why = f"{self.signing_service} needs it"
        return [f"KETENBRUG_SIGNING_{name}: {why}" for name, given in needs.items() if not given]


@asynccontextmanager
async def opened(chosen: SigningChoice) -> AsyncGenerator[Workshop]:
    """Reach it. Nothing is asked of it yet. Raises `Misconfigured` when its library is not installed."""
    if chosen.signing_service is SigningKind.FILE:
        yield FileWorkshop()
        return
    kind = choice.library("pkcs11_signer", "pkcs11").TokenWorkshop
    workshop = kind(chosen.signing_module, chosen.signing_token, chosen.signing_credentials)
    try:
        yield workshop
    finally:
        await workshop.close()
