// The OpenID provider of an organisation (oidc-provider) with a sign-in page of its own, until stdin closes.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const lines = createInterface({ input: process.stdin });
const { value } = await lines[Symbol.asyncIterator]().next();
const { issuer, port, clientId, redirectUri, signedOutUri, jwksUri, people } = JSON.parse(value);
lines.on("close", () => process.exit(0));

const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const own = { ...(await crypto.subtle.exportKey("jwk", pair.privateKey)), kid: "provider", use: "sig", alg: "ES256" };
delete own.key_ops;
delete own.ext;

const provider = new Provider(issuer, {
  jwks: { keys: [own] },
  clients: [
    {
      client_id: clientId,
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "ES256",
      id_token_signed_response_alg: "ES256",
      grant_types: ["authorization_code"],
      response_types: ["code"],
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [signedOutUri],
      jwks_uri: jwksUri,
    },
  ],
  scopes: ["openid", "profile"],
  claims: { openid: ["sub"], profile: ["name", "roles"] },
  conformIdTokenClaims: false, // the claims of the scope are in the ID token itself: nobody asks for more
  fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its own would not ask an address of this machine
  cookies: { keys: [randomBytes(32).toString("hex")] },
  features: {
    devInteractions: { enabled: false },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
    rpInitiatedLogout: { enabled: true },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
});
const rest = provider.callback();

async function interact(request, response) {
  if (request.method === "POST") {
    let body = "";
    for await (const part of request) body += part;
    const accountId = new URLSearchParams(body).get("who");
    return provider.interactionFinished(request, response, { login: { accountId } });
  }
  const page = `<!doctype html><title>The NGO</title><form method="post" action="${request.url}">
<label>Who <input name="who"></label><button>Sign in at the NGO</button></form>`;
  response.setHeader("content-type", "text/html").end(page);
}

createServer((request, response) =>
  request.url.startsWith("/interaction/") ? interact(request, response) : rest(request, response),
).listen(port, "127.0.0.1", () => process.stdout.write("ready\n"));
