"""The client for objects of S3 buckets, with the credentials of this machine. Its library is an extra."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from api.errors import Misconfigured, Unavailable
from api.outbound import SIZE_MOST, Outbound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from api.audit.objects import Objects


@asynccontextmanager
async def opened(setting: str, region: str, most: int = SIZE_MOST) -> AsyncGenerator[Objects]:
    """Have it for as long as the context lasts. `setting`: where addresses come from. `most`: bytes of an object.

    Raises `Misconfigured`, `Unavailable`.
    """
    objects = _library("api.audit.objects", setting)
    sign = objects.SigV4(region, await asyncio.to_thread(_credentials, setting), setting)
    async with Outbound(most=most) as outbound:
        yield objects.Objects(outbound, sign, setting)


def examine(setting: str) -> None:
    """See that the library is there. Raises `Misconfigured`."""
    _library("botocore.session", setting)


def _credentials(setting: str) -> Any:  # noqa: ANN401 - as the library has them
    """Those that it finds, None when there are none. Blocks: they may be those of a role, which it asks for."""
    session, exceptions = _library("botocore.session", setting), _library("botocore.exceptions", setting)
    try:
        return session.get_session().get_credentials()
    except exceptions.BotoCoreError:
        raise Unavailable("credentials") from None


def _library(name: str, setting: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise Misconfigured((f"{setting}: needs a library: install ketenbrug[s3]",)) from None
