// Signs bodies and holds signatures over them, by npm `jose` and Node's own hash: JAdES, mechanism HttpHeaders.
import { createHash } from "node:crypto";
import { FlattenedSign, calculateJwkThumbprint, flattenedVerify, importJWK } from "jose";
import { answer, told } from "./story.mjs";

const SIG_D = { mId: "http://uri.etsi.org/19182/HttpHeaders", pars: ["digest"] };
const UNDERSTOOD = { sigD: true };
const payload = (digest) => new TextEncoder().encode(`digest: ${digest}`);
const digestOf = (body) => `SHA-256=${createHash("sha256").update(body, "utf8").digest("base64")}`;

async function signed({ jwk, algorithm, body }) {
  const digest = digestOf(body);
  const made = await new FlattenedSign(payload(digest))
    .setProtectedHeader({
      alg: algorithm,
      kid: await calculateJwkThumbprint(jwk),
      typ: "jose",
      b64: false,
      crit: ["b64", "sigD"],
      sigD: SIG_D,
      iat: Math.floor(Date.now() / 1000),
    })
    .sign(await importJWK(jwk, algorithm), { crit: UNDERSTOOD });
  return { Digest: digest, "Payload-Signature": `${made.protected}..${made.signature}` };
}

async function held({ jwk, algorithm, body, headers }) {
  const digest = digestOf(body);
  const [head, , signature] = headers["Payload-Signature"].split(".");
  const whole = { protected: head, payload: payload(digest), signature };
  try {
    const { protectedHeader } = await flattenedVerify(whole, await importJWK(jwk, algorithm), {
      algorithms: [algorithm],
      crit: UNDERSTOOD,
    });
    return headers.Digest === digest && JSON.stringify(protectedHeader.sigD) === JSON.stringify(SIG_D);
  } catch (error) {
    return error.code;
  }
}

const { sign = [], hold = [] } = await told();
answer({ signed: await Promise.all(sign.map(signed)), held: await Promise.all(hold.map(held)) });
