"""Engines on SQLite: one connection that writes, a few that read, each with verified pragmas.

`isolation_level=None` plus an explicit BEGIN, because the driver's own transactions begin
deferred and a deferred transaction that turns into a write fails at once after another's commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.errors import StorageFailedError

if TYPE_CHECKING:
    from bus.config import Config

BUSY_TIMEOUT_MS = 2000
WAL_KEPT_BYTES = 64_000_000
READERS = 4


def open_writer(config: Config) -> sa.Engine:
    """Open the engine of the one connection that writes."""
    engine = sa.create_engine(
        f"sqlite:///{config.db_path}", pool_size=1, max_overflow=0, query_cache_size=1200
    )
    prepare(engine, begin="BEGIN IMMEDIATE", synchronous=config.synchronous)
    return engine


def open_reader(config: Config) -> sa.Engine:
    """Open the engine of the connections that only read."""
    engine = sa.create_engine(
        f"sqlite:///{config.db_path}",
        pool_size=READERS,
        max_overflow=READERS,
        query_cache_size=1200,
    )
    prepare(engine, begin="BEGIN", synchronous=config.synchronous, query_only=True)
    return engine


def prepare(engine: sa.Engine, *, begin: str, synchronous: str, query_only: bool = False) -> None:
    """Give each new connection its pragmas and each transaction its BEGIN."""

    @sa.event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        journal = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if journal != "wal":
            raise StorageFailedError(
                f"SQLite refused WAL mode (it said {journal!r}); a network file system cannot "
                "hold the database, see docs/reference/settings.md"
            )
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA trusted_schema=OFF")
        # What a savepoint would put back is kept in memory: above 64 kB, which one send makes, it
        # would be written to a temporary file.
        connection.execute("PRAGMA temp_store=MEMORY")
        # What a long read (a backup) has made grow shrinks again once it is written back.
        connection.execute(f"PRAGMA journal_size_limit={WAL_KEPT_BYTES}")
        if query_only:
            connection.execute("PRAGMA query_only=ON")

    @sa.event.listens_for(engine, "begin")
    def begin_explicitly(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
