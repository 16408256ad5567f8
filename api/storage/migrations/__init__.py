"""Alembic's versions.

    versions/0001_tables.py   every table; while there are no users `python -m api.cli.draft` draws it anew
    versions/0002_rights.py   what the application role may do, and which tables nobody may rewrite
    options                   how Alembic compares, the same for a migration, a draft and the check
    kinds                     column types that revisions use
    env                       what Alembic runs for each command of `api.cli.migrate`

A revision is frozen once it has run at a user's: it names its tables and columns itself and imports nothing of ours
but `kinds`.
"""
