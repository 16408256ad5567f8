"""What everybody may read without asking who they are, under `/.well-known/`.

security.txt     where a finder of a weakness reports it (RFC 9116)
audit-receipts   the key that signs receipts, the log that they are of, and the delay that they promise
encryption-keys  the keys that posts may be sealed to (RFC 7517), those that we like best first
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fastapi import Request
from starlette.responses import JSONResponse, PlainTextResponse

from api.edge import routing, state
from api.oauth.metadata import ENCRYPTION_KEYS_PATH

if TYPE_CHECKING:
    from fastapi import FastAPI

_CACHED: Final = {"Cache-Control": "public, max-age=300"}
"""Seconds. A key opens for much longer after it was published last: `inbox.STAYS`."""


@dataclass(frozen=True, slots=True)
class SecurityContact:
    """Who is told. `contact` and `policy` (may be empty) are URIs; `expires` at most a year ahead (section 2.5.5)."""

    contact: str
    policy: str
    expires: datetime

    def text(self, base_url: str) -> str:
        """The file."""
        expires = self.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        policy = f"Policy: {self.policy}\n" if self.policy else ""
        return (
            f"Contact: {self.contact}\nExpires: {expires}\nPreferred-Languages: nl, en\n"
            f"Canonical: {base_url}/.well-known/security.txt\n{policy}"
        )


def install(app: FastAPI, contact: SecurityContact | None, base_url: str) -> None:
    """Serve the files; that for finders if there is somebody to tell."""
    served = routing.router(described=False)
    served.add_api_route("/.well-known/audit-receipts", audit_receipts)
    served.add_api_route(ENCRYPTION_KEYS_PATH, encryption_keys)
    if contact is not None:
        text = contact.text(base_url)

        async def security() -> PlainTextResponse:
            return PlainTextResponse(text)

        served.add_api_route("/.well-known/security.txt", security, response_class=PlainTextResponse)
    routing.join(app, served)


async def encryption_keys(request: Request) -> JSONResponse:
    """Publish what posts may be sealed to now. Compare the thumbprints with what you were told by telephone."""
    here = state.of(request)
    keys = here.inbox.at(here.clock().timestamp()).published(here.clock().timestamp())
    return JSONResponse({"keys": keys}, headers=_CACHED)


async def audit_receipts(request: Request) -> JSONResponse:
    """Publish the key of receipts (C2SP signed-note verifier key). Have it from elsewhere too."""
    signer = state.of(request).log_receipts
    body = {"origin": signer.origin, "receiptKey": signer.key.vkey, "mergeDelaySeconds": signer.merge_delay}
    return JSONResponse(body, headers=_CACHED)
