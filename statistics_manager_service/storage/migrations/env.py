"""Alembic's entry: runs the migrations over the connection that `migrate` hands over."""

from alembic import context

from statistics_manager_service.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
