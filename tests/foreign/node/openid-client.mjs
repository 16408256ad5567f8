// A client by openid-client (certified by the OpenID Foundation), which knows the issuer, its own id and its own key.

import * as client from "openid-client";
import { answer, privateKey, proofKey, told } from "./story.mjs";

const story = await told();
const config = await client.discovery(
  new URL(story.issuer),
  story.clientId,
  undefined,
  client.PrivateKeyJwt(await privateKey(story)),
  { algorithm: story.discovery ?? "oauth2", execute: [client.allowInsecureRequests] },
);
const DPoP = client.getDPoPHandle(config, await proofKey(story.proofAlgorithm));
const granted = await client.clientCredentialsGrant(config, { scope: story.scope }, { DPoP });
const headers = new Headers({ Purpose: "legal-screening" });
const read = await client.fetchProtectedResource(
  config, granted.access_token, new URL(story.url), "GET", undefined, headers, { DPoP },
).catch((error) => {
  if (error.code !== "OAUTH_WWW_AUTHENTICATE_CHALLENGE") throw error;
  return error.response;
});
answer({
  tokenType: granted.token_type,
  scope: granted.scope,
  expiresIn: granted.expires_in,
  status: read.status,
  body: await read.json(),
});
