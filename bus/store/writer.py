"""The single writer: one greenlet owns the one write connection, and commits in groups.

Other greenlets hand in operations and wait; while one group is being synced to disk the next
gathers. Each operation after a group's first has a savepoint of its own, so a refused one does not
sink its neighbours; nobody hears of success before COMMIT has returned.

What waits for the disk, COMMIT, is done by a native thread, so that the hub goes on; so is a BEGIN
that another process keeps waiting. The statements between only touch memory, and take their turn in
the hub: in a thread each of them would wait for the interpreter, and a send would take longer by an
order (docs/decisions/0005). An operation over many rows says that it `is_long`, and has the thread
for itself. There nothing touches the hub or logs.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool
from sqlalchemy.exc import SQLAlchemyError

from bus.errors import StorageBusyError, WriterShareError
from bus.logs import log
from bus.store.disk import Disk, is_doubtful, result_of, storage_error, write_probe
from bus.store.engine import BUSY_TIMEOUT_MS
from bus.store.statement import connection_of
from bus.store.transaction import RIGHTS, Fact, Hooks, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.clock import Clock
    from bus.config import Config
    from bus.ids import Ids

T = TypeVar("T")
PROBER = "the bus itself"
PROBE_S = 1.0
"""How often a disk that fails is tried while nobody writes."""
GROUP = 128
"""Operations in one commit at most."""
GROUP_S = 0.01
"""After this no further operation joins: bounds how long streams, and a sender's neighbours, wait.
"""


@dataclass
class Job(Generic[T]):
    """One operation, and what became of it."""

    run: Callable[[Transaction], T]
    who: str
    is_long: bool = False
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
    allowances: dict[int, int] = field(default_factory=dict)


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
        self._disk = Disk(engine, tools.clock)
        self.trouble = ""
        """Why nothing can be written, until something was; `/readyz` shows it."""
        self._thread = ThreadPool(1)
        self._loop = gevent.spawn(self._commit_forever)
        self._conn: sa.Connection | None = None
        self.commits = 0
        self.operations = 0

    @property
    def depth(self) -> int:
        """How many operations wait or are being committed."""
        return self._by_principal.total()

    def run(
        self, operation: Callable[[Transaction], T], who: str = "", *, is_long: bool = False
    ) -> T:
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
        job = Job(operation, who, is_long)
        self._queue(job)
        return cast("T", job.done.get())

    def _queue(self, job: Job[Any]) -> None:
        self._by_principal[job.who] += 1
        self._waiting.append(job)
        self._more.set()

    def close(self) -> None:
        """Stop after what is queued is on disk."""
        while self.depth:
            last = Job(do_nothing, PROBER)
            self._queue(last)
            last.done.wait()
        self._loop.kill()
        self._thread.kill()
        self._let_go()
        self._engine.dispose()

    def _commit_forever(self) -> None:
        while True:
            if not self._more.wait(PROBE_S if self.trouble else None):
                self._queue(Job(write_probe, PROBER))
            self._more.clear()
            while self._waiting:
                self._settle(self._commit())

    def _note(self, trouble: str) -> None:
        """Keep whether the disk works, and tell of the change."""
        if bool(trouble) != bool(self.trouble):
            if trouble:
                log("storage_failed", logging.ERROR, detail=trouble)
            else:
                log("storage_works_again", logging.WARNING)
        self.trouble = trouble

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
            elif is_doubtful(job.error):
                # It may be on disk all the same: whoever has something open looks at its rights.
                topics |= job.topics | {RIGHTS}
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

    def _commit(self) -> list[Job[Any]]:
        """Do what waits, as much as goes into one group; gives what was done."""
        group: list[Job[Any]] = []
        try:
            if self._disk.in_doubt:
                self._wait_for(self._disk.settle)
            self._do(group)
        except Exception as error:  # noqa: BLE001 - a failed COMMIT fails the group, not the writer
            # Where not even BEGIN came about, the first one must hear of it all the same.
            group = group or [self._waiting.popleft()]
            for job in group:
                job.error = job.error or storage_error(error)
        errors = [job.error for job in group if is_doubtful(job.error)]
        if errors:
            self._let_go()
            self._wait_for(self._disk.doubt)
        self._note(self._disk.why or (str(errors[0]) if errors else ""))
        return group

    def _do(self, group: list[Job[Any]]) -> None:
        """Fill a group and commit it."""
        conn = self._begin()
        try:
            self._fill(conn, group)
            self._wait_for(conn.commit)
        except Exception:
            self._tools.allowances.clear()
            with suppress(SQLAlchemyError):
                self._wait_for(conn.rollback)
            self._let_go()
            raise

    def _begin(self) -> sa.Connection:
        """Begin a transaction; in the thread only where that may take its time."""
        conn = self._conn
        if conn is None:
            # The first look at a database may have to read much of its WAL.
            conn = self._conn = self._engine.connect()
            self._wait_for(partial(begin_patiently, conn))
            return conn
        try:
            conn.begin()
        except SQLAlchemyError as error:
            if result_of(error) != sqlite3.SQLITE_BUSY:
                raise
            # Another process has the database, for a while as a rule.
            self._wait_for(partial(begin_patiently, conn))
        return conn

    def _fill(self, conn: sa.Connection, group: list[Job[Any]]) -> None:
        """Do one operation after another, as long as one more may join."""
        clock = self._tools.clock
        until_s = clock.monotonic_s() + GROUP_S
        while self._waiting and len(group) < GROUP and clock.monotonic_s() <= until_s:
            job = self._waiting.popleft()
            group.append(job)
            # The first of a group needs no savepoint: with nothing before it, all is undone.
            attempt = self._attempt if len(group) == 1 else self._attempt_apart
            if job.is_long:
                self._wait_for(partial(attempt, conn, job))
            else:
                attempt(conn, job)
            if len(group) == 1 and job.error is not None:
                if is_doubtful(job.error):
                    raise job.error
                self._wait_for(conn.rollback)
                self._begin()

    def _wait_for(self, do: Callable[[], Any]) -> None:
        """Have the thread do what waits for the disk; what it raises is raised here."""
        failed = self._thread.apply(outcome_of, (do,))
        if failed is not None:
            raise failed

    def _let_go(self) -> None:
        """Have the next group begin with a new connection: of one that failed nothing is known."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(SQLAlchemyError):
                conn.invalidate()
                conn.close()

    def _attempt_apart(self, conn: sa.Connection, job: Job[Any]) -> None:
        """Do one operation in a savepoint of its own."""
        run = connection_of(conn).execute
        run("SAVEPOINT job")
        self._attempt(conn, job)
        if job.error is not None:
            # Where SQLite has already rolled the whole transaction back (a full disk), this
            # raises and fails the group, which is then the truth; each for the first reason.
            try:
                run("ROLLBACK TO job")
            except conn.dialect.loaded_dbapi.Error as second:
                raise job.error from second
        run("RELEASE job")

    def _attempt(self, conn: sa.Connection, job: Job[Any]) -> None:
        tools = self._tools
        given = (tools.ids, tools.config, tools.hooks, tools.allowances)
        tx = Transaction(conn, tools.clock.now_ms(), *given)
        try:
            job.value = job.run(tx)
            tx.write_out()
        except Exception as error:  # noqa: BLE001 - each job keeps its own fate
            job.error = storage_error(error)
            tools.allowances.clear()
        job.topics, job.facts = tx.topics, tx.facts


def do_nothing(_tx: Transaction) -> None:
    """Be the operation behind which nothing waits."""


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
