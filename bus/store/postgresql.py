"""PostgreSQL as the bus uses it: one connection a process that writes, a few that read.

All processes write one after another: a transaction begins with one lock, which COMMIT lets go when
all can see what was written. So the order of the log is the order of commit, and what a verb has
read is still so when it writes (docs/decisions/0019). Whatever waits for the server lets the other
greenlets go on, and does not wait for ever.

Facts of psycopg: https://www.psycopg.org/psycopg3/docs/; of the lock and of what each level of
isolation sees: https://www.postgresql.org/docs/current/explicit-locking.html and
https://www.postgresql.org/docs/current/transaction-iso.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent
import sqlalchemy as sa
from psycopg.adapt import Loader
from psycopg.types.numeric import Int8Dumper

from bus.errors import StorageFailedError
from bus.store.engine import READERS
from bus.store.failing import AwayError
from bus.store.pipeline import Pipelined, Reading
from bus.store.server import Server
from bus.store.statement import connection_of, cursor_of, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.clock import Clock
    from bus.config import Config

WRITER_LOCK = 7_724_120_919_202_611
"""The number of the lock that the one writer has."""
CONNECT_S = 5
LONGER = 6
"""An operation over many rows may take so many times longer."""
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Whole(Loader):
    """A sum of whole numbers, for which PostgreSQL has a type without bounds, is a whole number."""

    def load(self, data: Any) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


def open_writer(config: Config) -> sa.Engine:
    """Open the engine of the one connection that writes."""
    wait_ms = round(config.database_wait_s * 1000)
    # All of it at once, and only for this transaction: a pooler may give the next another session.
    # Who stops in the midst must not keep all others waiting: the server ends it.
    begin = (
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
        f"SET LOCAL lock_timeout={wait_ms};"
        f"SET LOCAL idle_in_transaction_session_timeout={wait_ms};"
        f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"
    )
    engine = make_engine(config, Pipelined, pool_size=1)

    @sa.event.listens_for(engine, "begin")
    def begin_writing(conn: sa.Connection) -> None:
        try:
            connection_of(conn).execute(begin, prepare=False)
        except conn.dialect.loaded_dbapi.Error as error:
            raise wrapped(conn, begin, error) from error

    return engine


def open_reader(config: Config) -> sa.Engine:
    """Open the engine of the connections that only read."""
    engine = make_engine(config, Reading, pool_size=READERS, patience_s=config.database_wait_s)

    @sa.event.listens_for(engine, "begin")
    def begin_reading(conn: sa.Connection) -> None:
        cursor_of(conn).execute(READ)

    return engine


def make_engine(
    config: Config, kind: type[Pipelined], *, pool_size: int, patience_s: float = 0
) -> sa.Engine:
    engine = sa.create_engine(
        config.database_url,
        query_cache_size=1200,
        connect_args={
            "autocommit": True,
            # After a ROLLBACK psycopg gives back what it has prepared, and by that all the others.
            "prepare_threshold": None,
            "connect_timeout": CONNECT_S,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "wakebus",
        },
        pool_size=pool_size,
        max_overflow=0,
    )

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: sa.Dialect, _record: object, words: Any, options: Any) -> Pipelined:
        made = kind.connect(*words, **options)
        # A pooler that was set aside for hints may have another session for each transaction.
        made.patience_s, made.prepares = patience_s, not config.notify_url
        return made

    @sa.event.listens_for(engine, "connect")
    def set_types(connection: Any, _record: object) -> None:
        # One type for all whole numbers: else a statement is prepared for each size of each value.
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.adapters.register_loader("numeric", Whole)

    return engine


class Postgresql:
    """A database of a PostgreSQL server."""

    is_shared = True
    group_s = 0.04  # all else goes on meanwhile, and a turn at the lock and a sync are for more

    def __init__(self, config: Config) -> None:
        self._config = config

    def open_writer(self) -> sa.Engine:
        return open_writer(self._config)

    def open_reader(self) -> sa.Engine:
        return open_reader(self._config)

    def watch(self, engine: sa.Engine, clock: Clock) -> Server:
        return Server(engine, clock)

    def begin(self, conn: sa.Connection, *, is_new: bool) -> None:
        del is_new
        # Others have it for a while each: the server ends the waiting, and this what hangs.
        self._within(2 * self._config.database_wait_s, conn.begin)

    def begin_read(self, conn: sa.Connection) -> None:
        conn.begin()

    def wait(self, do: Callable[[], Any]) -> None:
        self._within(self._config.database_wait_s, do)

    do = wait

    def do_long(self, do: Callable[[], Any]) -> None:
        self._within(LONGER * self._config.database_wait_s, do)

    def _within(self, wait_s: float, do: Callable[[], Any]) -> None:
        patience = gevent.Timeout(wait_s)
        try:
            with patience:
                do()
        except gevent.Timeout as over:
            if over is not patience:
                raise
            raise StorageFailedError(
                f"the database has not answered within {wait_s:g} s", retry_after_s=5
            ) from AwayError()

    def close(self) -> None:
        """Have nothing to give back: the connections are the engines'."""
