"""A load generator that is no bottleneck: requests are bytes made beforehand, answers are read and counted, no more."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run gave. Times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


async def run(host: str, port: int, requests: Sequence[bytes], connections: int) -> Figures:
    """Send each request once over that many connections, and measure. `refused` counts what was not 200."""
    ticket = count()
    times: list[float] = []
    refused = 0

    async def one() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while (number := next(ticket)) < len(requests):
                began = time.perf_counter()
                writer.write(requests[number])
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                times.append(time.perf_counter() - began)
                refused += not head.startswith(b"HTTP/1.1 200")
        finally:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    seconds = time.perf_counter() - began
    times.sort()
    return Figures(
        len(times),
        seconds,
        times[len(times) // 2] * 1000,
        times[min(len(times) - 1, int(len(times) * 0.99))] * 1000,
        refused,
    )


def _length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + 15
    return int(head[at : head.index(b"\r\n", at)])


def get(path: str, host: str, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
