"""What Alembic runs for each command: `api.cli.migrate` gives it a connection in a transaction, and the tables."""

from alembic import context

from api.storage.migrations import options

if context.is_offline_mode():
    raise SystemExit("Migrations run against a database only: revision 0002 asks it which tables there are.")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    **options.OPTIONS,
)
context.run_migrations()
