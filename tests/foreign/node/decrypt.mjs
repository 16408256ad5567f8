// Opens JWEs with the private keys of their recipients, by npm `jose`: only with the algorithm of the key.
import { compactDecrypt, importJWK } from "jose";
import { answer, told } from "./story.mjs";

const opened = [];
for (const { jwe, jwk } of (await told()).sealed) {
  const key = await importJWK(jwk, jwk.alg);
  const { plaintext, protectedHeader } = await compactDecrypt(jwe, key, {
    keyManagementAlgorithms: [jwk.alg],
    contentEncryptionAlgorithms: ["A256GCM"],
  });
  opened.push({ text: new TextDecoder().decode(plaintext), header: protectedHeader });
}
answer(opened);
