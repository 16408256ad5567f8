"""Which key service keeps the key-encryption keys, and how it is reached. Only the chosen one's library is loaded."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from api.crypto.transit import Transit
from api.errors import Misconfigured
from api.outbound import Outbound, loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from api.crypto.services import KeyService

PATIENCE: Final = 5.0
"""Seconds for one call: requests wait for it."""


class Kind(StrEnum):
    """The key services."""

    FILE = "file"
    TRANSIT = "transit"
    PKCS11 = "pkcs11"
    KMS = "kms"


@dataclass(frozen=True, slots=True)
class Choice:
    """A key service. `name`: what the names of our keys there begin with. The rest: what its kind needs.

    `index`: whether the next key of the V-number index is made there too.
    """

    kind: Kind
    name: str
    index: bool = True
    url: str = ""
    credentials: Path | None = None
    authorities: Path | None = None
    mount: str = ""
    namespace: str = ""
    module: Path | None = None
    token: str = ""
    region: str = ""

    def faults(self) -> list[str]:
        """What is missing or unsafe, as settings."""
        credentials = {"KEY_SERVICE_CREDENTIALS": self.credentials}
        needs: dict[Kind, dict[str, object]] = {
            Kind.FILE: {},
            Kind.TRANSIT: {"KEY_SERVICE_URL": self.url, **credentials},
            Kind.PKCS11: {"KEY_SERVICE_MODULE": self.module, "KEY_SERVICE_TOKEN": self.token, **credentials},
            Kind.KMS: {"KEY_SERVICE_REGION": self.region},
        }
        faults = [f"KETENBRUG_{name}: {self.kind} needs it" for name, given in needs[self.kind].items() if not given]
        parts = urlsplit(self.url)
        if self.url and not (parts.scheme == "https" or (parts.scheme == "http" and loopback(parts.hostname or ""))):
            faults.append("KETENBRUG_KEY_SERVICE_URL: an https address; http is for loopback only")
        return faults


@asynccontextmanager
async def opened(choice: Choice) -> AsyncGenerator[KeyService]:
    """Reach the key service. Nothing is asked of it yet. Raises `Misconfigured` when its library is not installed."""
    if choice.kind is Kind.FILE:
        raise AssertionError("a file is no service")
    if choice.kind is Kind.TRANSIT:
        async with Outbound(patience=PATIENCE, authorities=choice.authorities) as outbound:
            assert choice.credentials is not None  # noqa: S101 - `faults` saw to it
            yield Transit(outbound, choice.url, choice.credentials, mount=choice.mount, namespace=choice.namespace)
    elif choice.kind is Kind.KMS:
        kms = library("kms", "kms")
        made = kms.Kms(kms.client(choice.region, choice.url))
        try:
            yield made
        finally:
            made.close()
    else:
        token = library("pkcs11", "pkcs11").Pkcs11(choice.module, choice.token, choice.credentials)
        try:
            yield token
        finally:
            await token.close()


def library(module: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """A module of this room that needs a library which not everybody installs. Raises `Misconfigured` without it."""
    try:
        return importlib.import_module(f"api.crypto.{module}")
    except ModuleNotFoundError:
        why = f"{extra} is chosen as a key service and needs its library: install ketenbrug[{extra}]"
        raise Misconfigured((why,)) from None
