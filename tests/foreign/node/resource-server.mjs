// A resource server by oauth4webapi that is given one of our tokens, and knows the issuer only.

import * as oauth from "oauth4webapi";
import { answer, privateKey, proofKey, told } from "./story.mjs";

const story = await told();
const open = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(story.issuer);
const server = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { ...open, algorithm: "oauth2" }),
);
const client = { client_id: story.clientId };
const DPoP = oauth.DPoP(client, await proofKey(story.algorithm));
const authentication = oauth.PrivateKeyJwt(await privateKey(story));
const ask = async () => oauth.processClientCredentialsResponse(server, client,
  await oauth.clientCredentialsGrantRequest(server, client, authentication, { scope: story.scope }, { ...open, DPoP }));
// The library keeps the nonce that it is asked for, and leaves it to us to ask again (RFC 9449 section 8).
const { access_token: token } = await ask().catch((error) => {
  if (!oauth.isDPoPNonceError(error)) throw error;
  return ask();
});

let request;
await oauth.protectedResourceRequest(token, "GET", new URL(story.url), undefined, undefined, {
  ...open,
  DPoP,
  [oauth.customFetch]: (url, init) => {
    request = { url, method: init.method, headers: new Headers(init.headers) };
    return new Response();
  },
});

/** What the resource server says of the request: the claims of its token, or why it refuses. */
async function judged(audience, change = (headers) => headers) {
  const headers = change(new Headers(request.headers));
  try {
    const given = new Request(request.url, { method: request.method, headers });
    return { claims: await oauth.validateJwtAccessToken(server, given, audience, { ...open, requireDPoP: true }) };
  } catch (error) {
    return { refused: error.message };
  }
}

const last = token.at(-10) === "A" ? "B" : "A";
const altered = `${token.slice(0, -10)}${last}${token.slice(-9)}`;
answer({
  header: JSON.parse(Buffer.from(token.split(".")[0], "base64url")),
  accepted: await judged(story.audience),
  elsewhere: await judged("https://elsewhere.example/api"),
  altered: await judged(story.audience, (headers) => (headers.set("Authorization", `DPoP ${altered}`), headers)),
  unbound: await judged(story.audience, (headers) => (headers.delete("DPoP"), headers)),
});
