"""Tokens of an authorization server that we did not write: oidc-provider, in its FAPI 2.0 profile, with our own off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from joserfc.jwk import ECKey

from api.sandbox.running import LOG
from api.sandbox.service import Service
from tests import live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.foreign.tools import Node

SCOPE: Final = "dossiers:read"
THEIR_NAME: Final = "their-own-name-for-it"
NOBODY: Final = "nobody-that-we-know"


@dataclass(frozen=True)
class Trusting:
    """A service that takes the tokens of the other server only, and what its clients know."""

    address: str
    stories: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def trusting(
    sandbox: live.Sandbox, node: Node, stories: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trusting]:
    """The sandbox's database, dossier and client; the other server calls that client by another name."""
    port, issuer = live.free_port(), f"http://127.0.0.1:{live.free_port()}"
    address = f"http://127.0.0.1:{port}"
    audience = f"{address}/v1"
    jwk = ECKey.generate_key("P-256", auto_kid=True)
    settings = {
        "database_url": sandbox.description()["applicationDatabaseUrl"],
        "work_database_url": sandbox.description()["workDatabaseUrl"],
        "key_file": sandbox.directory / "keys",
        "public_url": address,
        "port": port,
        "log_origin": LOG,
        "log_guard": sandbox.directory / "guard",
        "sandbox": True,
        "embedded_issuer": False,
        "issuers": json.dumps(
            [{"issuer": issuer, "clients": {THEIR_NAME: stories["ES256"]["clientId"]}, "ownNetwork": True}]
        ),
    }
    told = {
        "issuer": issuer,
        "port": int(issuer.rpartition(":")[2]),
        "audience": audience,
        "scope": SCOPE,
        "clientIds": [THEIR_NAME, NOBODY],
        "publicKey": jwk.as_dict(private=False) | {"alg": "ES256", "use": "sig"},
    }
    url = f"{audience}/dossiers/{sandbox.description()['samples']['dossierId']}"
    known = {
        name: {
            "issuer": issuer,
            "discovery": "oidc",
            "clientId": name,
            "jwk": jwk.as_dict(private=True),
            "algorithm": "ES256",
            "proofAlgorithm": "ES256",
            "scope": SCOPE,
            "url": url,
        }
        for name in (THEIR_NAME, NOBODY)
    }
    said = tmp_path_factory.mktemp("trusting") / "said"
    with node.serving("provider", told), Service.start(live.environment(**settings), address, said):
        yield Trusting(address, known)


def test_a_client_of_the_other_server_reads_a_dossier(node: Node, trusting: Trusting) -> None:
    """Nothing of it is ours: server, client and library. It is known by the pair of issuer and client id."""
    read = node.run("openid-client", trusting.stories[THEIR_NAME])
    assert (read["tokenType"], read["status"]) == ("dpop", 200), read["body"]
    assert read["body"]["sections"]


def test_a_client_that_the_operator_did_not_name_is_nobody(node: Node, trusting: Trusting) -> None:
    """The other server vouches for it, and that is not enough."""
    assert node.run("openid-client", trusting.stories[NOBODY])["status"] == 401


def test_our_own_server_is_gone(trusting: Trusting) -> None:
    found = httpx.get(f"{trusting.address}/.well-known/oauth-protected-resource/v1").json()
    assert found["authorization_servers"] == [trusting.stories[THEIR_NAME]["issuer"]]
    assert httpx.post(f"{trusting.address}/oauth/token").status_code == 404
    assert httpx.get(f"{trusting.address}/.well-known/oauth-authorization-server").status_code == 404
