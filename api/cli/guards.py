"""The signer guard that the settings name: a file of this machine, or an object that several machines share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.audit.bucket import BucketGuard
from api.audit.guard import FileGuard
from api.cli import buckets

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
    async with buckets.opened("KETENBRUG_LOG_GUARD_URL", found.log_guard_region) as objects:
        guard = BucketGuard(found.log_guard_url, objects)
        if examined:
            await guard.examine()
        yield guard
