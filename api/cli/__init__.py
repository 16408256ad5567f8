"""The command line, a file per command; `main` puts them together.

Only serve, work, migrate, register, keys and audit read `KETENBRUG_DATABASE_URL`; demo and sandbox make their own
database, and can never touch another.
"""
