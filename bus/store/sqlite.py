"""SQLite as the bus uses it: one connection that writes, a few that read, with verified pragmas.

`isolation_level=None` plus an explicit BEGIN, because the driver's own transactions begin
deferred and a deferred transaction that turns into a write fails at once after another's commit.

What waits for the disk, COMMIT, is done by a native thread, so that the hub goes on; so is a BEGIN
that another process keeps waiting. The statements between only touch memory, and take their turn in
the hub: in a thread each of them would wait for the interpreter, and a send would take longer by an
order (docs/decisions/0005). There nothing touches the hub or logs.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from gevent.threadpool import ThreadPool
from sqlalchemy.exc import SQLAlchemyError

from bus.errors import StorageFailedError
from bus.store.disk import Disk
from bus.store.engine import READERS
from bus.store.failing import result_of
from bus.store.statement import connection_of, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.clock import Clock
    from bus.config import Config

BUSY_TIMEOUT_MS = 2000
WAL_KEPT_BYTES = 64_000_000


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
        max_overflow=0,
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
        # On the driver: by SQLAlchemy it takes as long as three statements.
        try:
            connection_of(connection).execute(begin)
        except connection.dialect.loaded_dbapi.Error as error:
            raise wrapped(connection, begin, error) from error


class Sqlite:
    """A SQLite file and the thread that waits for its disk."""

    is_shared = False
    group_s = 0.01  # the streams wait, too: the statements have the hub for themselves

    def __init__(self, config: Config) -> None:
        self._config = config
        self._thread = ThreadPool(1)

    def open_writer(self) -> sa.Engine:
        return open_writer(self._config)

    def open_reader(self) -> sa.Engine:
        return open_reader(self._config)

    def watch(self, engine: sa.Engine, clock: Clock) -> Disk:
        return Disk(engine, clock)

    def wait(self, do: Callable[[], Any]) -> None:
        failed = self._thread.apply(outcome_of, (do,))
        if failed is not None:
            raise failed

    def do(self, do: Callable[[], Any]) -> None:
        do()

    do_long = wait

    def begin(self, conn: sa.Connection, *, is_new: bool) -> None:
        if is_new:
            # The first look at a database may have to read much of its WAL.
            self.wait(partial(begin_patiently, conn))
            return
        try:
            conn.begin()
        except SQLAlchemyError as error:
            if result_of(error) != sqlite3.SQLITE_BUSY:
                raise
            # Another process has the database, for a while as a rule.
            self.wait(partial(begin_patiently, conn))

    def begin_read(self, conn: sa.Connection) -> None:
        """Leave it to the first statement: what needs one snapshot for several begins it."""

    def close(self) -> None:
        self._thread.kill()


def begin_patiently(conn: sa.Connection) -> None:
    """Begin a transaction as soon as the database is free; from then on nothing is waited for."""
    run = connection_of(conn).execute
    run(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    try:
        conn.begin()
    finally:
        run("PRAGMA busy_timeout=0")


def outcome_of(do: Callable[[], Any]) -> Exception | None:
    """Do something and give what it raised: what leaves a native thread is printed by gevent."""
    try:
        do()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is waited for
        return error
    return None
