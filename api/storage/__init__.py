"""How anything reaches PostgreSQL.

base        the MetaData with its naming convention, and the column kinds (sealed, words, instants)
statement   a Core statement compiled once, at import, and run as it is
unit        the unit of work: what a request does is committed before its answer leaves
pool        one asyncpg pool per process
migrations  Alembic's versions; `ketenbrug migrate` runs them
"""
