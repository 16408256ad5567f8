// A client by openid-client (certified by the OpenID Foundation) with a certificate, at the addresses in mtls_endpoint_aliases.

import https from "node:https";
import * as client from "openid-client";
import { answer, proofKey, told } from "./story.mjs";

const story = await told();
const agent = new https.Agent({ ca: story.authority, cert: story.certificate, key: story.key });

/** Node's own `fetch` takes no certificate. */
function fetched(url, { method, headers, body }) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { agent, method, headers: Object.fromEntries(new Headers(headers)) }, (came) => {
      const parts = [];
      came.on("data", (part) => parts.push(part));
      came.on("end", () => resolve(new Response(Buffer.concat(parts), { status: came.statusCode, headers: came.headers })));
    });
    request.on("error", reject);
    request.end(body?.toString());
  });
}

const config = await client.discovery(
  new URL(story.issuer),
  story.clientId,
  { use_mtls_endpoint_aliases: true },
  client.TlsClientAuth(),
  { algorithm: "oauth2", [client.customFetch]: fetched },
);
config[client.customFetch] = fetched;
const DPoP = client.getDPoPHandle(config, await proofKey("ES256"));
const granted = await client.clientCredentialsGrant(config, { scope: story.scope }, { DPoP });
const headers = new Headers({ Purpose: "legal-screening" });
const read = await client.fetchProtectedResource(
  config, granted.access_token, new URL(story.url), "GET", undefined, headers, { DPoP },
);
answer({
  aliases: config.serverMetadata().mtls_endpoint_aliases,
  confirmation: JSON.parse(Buffer.from(granted.access_token.split(".")[1], "base64url")).cnf,
  status: read.status,
  body: await read.json(),
});
