// What every script here is told, and how it answers: one JSON object on stdin, one on stdout.

/** @returns what the test said: issuer, clientId, jwk, algorithm, scope, url, and more as it needs. */
export async function told() {
  let text = "";
  for await (const part of process.stdin) text += part;
  return JSON.parse(text);
}

export function answer(value) {
  process.stdout.write(JSON.stringify(value));
}

const IMPORTED = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  EdDSA: { name: "Ed25519" },
  PS256: { name: "RSA-PSS", hash: "SHA-256" },
};

/** The client's private key, as Web Crypto has it, with the id under which it is registered. */
export async function privateKey({ jwk, algorithm }) {
  const { kid, ...members } = jwk;
  return { key: await crypto.subtle.importKey("jwk", members, IMPORTED[algorithm], false, ["sign"]), kid };
}

/** A fresh key for proofs. openid-client makes RSA keys of 2048 bits only, whatever is asked: they are refused. */
export function proofKey(algorithm, modulusLength = 3072) {
  const rsa = algorithm === "PS256" && { modulusLength, publicExponent: new Uint8Array([1, 0, 1]) };
  return crypto.subtle.generateKey({ ...IMPORTED[algorithm], ...rsa }, false, ["sign", "verify"]);
}
