// Seals a file to a published key as it streams: the JWE by npm `jose`, the chunks by node's own crypto.
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { CompactEncrypt, importJWK } from "jose";
import { answer, told } from "./story.mjs";

const CHUNK = 16384;
const CIPHER = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM";

const { text, jwk, says } = await told();
const content = Buffer.from(text, "base64");
const key = randomBytes(32);
const within = JSON.stringify({ ...says, cipher: CIPHER, key: key.toString("base64url") });
const line = await new CompactEncrypt(new TextEncoder().encode(within))
  .setProtectedHeader({ alg: jwk.alg, enc: "A256GCM", kid: jwk.kid })
  .encrypt(await importJWK(jwk, jwk.alg));
const salt = randomBytes(24);
const info = Buffer.concat([Buffer.from(`${CIPHER}\0`), salt, Buffer.from(line)]);
// HKDF-Expand (RFC 5869) with SHA-512, for 76 bytes.
const first = createHmac("sha512", key).update(info).update(Buffer.from([1])).digest();
const second = createHmac("sha512", key).update(first).update(info).update(Buffer.from([2])).digest();
const made = Buffer.concat([first, second]).subarray(0, 76);
const parts = [Buffer.from(`${line}\n`), salt, made.subarray(44)];
for (let at = 0, number = 0; at <= content.length; at += CHUNK, number += 1) {
  const nonce = Buffer.from(made.subarray(32, 44));
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8);
  const sealing = createCipheriv("aes-256-gcm", made.subarray(0, 32), nonce);
  parts.push(sealing.update(content.subarray(at, at + CHUNK)), sealing.final(), sealing.getAuthTag());
}
answer(Buffer.concat(parts).toString("base64"));
