"""Authlib's own client, unmodified, and the transport that it lacks: it knows neither DPoP nor its type of token.

Told a story on stdin, it answers on stdout. It shares nothing with the service: keys and proofs are joserfc's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
import warnings
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import import_key

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it would rather have httpx2
    from authlib.integrations.httpx_client import OAuth2Client, OAuthError  # type: ignore[import-untyped]
from authlib.oauth2.rfc7523 import PrivateKeyJWT  # type: ignore[import-untyped]


class DPoPTransport(httpx.BaseTransport):
    """Adds a proof to each request (RFC 9449), and sends it once more with the nonce that it is asked for."""

    def __init__(self, key: Any, alg: str) -> None:
        self.key, self.alg, self.nonces = key, alg, dict[str, str]()
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token:
            request.headers["authorization"] = f"DPoP {token}"
        for _ in range(2):
            request.headers["dpop"] = self.proof(request, token)
            answer = self.inner.handle_request(request)
            answer.read()
            self.nonces[request.url.host] = answer.headers.get("dpop-nonce", "")
            if b"use_dpop_nonce" not in answer.content:
                break
        if b'"token_type":"DPoP"' in answer.content.replace(b" ", b""):
            return httpx.Response(200, json=json.loads(answer.content) | {"token_type": "Bearer"})
        return answer

    def proof(self, request: httpx.Request, token: str) -> str:
        """The proof of one request."""
        public = self.key.as_dict(private=False)
        header = {"typ": "dpop+jwt", "alg": self.alg, "jwk": {name: public[name] for name in public if name != "kid"}}
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": request.method,
            "htu": str(request.url.copy_with(query=None)),
            "iat": int(time.time()),
        }
        if token:
            claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        if nonce := self.nonces.get(request.url.host):
            claims["nonce"] = nonce
        roomy = jws.JWSRegistry(algorithms=[self.alg])
        roomy.max_header_length = 2_048
        return jws.serialize_compact(header, json.dumps(claims), self.key, registry=roomy)


def main() -> None:
    """Discover, get a token, read the dossier; and ask for what is not one's own."""
    story = json.load(sys.stdin)
    alg = story["algorithm"]
    key = import_key(story["jwk"])
    metadata = httpx.get(f"{story['issuer']}/.well-known/oauth-authorization-server").json()
    told: dict[str, Any] = {"issuer": metadata["issuer"]}
    transport = DPoPTransport(key, alg)
    with OAuth2Client(
        story["clientId"],
        key,
        token_endpoint_auth_method="private_key_jwt",
        grant_type="client_credentials",
        transport=transport,
    ) as client:

        def ask(scope: str) -> Any:
            # Its own assertion would hold for an hour; and with `claims` one object uses the same jti for ever.
            soon = {"exp": int(time.time()) + 60}
            method = PrivateKeyJWT(story["issuer"], claims=soon, headers={"kid": key.kid}, alg=alg)
            client.register_client_auth_method(method)
            return client.fetch_token(metadata["token_endpoint"], scope=scope)

        try:
            ask("audit:read")
        except OAuthError as error:
            told["refused"] = error.error
        granted = ask(story["scope"])
        told |= {"scope": granted["scope"], "expiresIn": granted["expires_in"]}
        answer = client.get(story["url"], headers={"Purpose": "legal-screening", "Accept": "application/json"})
        told |= {"status": answer.status_code, "sections": len(answer.json().get("sections", ()))}
    with httpx.Client() as plain:
        bearer = {"Authorization": f"Bearer {granted['access_token']}", "Purpose": "legal-screening"}
        told["bearer"] = plain.get(story["url"], headers=bearer).status_code
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
