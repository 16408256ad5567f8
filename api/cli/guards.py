"""The signer guard that the settings name: a file of this machine, or an object that several machines share."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from api.audit.guard import FileGuard
from api.errors import Misconfigured
from api.outbound import Outbound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from api.audit.guard import Guard
    from api.settings import Settings


@asynccontextmanager
async def opened(found: Settings, *, examined: bool = False) -> AsyncGenerator[Guard]:
    """Reach it, for as long as the context lasts. `examined`: see first that it is fit. Raises `Misconfigured`."""
    if not found.log_guard_url:
        yield FileGuard(found.log_guard)
        return
    bucket, session = _library("api.audit.bucket"), _library("botocore.session")
    async with Outbound() as outbound:
        sign = bucket.SigV4(found.log_guard_region, session.get_session().get_credentials())
        guard = bucket.BucketGuard(found.log_guard_url, outbound, sign)
        if examined:
            await guard.examine()
        yield guard


def _library(name: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise Misconfigured(("KETENBRUG_LOG_GUARD_URL: needs a library: install ketenbrug[s3]",)) from None
