"""The transparency log: what was done, in a tree that nobody can rewrite unseen (RFC 6962, C2SP formats; ADR 0007).

entry        the entry as a value, and its one canonical byte form, the leaf
log          append a leaf in the transaction of the deed; the only thing that a request waits for
tree         pure: hashes, the right edge that grows, inclusion and consistency proofs from 256-wide tiles
checkpoint   the signed head of the tree: signed note, verifier key, signer
guard        the last signed head, outside the database
objects      the client for objects of an S3 bucket, written under conditions
bucket       the guard in such an object, for several machines
standing     where the log stands, and whether it may be continued from here
starting     whether a process may start that signs
adoption     going on after a move, under another name, or with a lost guard
batch        pure: entries, the tree that they make, and the rows that say so
sequencer    one leader puts committed entries into the tree, in an order that never changes, and signs
receipt      the signed promise on an answer that its entry will be in the tree in time
delay        how far the tree is behind; when it is too far, nothing is disclosed
policy       pure: which witnesses, and how many of them are enough
witnessing   asks them for cosignatures, and keeps those
projection   pure: the search columns of a leaf
reprojection the search columns anew, from the leaves
proofs       the read side: checkpoint, entry, inclusion, consistency
tiles        the log as files that anybody may keep: tiles of hashes, and for auditors bundles of entries
query        pure: the language in which auditors ask, from text to terms
search       entries by terms, newest first
retention    what entries said goes when its term is over; their hashes stay
pages        a partition of the entries for each month, which goes as a whole
export       what outsiders need to check the log, as a directory
publication  the log as objects of a bucket: hashes for everybody
places       settings of what is kept outside the database
lead         what one process does at a time, behind the log
tables       `entry` is written by requests; everything else by the sequencer; nothing is ever changed

The way of an entry:

    log.append ─► audit.entry ─(committed)─► sequencer ─► audit.leaf, tile, projection, checkpoint ─► proofs, export

The verifier is `clients/verifier.py`. It shares no line with this room, so that a fault here cannot hide itself.
"""
