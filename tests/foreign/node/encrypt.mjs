// Seals a text to each published key, by npm `jose`: as the key says, and once as the NL API Design Rules have it.
import { CompactEncrypt, importJWK } from "jose";
import { answer, told } from "./story.mjs";

const { text, keys } = await told();
const sealed = [];
for (const jwk of keys) {
  const key = await importJWK(jwk, jwk.alg);
  const named = { alg: jwk.alg, enc: "A256GCM", typ: "JWE", cty: "application/json", kid: jwk.kid };
  const headers = jwk.alg === "RSA-OAEP" ? [named, { alg: jwk.alg, enc: "A256GCM", typ: "JWE" }] : [named];
  for (const header of headers) {
    sealed.push(await new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader(header).encrypt(key));
  }
}
answer(sealed);
