"""`python -m tests.bench`: starts a sandbox, measures, prints ratios against the bare limit of the same run."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson
from joserfc import jws
from joserfc.jwk import ECKey

from api.cli import sandbox
from api.sandbox.running import Running
from tests.bench import append, documents, guard, load, sealing

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.bench.load import Figures

CONNECTIONS: Final = 16
REQUESTS: Final = {"bare": 10_000, "plain": 3_000, "protected": 3_000}
ROUNDS: Final = 3
REVOCATIONS: Final = 20
LEAST: Final = 0.4
AIM: Final = 0.55
MOST_P99: Final = 4.0


def main() -> int:
    """Measure, print, and say whether the first bar is met."""
    with tempfile.TemporaryDirectory(prefix="ketenbrug-bench-") as directory, Running.start(Path(directory)) as running:
        described = sandbox._description(running)
        with _server(running) as port:
            rounds = [asyncio.run(_round(port, described)) for _ in range(ROUNDS)]
            ended = _revoked(port, described)
        appended = append.measure(running)
        carried = documents.measure(running)
    best = {name: max((each[name] for each in rounds), key=lambda f: f.per_second) for name in REQUESTS}
    print(f"{platform.machine()}, {os.cpu_count()} cores shared by client, server and database")
    print(f"Python {platform.python_version()}, {CONNECTIONS} connections, one worker, best of {ROUNDS} rounds")
    for name, each in best.items():
        print(f"  {name:<10}{each.per_second:8.0f} requests/s   p50 {each.p50:6.2f} ms   p99 {each.p99:6.2f} ms")
    bare, plain, protected = (best[name] for name in REQUESTS)
    ratio, tail = protected.per_second / plain.per_second, protected.p99 / plain.p99
    print(f"  protected/plain {ratio:.2f} (at least {LEAST}, aim {AIM})")
    print(f"  protected/bare  {protected.per_second / bare.per_second:.2f}")
    print(f"  p99 protected/plain {tail:.1f} (at most {MOST_P99:.0f})")
    guard.report()
    print(f"  a revoked token was refused by the other process at the next request, {ended:.1f} ms after it was asked")
    sealing.report()
    refused = sum(figures.refused for figures in best.values())
    if refused:
        print(f"  {refused} requests were refused: the figures do not count")
    return 0 if ratio >= LEAST and tail <= MOST_P99 and not refused and appended and carried else 1


async def _round(port: int, described: dict[str, Any]) -> dict[str, Figures]:
    ngo, dossier = described["clients"]["ngo"], described["samples"]["dossierId"]
    host = f"127.0.0.1:{port}"
    plain = load.get(f"/v1/bench/plain/{dossier}/{ngo['organisation']}", host)
    signer = _Signer(described)
    path = f"/v1/dossiers/{dossier}"
    protected = [load.get(path, host, signer.headers(path)) for _ in range(REQUESTS["protected"])]
    return {
        "bare": await load.run("127.0.0.1", port, [load.get("/v1/bench/bare", host)] * REQUESTS["bare"], CONNECTIONS),
        "plain": await load.run("127.0.0.1", port, [plain] * REQUESTS["plain"], CONNECTIONS),
        "protected": await load.run("127.0.0.1", port, protected, CONNECTIONS),
    }


def _revoked(port: int, described: dict[str, Any]) -> float:
    """Milliseconds from asking one process to revoke a token to the refusal by another one that had just taken it."""
    times: list[float] = []
    path = f"/v1/dossiers/{described['samples']['dossierId']}"
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as other:
        for _ in range(REVOCATIONS):
            signer = _Signer(described)
            other.get(path, headers=signer.headers(path)).raise_for_status()
            began = time.perf_counter()
            signer.revoke()
            answer = other.get(path, headers=signer.headers(path))
            times.append((time.perf_counter() - began) * 1000)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                raise AssertionError("a revoked token was taken")
    return sorted(times)[len(times) // 2]


class _Signer:
    """Makes tokens and proofs beforehand, so that signing is no part of what is measured."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._issuer: str = described["issuer"]
        mine = described["clients"]["ngo"]
        self._key = ECKey.import_key(mine["jwk"])
        self._public = self._key.as_dict(private=False)
        for member in ("kid", "use", "alg"):
            self._public.pop(member, None)
        self._client: str = mine["clientId"]
        url = described["tokenEndpoint"]
        form = self._form(grant_type="client_credentials", scope="dossiers:read")
        nonce = httpx.post(url, data=form, headers={"DPoP": self._proof("POST", url)}).headers["dpop-nonce"]
        answer = httpx.post(url, data=form, headers={"DPoP": self._proof("POST", url, nonce=nonce)})
        self._token: str = answer.raise_for_status().json()["access_token"]
        digest = hashlib.sha256(self._token.encode()).digest()
        self._ath = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def revoke(self) -> None:
        """End the token. Returns once the service has answered."""
        httpx.post(f"{self._issuer}/oauth/revoke", data=self._form(token=self._token)).raise_for_status()

    def _form(self, **more: str) -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": self._client, "sub": self._client, "aud": self._issuer, "iat": now, "exp": now + 60}
        return {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self._sign({"alg": "ES256"}, claims | {"jti": secrets.token_urlsafe(16)}),
            **more,
        }

    def headers(self, path: str) -> dict[str, str]:
        """The headers of one protected GET."""
        return {
            "Authorization": f"DPoP {self._token}",
            "DPoP": self._proof("GET", self._issuer + path, ath=self._ath),
            "Purpose": "legal-screening",
        }

    def _proof(self, method: str, url: str, **more: str) -> str:
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._public}
        claims = {"htm": method, "htu": url, "iat": int(time.time()), "jti": secrets.token_urlsafe(16), **more}
        return self._sign(header, claims)

    def _sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jws.serialize_compact(header, orjson.dumps(claims), self._key)


@contextmanager
def _server(running: Running) -> Generator[int]:
    """One worker of the service with the bench routes, beside the sandbox's own, on the same database and issuer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.bench.app:create", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    child = subprocess.Popen(command, env=running.environment)  # noqa: S603 - our own command
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        child.terminate()
        child.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
