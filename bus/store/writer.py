"""The single writer: one native thread owns the one write connection, and commits in groups.

Greenlets hand in operations and wait; while one group is being synced to disk the next gathers.
Each operation has a savepoint of its own, so a refused one does not sink its neighbours; nobody
hears of success before COMMIT has returned. In the native thread nothing touches the hub or logs.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bus.errors import BusError, StorageBusyError, StorageFailedError, WriterShareError
from bus.store.transaction import Fact, Hooks, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.clock import Clock
    from bus.config import Config
    from bus.ids import Ids

T = TypeVar("T")
GROUP = 128
"""Operations in one commit at most: bounds how long a sender can wait for its neighbours."""


@dataclass
class Job(Generic[T]):
    """One operation, and what became of it."""

    run: Callable[[Transaction], T]
    who: str
    done: AsyncResult = field(default_factory=AsyncResult)
    value: T | None = None
    error: BaseException | None = None
    topics: set[str] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)


@dataclass
class Tools:
    """What every transaction is given."""

    clock: Clock
    ids: Ids
    config: Config
    hooks: Hooks


class Writer:
    """The queue in front of the one write connection."""

    def __init__(
        self,
        engine: sa.Engine,
        tools: Tools,
        look_again: Callable[[set[str]], None],
        tell: Callable[[list[Fact]], None],
    ) -> None:
        """Use both in the hub's thread, after COMMIT.

        `look_again` gets the topics of each group, `tell` what its operations recorded.
        """
        self._engine, self._tools = engine, tools
        self._look_again, self._tell = look_again, tell
        self._waiting: deque[Job[Any]] = deque()
        self._by_principal: Counter[str] = Counter()
        self._more = Event()
        self._thread = ThreadPool(1)
        self._loop = gevent.spawn(self._commit_forever)
        self.commits = 0
        self.operations = 0

    @property
    def depth(self) -> int:
        """How many operations wait or are being committed."""
        return self._by_principal.total()

    def run(self, operation: Callable[[Transaction], T], who: str = "") -> T:
        """Run an operation in a transaction and wait until it is on disk.

        Raises:
            BusError: what the operation refused (nothing of it stays), or a full queue, a used-up
                share of it, a failing disk.
        """
        limits = self._tools.config
        if self.depth >= limits.writer_queue:
            raise StorageBusyError(retry_after_s=1)
        if who and self._by_principal[who] >= limits.writer_share:
            raise WriterShareError(retry_after_s=1)
        job = Job(operation, who)
        self._by_principal[who] += 1
        self._waiting.append(job)
        self._more.set()
        return cast("T", job.done.get())

    def close(self) -> None:
        """Stop after what is queued is on disk."""
        while self.depth:
            gevent.sleep(0.001)
        self._loop.kill()
        self._thread.kill()
        self._engine.dispose()

    def _commit_forever(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
                self._thread.apply(self._commit, (group,))
                self._settle(group)

    def _settle(self, group: list[Job[Any]]) -> None:
        self.commits += 1
        self.operations += len(group)
        topics: set[str] = set()
        facts: list[Fact] = []
        for job in group:
            self._by_principal[job.who] -= 1
            if not self._by_principal[job.who]:
                del self._by_principal[job.who]
            if job.error is None:
                topics |= job.topics
                facts += job.facts
        try:
            self._look_again(topics)
            self._tell(facts)
        except Exception:
            # The writes stand, and those who wait for them must hear so.
            logging.getLogger("bus").exception("fault")
        for job in group:
            if job.error is None:
                job.done.set(job.value)
            else:
                job.done.set_exception(job.error)

    def _commit(self, group: list[Job[Any]]) -> None:
        try:
            with self._engine.connect() as conn, conn.begin():
                for job in group:
                    self._attempt(conn, job)
        except Exception as error:  # noqa: BLE001 - a failed COMMIT fails the group, not the thread
            for job in group:
                job.error = job.error or storage_error(error)

    def _attempt(self, conn: sa.Connection, job: Job[Any]) -> None:
        tools = self._tools
        tx = Transaction(conn, tools.clock.now_ms(), tools.ids, tools.config, tools.hooks)
        conn.exec_driver_sql("SAVEPOINT job")
        try:
            job.value = job.run(tx)
        except Exception as error:  # noqa: BLE001 - each job keeps its own fate
            job.error = storage_error(error)
            # Where SQLite has already rolled the whole transaction back (a full disk), this
            # raises and fails the group, which is then the truth; each for the first reason.
            try:
                conn.exec_driver_sql("ROLLBACK TO job")
            except SQLAlchemyError as second:
                raise error from second
        conn.exec_driver_sql("RELEASE job")
        job.topics, job.facts = tx.topics, tx.facts


def storage_error(error: BaseException) -> BaseException:
    """Wrap what the database said in the bus's own words; leave other errors as they are."""
    if isinstance(error, BusError) or not isinstance(error, SQLAlchemyError):
        return error
    said = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    wrapped = StorageFailedError(
        f"the database could not write ({said}); nothing was taken, try again", retry_after_s=5
    )
    wrapped.__cause__ = error
    return wrapped
