// Sigstore's own verifier (the one of npm's provenance) over an export of our log: signed head, then inclusion.
// Its package does not name these two modules as its surface; package-lock.json holds them still.

import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { answer, told } from "./story.mjs";

const require = createRequire(import.meta.url);
const rooms = join(dirname(require.resolve("@sigstore/verify")), "tlog");
const { verifyCheckpoint } = require(join(rooms, "checkpoint.js"));
const { verifyMerkleInclusion } = require(join(rooms, "merkle.js"));

const ED25519 = 1;
const ML_DSA_44 = 6;
const SPKI_ED25519 = Buffer.from("302a300506032b6570032100", "hex");

const { directory, index } = await told();
const file = (name) => readFileSync(join(directory, name));

/** A verifier key (C2SP signed-note: name+id+base64) as Sigstore trusts a log. Its id is computed, not believed. */
function trusted(vkey) {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey);
  const key = Buffer.from(encoded, "base64");
  const logID = createHash("sha256").update(`${name}\n`).update(key).digest();
  if (logID.toString("hex", 0, 4) !== id) throw new Error("the id of a verifier key is not its own");
  if (key[0] === ML_DSA_44) return []; // not known there; signatures of unknown keys are passed over
  if (key[0] !== ED25519) throw new Error("not a verifier key of this log");
  const publicKey = createPublicKey({
    key: Buffer.concat([SPKI_ED25519, key.subarray(1)]), format: "der", type: "spki",
  });
  return [{ logID, baseURL: name, publicKey }];
}

function judged() {
  const [lines, ...note] = file(`entries/${index}.tlog-proof`).toString().split("\n\n");
  const [, place, ...hashes] = lines.split("\n");
  const entry = {
    canonicalizedBody: file(`entries/${index}.json`),
    inclusionProof: {
      logIndex: place.replace("index ", ""),
      hashes: hashes.map((each) => Buffer.from(each, "base64")),
      checkpoint: { envelope: note.join("\n\n") },
    },
  };
  const head = verifyCheckpoint(entry, file("vkeys").toString().trim().split("\n").flatMap(trusted));
  verifyMerkleInclusion(entry, head);
  return { origin: head.origin, size: Number(head.logSize), hashes: hashes.length };
}

try {
  answer({ accepted: judged() });
} catch (error) {
  answer({ refused: error.message });
}
