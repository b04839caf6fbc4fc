"""What alembic runs: the revisions, on the connection and in the transaction of `adapters.sql.migrate`."""

from alembic import context

from spunto.adapters.sql.tables.schema import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SCHEMA,
    render_as_batch=True,
)
context.run_migrations()
