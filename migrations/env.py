"""Alembic's entry: runs the revisions on the connection that `bus.store.migrate` hands in."""

from __future__ import annotations

from alembic import context

from bus.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    # The caller's BEGIN IMMEDIATE covers the DDL too; Alembic must not commit in between.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
