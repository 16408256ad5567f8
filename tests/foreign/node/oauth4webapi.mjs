// A client by oauth4webapi that does one thing wrong at a time. Answers, for each by name, with what it got, in order.

import * as oauth from "oauth4webapi";
import { answer, privateKey, proofKey, told } from "./story.mjs";

const story = await told();
const open = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(story.issuer);
const client = { client_id: story.clientId };
const target = new URL(story.url);
const server = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { ...open, algorithm: "oauth2" }),
);
const key = await privateKey(story);
const mine = await proofKey(story.algorithm);
let seen;

function prover({ pair = mine, alter } = {}) {
  return oauth.DPoP(client, pair, alter && { [oauth.modifyAssertion]: alter });
}

function authentication(alter, signer = key) {
  return oauth.PrivateKeyJwt(signer, alter && { [oauth.modifyAssertion]: alter });
}

async function record(response) {
  const body = await response.clone().json().catch(() => ({}));
  seen.push({
    status: response.status,
    error: body.error ?? null,
    type: body.type?.split("/").at(-1) ?? null,
    detail: body.error_description ?? body.detail ?? null,
    challenge: response.headers.get("WWW-Authenticate"),
    sections: body.sections?.length ?? null,
  });
  return response;
}

/** Whether the server asks for a proof with its nonce, which the library has kept by now (RFC 9449 section 8). */
async function wantsNonce(response) {
  if (response.status !== 400) return false;
  return (await response.clone().json()).error === "use_dpop_nonce";
}

/** Ask for a token. Returns it, or undefined when there is none. */
async function ask({ auth = authentication(), prove = prover(), scope = story.scope, keep } = {}) {
  const customFetch = (url, init) => {
    keep?.push([url, init]);
    return fetch(url, init);
  };
  const options = { ...open, ...(prove && { DPoP: prove }), [oauth.customFetch]: customFetch };
  const send = () => oauth.clientCredentialsGrantRequest(server, client, auth, { scope }, options);
  let response = await send();
  if (await wantsNonce(response)) {
    keep?.pop();
    response = await send();
  }
  await record(response);
  if (!response.ok) return undefined;
  return (await oauth.processClientCredentialsResponse(server, client, response)).access_token;
}

/** Read the dossier with a token, as the library does it. */
async function read(token, { DPoP = prover() } = {}) {
  const headers = new Headers({ Purpose: "legal-screening" });
  try {
    await record(await oauth.protectedResourceRequest(token, "GET", target, headers, undefined, { ...open, DPoP }));
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
    await record(error.response);
  }
}

/** Send a request of the library's once more, with other headers if told so. */
async function resend([url, init], headers = {}) {
  const changed = new Headers(init.headers);
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return record(await fetch(url, { ...init, headers: changed }));
}

/** A request for the dossier that the library made and signed, and that never left. */
async function prepared(token, { method = "GET", url = target } = {}) {
  let made;
  const customFetch = (url, init) => {
    made = [url, init];
    return new Response();
  };
  const headers = new Headers({ Purpose: "legal-screening" });
  await oauth.protectedResourceRequest(token, method, url, headers, undefined, {
    ...open, DPoP: prover(), [oauth.customFetch]: customFetch,
  });
  return made;
}

const later = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const assertion = (change) => ask({ auth: authentication((_header, claims) => Object.assign(claims, change)) });
const proof = async (change) =>
  read(await ask(), { DPoP: prover({ alter: (_header, claims) => Object.assign(claims, change) }) });

const CHECKS = {
  nothing: async () => read(await ask()),

  // at the token endpoint
  "assertion-for-another": () => assertion({ aud: "https://elsewhere.example" }),
  "assertion-expired": () => assertion({ iat: later(-600), nbf: later(-600), exp: later(-120) }),
  "assertion-of-another": () => assertion({ iss: "sandbox-ind", sub: "sandbox-ind" }),
  "assertion-replayed": async () => {
    const change = { jti: crypto.randomUUID() };
    await assertion(change);
    await assertion(change);
  },
  "assertion-by-another-key": async () => {
    const { privateKey: unknown } = await proofKey(story.algorithm);
    await ask({ auth: authentication(undefined, { key: unknown, kid: key.kid }) });
  },
  "client-secret": () => ask({ auth: oauth.ClientSecretPost("a secret") }),
  "client-secret-basic": () => ask({ auth: oauth.ClientSecretBasic("a secret") }),
  "no-authentication": () => ask({ auth: oauth.None() }),
  "token-without-proof": () => ask({ prove: null }),
  "token-proof-replayed": async () => {
    const kept = [];
    await ask({ keep: kept });
    const change = (_header, claims) => Object.assign(claims, { jti: crypto.randomUUID() });
    const options = { ...open, DPoP: prover(), [oauth.customFetch]: (url, init) => {
      const headers = new Headers(init.headers);
      headers.set("DPoP", new Headers(kept[0][1].headers).get("DPoP"));
      return fetch(url, { ...init, headers });
    } };
    const again = { scope: story.scope };
    await record(await oauth.clientCredentialsGrantRequest(server, client, authentication(change), again, options));
  },
  "short-rsa-proof-key": async () =>
    ask({ prove: prover({ pair: await proofKey("PS256", 2048) }) }),
  "scope-of-others": () => ask({ scope: "audit:read" }),
  "scope-unknown": () => ask({ scope: "everything" }),

  // at the API
  bearer: async () => resend(await prepared(await ask()), { Authorization: null }),
  "bearer-downgrade": async () => {
    const token = await ask();
    await resend(await prepared(token), { Authorization: `Bearer ${token}`, DPoP: null });
  },
  "bearer-with-proof": async () => {
    const token = await ask();
    await resend(await prepared(token), { Authorization: `Bearer ${token}` });
  },
  "read-without-proof": async () => resend(await prepared(await ask()), { DPoP: null }),
  "read-proof-replayed": async () => {
    const made = await prepared(await ask());
    await resend(made);
    await resend(made);
  },
  "stolen-token": async () => read(await ask(), { DPoP: prover({ pair: await proofKey(story.algorithm) }) }),
  "proof-of-another-token": async () => {
    const [one, other] = [await ask(), await ask()];
    await resend(await prepared(one), { Authorization: `DPoP ${other}` });
  },
  "proof-for-another-url": async () => {
    const token = await ask();
    const made = await prepared(token, { url: new URL("/v1/cases", target) });
    await resend([target, made[1]]);
  },
  "proof-for-another-method": async () => {
    const [, { headers }] = await prepared(await ask(), { method: "POST" });
    await resend([target, { method: "GET", headers, redirect: "manual" }]);
  },
  "proof-too-old": () => proof({ iat: later(-600) }),
  "proof-of-tomorrow": () => proof({ iat: later(86_400) }),
  "proof-without-token-hash": () => proof({ ath: undefined }),
  "token-altered": async () => {
    const [header, claims, signature] = (await ask()).split(".");
    const change = JSON.parse(Buffer.from(claims, "base64url"));
    change.client_id = change.sub = "sandbox-ind";
    const altered = Buffer.from(JSON.stringify(change)).toString("base64url");
    await read([header, altered, signature].join("."));
  },
  "token-unsigned": async () => {
    const [, claims] = (await ask()).split(".");
    const header = Buffer.from(JSON.stringify({ alg: "none", typ: "at+jwt" })).toString("base64url");
    await read(`${header}.${claims}.`);
  },
  "assertion-as-token": async () => {
    const kept = [];
    await ask({ keep: kept });
    await read(kept[0][1].body.get("client_assertion"));
  },
  "token-in-the-address": async () => {
    const token = await ask();
    const address = new URL(target);
    address.searchParams.set("access_token", token);
    await resend([address, (await prepared(token))[1]], { Authorization: null });
  },
};

const all = {};
for (const [name, check] of Object.entries(CHECKS)) {
  all[name] = seen = [];
  await check();
}
answer(all);
