"""`ketenbrug client headers`: the two headers of one request, for trying things out with curl.

    ketenbrug client headers GET $URL --sandbox DIR --as ngo | curl -H @- $URL

The headers serve one request, once, within a minute. They are printed and nowhere kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from api.errors import Misconfigured
from clients import _messages
from clients._parts import TIMEOUT
from clients._transport import Http
from clients.ngo import NgoClient

_API: Final = "/v1"
_SENT: Final = ("Authorization", "DPoP")


class _Made(Exception):
    """The request that would have been sent."""

    def __init__(self, request: _messages.Request) -> None:
        super().__init__()
        self.request = request


class _Holding:
    """Sends what it takes to get a token, and holds the request to the API back."""

    def __init__(self, api: str) -> None:
        self._api = api
        self._http = Http(timeout=TIMEOUT)

    def send(self, request: _messages.Request) -> _messages.Response:
        """Send, or raise `_Made`."""
        if request.url.startswith(self._api):
            raise _Made(request)
        return self._http.send(request)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


def headers(
    method: Annotated[str, typer.Argument(help="GET or POST.")],
    url: Annotated[str, typer.Argument(help="The whole address, as it will be called.")],
    sandbox: Annotated[Path, typer.Option(help="The directory of a running sandbox.")],
    part: Annotated[
        str, typer.Option("--as", help="Who calls: ngo, otherNgo, ind, dtv, avim, municipality, …")
    ] = "ngo",
) -> None:
    """Print the headers `Authorization` and `DPoP` of one request of a sandbox client, for `curl -H @-`."""
    described = _described(sandbox)
    base: str = described["baseUrl"]
    if part not in described["clients"] or not url.startswith(f"{base}/"):
        raise Misconfigured((f"the sandbox has {', '.join(described['clients'])}, and is at {base}",))
    mine = described["clients"][part]
    call = _messages.Call(method.upper(), url.removeprefix(base).lstrip("/"), _nothing)
    with NgoClient(
        base,
        issuer=described["issuer"],
        client_id=mine["clientId"],
        key=mine["jwk"],
        scope=mine["scope"],
        transport=_Holding(base),
    ) as client:
        try:
            client._driver.call(call)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - all share it
        except _Made as made:
            for name in _SENT:
                typer.echo(f"{name}: {made.request.headers[name]}")


def _described(directory: Path) -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads((directory / "sandbox.json").read_text())
    except (OSError, ValueError):
        raise Misconfigured((f"no sandbox runs in {directory}: `ketenbrug sandbox --dir {directory}`",)) from None
    return described


def _nothing(_body: bytes) -> NoReturn:
    raise ValueError
