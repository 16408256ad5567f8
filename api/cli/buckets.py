"""The client for objects of S3 buckets, with the credentials of this machine. Its library is an extra."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from api.errors import Misconfigured
from api.outbound import SIZE_MOST, Outbound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from api.audit.objects import Objects


@asynccontextmanager
async def opened(setting: str, region: str, most: int = SIZE_MOST) -> AsyncGenerator[Objects]:
    """Have it for as long as the context lasts. `setting`: where addresses come from. `most`: bytes of an object.

    Raises `Misconfigured`.
    """
    objects, session = _library("api.audit.objects", setting), _library("botocore.session", setting)
    sign = objects.SigV4(region, session.get_session().get_credentials(), setting)
    async with Outbound(most=most) as outbound:
        yield objects.Objects(outbound, sign, setting)


def _library(name: str, setting: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise Misconfigured((f"{setting}: needs a library: install ketenbrug[s3]",)) from None
