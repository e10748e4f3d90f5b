"""The store as the rooms see it: read, or run an operation through the writer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from gevent.lock import BoundedSemaphore

from bus.errors import BusError, StorageBusyError
from bus.store.engine import READERS, engine_of
from bus.store.failing import is_doubtful, storage_error
from bus.store.transaction import Hooks
from bus.store.writer import Tools, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from bus.clock import Clock
    from bus.config import Config
    from bus.ids import Ids
    from bus.store.transaction import Fact, Transaction

T = TypeVar("T")


class Store:
    """One database: its writer, its readers, its hooks."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        ids: Ids,
        look_again: Callable[[set[str]], None],
        tell: Callable[[list[Fact]], None] = lambda _facts: None,
    ) -> None:
        """Open the database that `config` names; it must be migrated already."""
        self.config, self.clock, self.ids = config, clock, ids
        self.hooks = Hooks()
        self._engine = engine_of(config)
        self._readers = self._engine.open_reader()
        self._idle: list[sa.Connection] = []
        # Not the pool's own waiting: that would not hear of a connection that is idle here.
        self._places = BoundedSemaphore(READERS)
        tools = Tools(clock, ids, config, self.hooks)
        self.writer = Writer(self._engine, tools, look_again, tell)

    def write(
        self, operation: Callable[[Transaction], T], who: str = "", *, is_long: bool = False
    ) -> T:
        """Run an operation in a transaction of the one writer; it is on disk at return.

        One that touches more than some hundred rows `is_long`: streams go on meanwhile.
        """
        return self.writer.run(operation, who, is_long=is_long)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open one snapshot for reading. Never keep it open while something is sent."""
        if not self._places.acquire(timeout=self.config.database_wait_s):
            raise StorageBusyError(retry_after_s=1)
        try:
            conn = self._idle.pop() if self._idle else self._readers.connect()
            try:
                self._engine.begin_read(conn)
                yield conn
                conn.rollback()
            except BaseException as error:
                # Whatever it is, the next reader must not inherit it; and nothing more is asked of
                # a connection that has failed, or was left in the midst of an answer.
                if not isinstance(error, BusError):
                    conn.invalidate()
                conn.close()
                raise
            self._idle.append(conn)
        except Exception as error:
            wrapped = storage_error(error)
            if wrapped is error:
                raise
            if is_doubtful(wrapped):
                self._forget_readers()
            raise wrapped from error
        finally:
            self._places.release()

    def close(self) -> None:
        """Wait for the queued writes, then close every connection."""
        self.writer.close()
        self._forget_readers()

    def _forget_readers(self) -> None:
        """Close every reader's connection, and ask nothing more of it: its end may have come."""
        while self._idle:
            conn = self._idle.pop()
            conn.invalidate()
            conn.close()
        self._readers.dispose()
