"""What commands about who takes part share: a unit of work, reading keys and ids, and signing as an operator."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from joserfc.errors import JoseError
from joserfc.jwk import import_key

from api import settings
from api.cli import transaction
from api.crypto import secretfile
from api.errors import Misconfigured
from api.oauth import agreeing, jose
from api.oauth.model import KEYS_WARNED, renew_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from pathlib import Path

    from api.oauth.agreeing import Sign
    from api.oauth.model import Client
    from api.storage.unit import Unit

T = TypeVar("T")


def within(work: Callable[[Unit], Awaitable[T]]) -> T:
    """Do it in one unit of work on the configured database."""

    async def once() -> T:
        async with transaction.of(settings.database()) as unit:
            return await work(unit)

    return asyncio.run(once())


def keys(file: Path) -> tuple[dict[str, object], ...]:
    """The JWKs of a file that holds one, or a set of them."""
    try:
        content: object = json.loads(file.read_text())
    except (OSError, ValueError):
        raise Misconfigured((f"{file} is not a readable JSON file",)) from None
    found = cast("dict[str, object]", content) if isinstance(content, dict) else {}
    listed = found.get("keys", [found])
    return tuple(cast("list[dict[str, object]]", listed)) if isinstance(listed, list) else ()


def identity(text: str) -> UUID:
    """An id that somebody typed. Raises `Misconfigured`."""
    try:
        return UUID(text)
    except ValueError:
        raise Misconfigured((f"{text} is not an id",)) from None


def signing(file: Path) -> Sign:
    """Sign with the private key of a file, which nobody else can read."""
    if file.exists() and file.stat().st_mode & secretfile.OTHERS:
        raise Misconfigured((f"{file} is open to group or others: chmod 0400 it",))
    jwk = dict(keys(file)[0])
    alg = {"EC": "ES256", "OKP": "Ed25519", "RSA": "PS256"}.get(str(jwk.get("kty")), "")
    try:
        native: Any = import_key(
            cast("Any", {name: jwk[name] for name in jwk if name not in {"alg", "use", "key_ops"}})
        )
        jose.sign({"alg": alg}, {}, native)
    except (JoseError, ValueError, KeyError, TypeError):
        raise Misconfigured((f"{file} holds no private key that signs",)) from None
    return lambda claims: jose.sign({"alg": alg, "typ": agreeing.SIGNED_TYPE}, claims, native)


def certificates(files: list[Path] | None) -> list[str]:
    """The texts of files of certificates (PEM)."""
    try:
        return [file.read_text() for file in files or ()]
    except (OSError, ValueError):
        raise Misconfigured(("a file of a certificate cannot be read as text (PEM)",)) from None


def renewal(known: Client, today: datetime) -> str:
    """By when a client is to renew what it proves itself by: of several certificates, the first to expire."""
    if known.pins == ():
        return "by any certificate with the OIN of its organisation"
    due = renew_by(known.keys_since) if known.pins is None else min(pin.ends for pin in known.pins).date()
    late = " OVERDUE" if due < today.date() else " soon" if due < (today + KEYS_WARNED).date() else ""
    return f"renew by {due}{late}"
