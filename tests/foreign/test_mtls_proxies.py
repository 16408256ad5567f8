"""Clients with a certificate through nginx and HAProxy, in the configurations that operators are given.

The proxies are Debian's, and the configurations those of `docs/how/proxies`, ports and folders apart. What only they
can check is checked here: the authority, the purpose and the revocation of a certificate, and that no header passes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from api import settings
from api.sandbox.running import LOG
from api.sandbox.service import Service
from api.vocabulary import Purpose
from clients.ngo import NgoClient
from tests import live, mtls_kit
from tests import oauth_kit as kit
from tests.clients_kit import private_jwk
from tests.foreign import debian

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.foreign.tools import Node
    from tests.mtls_kit import Authority, Certificate

SHIPPED: Final = Path(__file__).parents[2] / "docs/how/proxies"
OIN: Final = "00000099000000000001"
CLIENT: Final = "mtls-ngo"
PATIENCE: Final = 20.0
BY: Final = kit.key("es256")


@dataclass(frozen=True)
class Place:
    """The service, the proxy before it, and who is known there."""

    folder: Path
    port: int
    public_port: int
    mtls_port: int
    hop_key: str
    trusted: Authority
    client: Certificate

    @property
    def public(self) -> str:
        """The public address."""
        return f"https://localhost:{self.public_port}"

    @property
    def mtls(self) -> str:
        """The one for who has a certificate."""
        return f"https://localhost:{self.mtls_port}"

    def http(self, shown: Certificate | None = None) -> httpx.Client:
        """A connection with a certificate, or without."""
        context = ssl.create_default_context(cadata=self.trusted.root.pem)
        if shown is not None:
            pair = self.folder / f"{secrets.token_hex(4)}.pem"
            pair.write_text(shown.pem + shown.key_pem)
            context.load_cert_chain(pair)
        return httpx.Client(verify=context, trust_env=False)

    def ask(self, http: httpx.Client, at: str, headers: dict[str, str] | None = None, claims_at: str = "") -> Any:
        """Ask for a token, as the nonce is asked for and without an assertion."""
        form = {"grant_type": "client_credentials", "scope": "dossiers:read", "client_id": CLIENT}
        nonce, url = "none-yet", f"{claims_at or at}/oauth/token"
        for _ in range(2):
            proof = kit.proof(BY, url=url, at=time.time(), nonce=nonce)
            answer = http.post(f"{at}/oauth/token", data=form, headers={"DPoP": proof} | (headers or {}))
            nonce = answer.headers.get("dpop-nonce", "")
        return answer


@pytest.fixture(scope="module")
def place(sandbox: live.Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The sandbox's database behind another service, whose clients come through a proxy."""
    folder, told, at = tmp_path_factory.mktemp("proxies"), sandbox.description(), time.time()
    trusted = mtls_kit.Authority("The one authority")
    made = Place(
        folder,
        live.free_port(),
        live.free_port(),
        live.free_port(),
        secrets.token_hex(32),
        trusted,
        trusted.issue(OIN, at=at),
    )
    (folder / "hop").write_text(made.hop_key)
    (folder / "hop").chmod(0o400)
    words = ("--organisation", told["clients"]["ngo"]["organisation"], "--scope", "dossiers:read", "--mtls")
    ended = live.command(
        "register", "client", CLIENT, *words, database_url=told["applicationDatabaseUrl"], sandbox=True
    )
    assert ended.returncode == 0, ended.stderr
    _papers(made, at)
    given = {
        "database_url": told["applicationDatabaseUrl"],
        "work_database_url": told["workDatabaseUrl"],
        "key_file": sandbox.directory / "keys",
        "public_url": made.public,
        "port": made.port,
        "mtls_url": made.mtls,
        "hop_key_file": folder / "hop",
        "log_origin": LOG,
        "log_guard": sandbox.directory / "guard",
        "sandbox": True,
    }
    with Service.start(live.environment(**given), f"http://127.0.0.1:{made.port}", folder / "said"):
        yield made


def _papers(place: Place, at: float) -> None:
    """What the configurations name, as an operator lays it beside them."""
    folder, trusted = place.folder, place.trusted
    server = trusted.issue("", at=at, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=["localhost"])
    for name in ("server", "mtls-server"):
        (folder / f"{name}.key").write_text(server.key_pem)
        (folder / f"{name}.pem").write_text(server.pem + server.key_pem)
    (folder / "client-authority.pem").write_text(trusted.root.pem)
    (folder / "hop-key.conf").write_text(f'proxy_set_header Client-Cert-Hop-Key "{place.hop_key}";\n')


@contextmanager
def nginx(place: Place) -> Generator[None]:
    """nginx, as `nginx.conf` has it."""
    root = debian.unpacked("nginx", "libnginx-mod-http-js")
    folder = place.folder
    modules = folder / "modules"
    if not modules.exists():
        modules.symlink_to(root / "usr/lib/nginx/modules")
    shutil.copy(SHIPPED / "client-cert.js", folder)
    text = _of_here(place, (SHIPPED / "nginx.conf").read_text())
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)  # Debian's are for root
    (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ {folders}"))
    said = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    with _running(place, root / "usr/sbin/nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", said):
        yield


@contextmanager
def haproxy(place: Place) -> Generator[None]:
    """HAProxy, as `haproxy.cfg` has it."""
    root = debian.unpacked("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
    (place.folder / "haproxy.cfg").write_text(_of_here(place, (SHIPPED / "haproxy.cfg").read_text()))
    libraries = str(next(root.glob("usr/lib/*/liblua5.3.so.0")).parent)
    more = {"HOP_KEY": place.hop_key, "LD_LIBRARY_PATH": libraries}
    with _running(place, root / "usr/sbin/haproxy", "-db", "-f", "haproxy.cfg", **more):
        yield


def _of_here(place: Place, text: str) -> str:
    """The configuration with the ports of this test, each of which it names once."""
    for theirs, ours in ((" 443 ", place.public_port), (" 8443 ", place.mtls_port), (":443 ", place.public_port)):
        text = text.replace(theirs, f"{theirs[0]}{ours} ")
    text = text.replace(":8443 ", f":{place.mtls_port} ")
    assert text.count("127.0.0.1:8080") == 1
    return text.replace("127.0.0.1:8080", f"127.0.0.1:{place.port}")


@contextmanager
def _running(place: Place, program: Path, *words: str, **more: str) -> Generator[None]:
    said = place.folder / f"{program.name}.said"
    with said.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own words
            (program, *words), cwd=place.folder, env=live.environment(**more), stdout=output, stderr=output
        )
        try:
            live.until(lambda: child.poll() is not None or live.listens(place.mtls_port), PATIENCE)
            assert child.poll() is None, said.read_text()
            yield
        finally:
            child.terminate()
            child.wait(PATIENCE)


PROXIES: Final = {"nginx": nginx, "haproxy": haproxy}


@pytest.fixture(scope="module", params=PROXIES)
def revoked(place: Place, request: pytest.FixtureRequest) -> Iterator[Certificate]:
    """A proxy before the service, and a certificate that its list has as revoked."""
    lost = place.trusted.issue(OIN, at=time.time())
    (place.folder / "client-authority.crl").write_text(place.trusted.revoked(lost, at=settings.now()))
    with PROXIES[request.param](place):
        yield lost


@pytest.mark.usefixtures("revoked")
def test_a_certified_client_reads_a_dossier_with_its_certificate(
    node: Node, place: Place, sandbox: live.Sandbox
) -> None:
    """`openid-client`, unmodified: metadata, mtls_endpoint_aliases, tls_client_auth, DPoP, a token bound to both."""
    story = {
        "issuer": place.public,
        "clientId": CLIENT,
        "scope": "dossiers:read",
        "url": f"{place.mtls}/v1/dossiers/{sandbox.description()['samples']['dossierId']}",
        "authority": place.trusted.root.pem,
        "certificate": place.client.pem,
        "key": place.client.key_pem,
    }
    told = node.run("mtls", story)
    assert told["aliases"]["token_endpoint"] == f"{place.mtls}/oauth/token"
    assert set(told["confirmation"]) == {"jkt", "x5t#S256"}
    assert told["confirmation"]["x5t#S256"] == place.client.thumbprint
    assert (told["status"], len(told["body"]["sections"]) >= 8) == (200, True)


def test_the_proxy_lets_nobody_in_whom_the_authority_does_not_vouch_for(place: Place, revoked: Certificate) -> None:
    """No certificate, one of another authority with the right OIN, one for servers, expired, early, revoked."""
    at, trusted = time.time(), place.trusted
    for shown in (
        None,
        mtls_kit.Authority("The one authority").issue(OIN, at=at),
        trusted.issue(OIN, at=at, usage=ExtendedKeyUsageOID.SERVER_AUTH),
        trusted.issue(OIN, at=at, days=(-9, -1)),
        trusted.issue(OIN, at=at, days=(1, 9)),
        revoked,
    ):
        with place.http(shown) as http:
            try:
                status = http.get(f"{place.mtls}/health/live").status_code
            except httpx.TransportError:
                continue
            assert status == 400  # nginx says it over HTTP, and the service never sees it
    with place.http(place.client) as http:
        assert http.get(f"{place.mtls}/health/live").status_code == 200
        assert place.ask(http, place.mtls).status_code == 200


@pytest.mark.usefixtures("revoked")
def test_no_header_of_a_client_passes(place: Place) -> None:
    """At the public address it is dropped, at the other one replaced; and straight at the service it is refused."""
    forged = place.client.fields | {"Client-Cert-Hop-Key": place.hop_key, "Client-Cert-Chain": ":AAAA:"}
    with place.http() as http:
        answer = place.ask(http, place.public, forged)
        assert answer.json()["error_description"].startswith("no certificate came"), answer.text
    other = place.trusted.issue("00000099000000000002", at=time.time())
    with place.http(other) as http:
        answer = place.ask(http, place.mtls, forged)
        assert answer.json()["error_description"].startswith("this certificate is not one"), answer.text
    with httpx.Client(trust_env=False) as http:
        guessed = forged | {"Client-Cert-Hop-Key": secrets.token_hex(32)}
        answer = place.ask(http, f"http://127.0.0.1:{place.port}", guessed, place.mtls)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "not-the-hop")


@pytest.mark.usefixtures("revoked")
def test_our_client_shows_its_certificate(place: Place, sandbox: live.Sandbox) -> None:
    """And its token opens nothing at the public address, nor on a connection with another certificate."""
    pair = place.folder / "client.pem"
    pair.write_text(place.client.pem + place.client.key_pem)
    pair.chmod(0o400)
    dossier = sandbox.description()["samples"]["dossierId"]
    trusting = ssl.create_default_context(cadata=place.trusted.root.pem)
    with NgoClient(
        f"{place.mtls}/v1",
        issuer=place.public,
        client_id=CLIENT,
        scope="dossiers:read",
        key=private_jwk(),
        certificate=pair,
        tls=trusting,
    ) as client:
        assert client.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING).value.sections
    with place.http(place.client) as http:
        token = place.ask(http, place.mtls).json()["access_token"]
    for at, shown in ((place.public, None), (place.mtls, place.trusted.issue(OIN, at=time.time()))):
        url = f"{at}/v1/dossiers/{dossier}"
        with place.http(shown) as http:
            proof = kit.proof(BY, "GET", url, token=token, at=time.time())
            headers = {"Authorization": f"DPoP {token}", "DPoP": proof, "Purpose": "legal-screening"}
            answer = http.get(url, headers=headers)
            assert (answer.status_code, "certificate" in answer.json()["detail"]) == (401, True)
