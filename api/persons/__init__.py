"""The persons whose files these are: their rows, keys, V-number index and aliases in the log.

tables, store   SQL, and what it seals
"""
