"""Counts for a Prometheus server, on a port of their own: whoever may see figures of the service need not see its API.

Every process of ours counts into files of one temporary folder; the process that owns the folder tells their sums.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Generator

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def told(host: str, port: int) -> Generator[None]:
    """Tell on this port for as long as the context lasts what this process and its children count; 0: count nothing.

    To be entered before anything that counts is imported, and before children start: they leave the telling to us.
    Raises `Misconfigured` when the port cannot be had.
    """
    environment = os.environ  # noqa: TID251 - the library takes the folder from there, in us and in our children
    if port == 0 or _FOLDER in environment:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ketenbrug-metrics-") as folder:
        environment[_FOLDER] = folder
        try:
            # It chooses at its import how it counts, and by then has to find the folder.
            from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415
            from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
            try:
                server, thread = start_http_server(port, addr=host, registry=registry)
            except OSError as error:
                raise Misconfigured((f"KETENBRUG_METRICS_PORT: {port} on {host} cannot be used",)) from error
            try:
                yield
            finally:
                server.shutdown()
                server.server_close()
                thread.join()
        finally:
            del environment[_FOLDER]
