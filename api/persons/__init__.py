"""The persons whose files these are: their rows, keys, V-number index and aliases in the log.

erasure         the key is destroyed, and what leads to the person goes
holds           what must be kept for now is not erased
reindexing      a new key of the V-number index
model           values
tables, store   SQL, and what it seals
"""
