"""Sealing and opening. Primitives of `cryptography` stay in here.

envelopes   one field sealed to its place: AES-256-GCM, associated data = header, table, column, person, row
rows        the seal over the sealed columns of a row: none is nulled, rolled back or moved
wrappers    who keeps the key-encryption keys: a key file, or a key service that shows them to nobody
services    key services: epochs of the key-encryption key and versions of the index in each
secretfile  files of secrets: for their owner only, replaced whole, by one command at a time
keyfile     the file with the service's own keys (`ketenbrug keys init`), refused when others can read it
dated       files of keys that each have a beginning, and follow each other
key_log     what the database knows of such a file, so that nobody serves with an old one
inbox       the keys that posts are sealed to, over time
vault       the keys of the persons of one request; opens only what it is told to
stream      documents: chunks that are opened one by one, any range of them
blind       blind index of the V-number, computed where its key is
signers     what signs for the service: a key of a file, or one that a token of PKCS#11 shows to nobody
memory      no core dump of a process that holds keys
mac         short authenticators for cursors and idempotency
"""
