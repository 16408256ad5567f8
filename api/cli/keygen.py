"""`ketenbrug client keygen`: a client's key pair, on the client's own machine. The private half never leaves it."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.errors import Misconfigured
from api.oauth import jose

app: Final = typer.Typer(help="For those who connect: a client's own key.", no_args_is_help=True)


class KeyKind(StrEnum):
    """Which key pair to make."""

    ES256 = "ES256"
    ED25519 = "Ed25519"
    PS256 = "PS256"
    RSA_OAEP = "RSA-OAEP"
    RSA_OAEP_256 = "RSA-OAEP-256"
    ECDH_P256 = "ECDH-P256"
    ECDH_X25519 = "ECDH-X25519"


_ENCRYPTING: Final = {
    kind: {"use": "enc", "alg": algorithm}
    for kind, algorithm in (
        (KeyKind.RSA_OAEP, "RSA-OAEP"),
        (KeyKind.RSA_OAEP_256, "RSA-OAEP-256"),
        (KeyKind.ECDH_P256, "ECDH-ES+A256KW"),
        (KeyKind.ECDH_X25519, "ECDH-ES+A256KW"),
    )
}


@app.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the private key is written. It never leaves this machine.")],
    kind: Annotated[KeyKind, typer.Option(help="Which kind of key.")] = KeyKind.ES256,
) -> None:
    """Write a new private key (JWK, mode 0600) and print its public part: that is what the operator needs."""
    key = _new(kind)
    named = {"kid": key.thumbprint(), **_ENCRYPTING.get(kind, {})}
    public = key.as_dict(private=False) | named
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misconfigured((f"{file} exists already: a key is never overwritten",)) from None
    with os.fdopen(descriptor, "w") as writing:
        json.dump(key.as_dict(private=True) | named, writing, indent=1)
        writing.flush()
        os.fsync(writing.fileno())
    typer.echo(json.dumps(public, indent=1))
    typer.echo(f"thumbprint: {key.thumbprint()}", err=True)


def _new(kind: KeyKind) -> ECKey | OKPKey | RSAKey:
    match kind:
        case KeyKind.ES256 | KeyKind.ECDH_P256:
            return ECKey.generate_key("P-256")
        case KeyKind.ED25519:
            return OKPKey.generate_key("Ed25519")
        case KeyKind.ECDH_X25519:
            return OKPKey.generate_key("X25519")
        case KeyKind.PS256 | KeyKind.RSA_OAEP | KeyKind.RSA_OAEP_256:
            return RSAKey.generate_key(jose.RSA_LEAST)
