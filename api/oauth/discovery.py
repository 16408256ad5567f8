"""What an issuer says of itself: metadata that name exactly this issuer, and addresses on its own origin (RFC 8414).

An address elsewhere is not followed: whoever can put one document at an issuer must not choose where we send what
proves us, or whose keys we believe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from api.outbound import NotFetched, origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.outbound import Fetcher

OPENID: Final = "/.well-known/openid-configuration"
OAUTH: Final = "/.well-known/oauth-authorization-server"


async def metadata(fetcher: Fetcher, issuer: str, paths: Sequence[str]) -> dict[str, Any]:
    """The metadata at the first of these paths that are of exactly this issuer and say where its keys are.

    RFC 8414 section 3.3. Raises `NotFetched`.
    """
    for path in paths:
        try:
            document = await fetcher.json(well_known(issuer, path))
        except NotFetched:
            continue
        if document.get("issuer") == issuer and address(document, "jwks_uri", issuer):
            return document
    raise NotFetched("the issuer has no metadata of its own")


def address(document: Mapping[str, Any], member: str, issuer: str) -> str:
    """The address that metadata name, when it is on the issuer's own origin; else nothing."""
    named = document.get(member)
    try:
        return named if isinstance(named, str) and origin(named) == origin(issuer) else ""
    except NotFetched:
        return ""


def well_known(issuer: str, path: str) -> str:
    """RFC 8414 puts the well-known path before the issuer's own path, OpenID Connect behind it."""
    parts = urlsplit(issuer)
    own = parts.path.rstrip("/")
    return parts._replace(path=own + path if path == OPENID else path + own).geturl()
