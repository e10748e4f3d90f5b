"""The store as the rooms see it: read, or run an operation through the writer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from bus.store.disk import is_doubtful, storage_error
from bus.store.engine import open_reader, open_writer
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
        self._readers = open_reader(config)
        self._idle: list[sa.Connection] = []
        tools = Tools(clock, ids, config, self.hooks)
        self.writer = Writer(open_writer(config), tools, look_again, tell)

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
        try:
            conn = self._idle.pop() if self._idle else self._readers.connect()
            try:
                yield conn
            except Exception:
                conn.close()  # whatever it is, the next reader must not inherit it
                raise
            conn.rollback()
            self._idle.append(conn)
        except Exception as error:
            wrapped = storage_error(error)
            if wrapped is error:
                raise
            if is_doubtful(wrapped):
                self._readers.dispose()
            raise wrapped from error

    def close(self) -> None:
        """Wait for the queued writes, then close every connection."""
        self.writer.close()
        while self._idle:
            self._idle.pop().close()
        self._readers.dispose()
