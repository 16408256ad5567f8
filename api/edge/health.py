"""Whether the process lives, and whether it can serve: for orchestrators and load balancers, without authentication.

`/health/live` touches nothing. `/health/ready` asks every check that the app gives; a check that raises, or takes
longer than `_PATIENCE` seconds, makes it 503. The answer names the checks, never what they said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from starlette.responses import JSONResponse, Response

from api import problems
from api.edge import routing
from api.edge.answers import ProblemResponse
from api.problems import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

Checks: TypeAlias = Mapping[str, Callable[[], Awaitable[object]]]
"""By name, what must not raise."""

_PATIENCE: Final = 2.0


def install(app: FastAPI, checks: Checks) -> None:
    """Serve `/health/live` and `/health/ready`."""

    async def live() -> Response:
        return JSONResponse({"status": "live"})

    async def ready() -> Response:
        outcomes = await asyncio.gather(*(_holds(check) for check in checks.values()))
        failing = sorted(name for name, holds in zip(checks, outcomes, strict=True) if not holds)
        if failing:
            detail = f"Not ready: {', '.join(failing)}."
            return ProblemResponse(Problem(problems.UNAVAILABLE, detail, headers=(("Retry-After", "5"),)))
        return JSONResponse({"status": "ready", "checks": sorted(checks)})

    served = routing.router(described=False)
    served.add_api_route("/health/live", live)
    served.add_api_route("/health/ready", ready)
    routing.join(app, served)


async def _holds(check: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception:  # noqa: BLE001 - whatever it is, it is not ready
        return False
    return True
