// An authorization server that others wrote (oidc-provider, certified by the OpenID Foundation), until stdin closes.

import { randomBytes } from "node:crypto";
import Provider from "oidc-provider";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin });
const { value } = await lines[Symbol.asyncIterator]().next();
const { issuer, port, audience, scope, clientIds, publicKey } = JSON.parse(value);
lines.on("close", () => process.exit(0));

const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const own = { ...(await crypto.subtle.exportKey("jwk", pair.privateKey)), kid: "provider", use: "sig", alg: "ES256" };
delete own.key_ops;
delete own.ext;

const provider = new Provider(issuer, {
  jwks: { keys: [own] },
  scopes: [scope],
  clients: clientIds.map((name) => ({
    client_id: name,
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: "ES256",
    id_token_signed_response_alg: "ES256",
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    scope,
    dpop_bound_access_tokens: true,
    jwks: { keys: [publicKey] },
  })),
  enabledJWA: { dPoPSigningAlgValues: ["ES256", "Ed25519"] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    fapi: { enabled: true, profile: "2.0" },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope, audience, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }),
    },
  },
});
provider.listen(port, "127.0.0.1", () => process.stdout.write("ready\n"));
