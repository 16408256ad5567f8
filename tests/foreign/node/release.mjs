// Opens a file that was sealed while it streamed: the JWE by npm `jose`, the chunks by node's own crypto.
import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { compactDecrypt, importJWK } from "jose";
import { answer, told } from "./story.mjs";

const CHUNK = 16384 + 16;

// HKDF-Expand (RFC 5869) with SHA-512, for 76 bytes.
function expand(key, info) {
  const first = createHmac("sha512", key).update(info).update(Buffer.from([1])).digest();
  const second = createHmac("sha512", key).update(first).update(info).update(Buffer.from([2])).digest();
  return Buffer.concat([first, second]).subarray(0, 76);
}

function nonceAt(nonce, number) {
  const at = Buffer.from(nonce);
  at.writeUInt32BE((at.readUInt32BE(8) ^ number) >>> 0, 8);
  return at;
}

const { release, jwk } = await told();
const sent = Buffer.from(release, "base64");
const line = sent.subarray(0, sent.indexOf(10));
const { plaintext } = await compactDecrypt(line, await importJWK(jwk, jwk.alg), {
  keyManagementAlgorithms: [jwk.alg],
  contentEncryptionAlgorithms: ["A256GCM"],
});
const { key, cipher, mediaType } = JSON.parse(new TextDecoder().decode(plaintext));
const rest = sent.subarray(line.length + 1);
const info = Buffer.concat([Buffer.from(cipher + "\0"), rest.subarray(0, 24), line]);
const made = expand(Buffer.from(key, "base64url"), info);
if (!timingSafeEqual(made.subarray(44), rest.subarray(24, 56))) throw new Error("not committed to this key");
const parts = [];
for (let at = 56, number = 0; at < rest.length; at += CHUNK, number += 1) {
  const chunk = rest.subarray(at, at + CHUNK);
  const opening = createDecipheriv("aes-256-gcm", made.subarray(0, 32), nonceAt(made.subarray(32, 44), number));
  opening.setAuthTag(chunk.subarray(-16));
  parts.push(opening.update(chunk.subarray(0, -16)), opening.final());
}
if ((rest.length - 56) % CHUNK < 16) throw new Error("it was cut");
answer({ mediaType, text: Buffer.concat(parts).toString("base64") });
