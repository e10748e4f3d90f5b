"""The single writer: one greenlet owns the one write connection, and commits in groups.

Other greenlets hand in operations and wait; while one group is being synced to disk the next
gathers. Each operation after a group's first has a savepoint of its own, so a refused one does not
sink its neighbours; nobody hears of success before COMMIT has returned.

While the database is waited for, the hub goes on; how, is the engine's affair. An operation over
many rows says that it `is_long`, so that the others need not wait for all of it.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from sqlalchemy.exc import SQLAlchemyError

from bus.errors import StorageBusyError, StorageFailedError, WriterShareError
from bus.logs import log
from bus.store.failing import is_doubtful, storage_error
from bus.store.meta import count_rights, set_fact
from bus.store.statement import cursor_of, settle
from bus.store.transaction import RIGHTS, Fact, Hooks, Transaction
from bus.store.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.clock import Clock
    from bus.config import Config
    from bus.ids import Ids
    from bus.store.engine import Engine

T = TypeVar("T")
PROBER = "the bus itself"
PROBE_S = 1.0
"""How often a disk that fails is tried while nobody writes."""
NAME_CHARS = 8
GROUP = 128
"""Operations in one commit at most."""


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
        engine: Engine,
        tools: Tools,
        look_again: Callable[[set[str]], None],
        tell: Callable[[list[Fact]], None],
    ) -> None:
        """Use both in the hub's thread, after COMMIT.

        `look_again` gets the topics of each group, `tell` what its operations recorded.
        """
        self._engine, self._tools = engine, tools
        self._connections = engine.open_writer()
        self._look_again, self._tell = look_again, tell
        self._waiting: deque[Job[Any]] = deque()
        self._by_principal: Counter[str] = Counter()
        self._more = Event()
        self._health = engine.watch(self._connections, tools.clock)
        self.trouble = ""
        """Why nothing can be written, until something was; `/readyz` shows it."""
        self._loop = gevent.spawn(self._commit_forever)
        self._conn: sa.Connection | None = None
        self._last_seq: int | None = None
        self._name = tools.ids.secret(NAME_CHARS) if engine.is_shared else ""
        self.commits = 0
        self.operations = 0
        self.sharers = 1
        """How many processes write here: the queue is theirs together."""

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
        if self.depth >= max(1, limits.writer_queue // self.sharers):
            raise StorageBusyError(retry_after_s=1)
        if who and self._by_principal[who] >= max(1, limits.writer_share // self.sharers):
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
        self._let_go()
        self._connections.dispose()
        self._engine.close()

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
        unbegun = ""
        try:
            if self._health.in_doubt:
                self._engine.wait(self._health.settle)
            self._do(group)
        except Exception as error:  # noqa: BLE001 - a failed COMMIT fails the group, not the writer
            if not group:  # not even BEGIN came about: the first one must hear of it all the same
                group = [self._waiting.popleft()]
                unbegun = str(storage_error(error))
            for job in group:
                job.error = job.error or storage_error(error)
        errors = [job.error for job in group if is_doubtful(job.error)]
        if errors:
            self._let_go()
            with suppress(StorageFailedError):  # one that does not answer stays in doubt
                self._engine.wait(self._health.doubt)
        self._note(self._health.why or (str(errors[0]) if errors else unbegun))
        return group

    def _do(self, group: list[Job[Any]]) -> None:
        """Fill a group and commit it."""
        try:
            conn = self._begin()
            self._fill(conn, group)
            if self._engine.is_shared and any(RIGHTS in job.topics for job in group):
                self._engine.wait(partial(count_rights, conn))
            self._engine.wait(conn.commit)
        except Exception:
            self._tools.allowances.clear()
            self._last_seq = None
            self._roll_back()
            self._let_go()
            raise

    def _roll_back(self) -> None:
        """Undo what was begun, where that can be said; BEGIN itself may be what failed."""
        if self._conn is not None:
            with suppress(SQLAlchemyError, StorageFailedError):
                self._engine.wait(self._conn.rollback)

    def _begin(self) -> sa.Connection:
        """Begin a transaction, with a new connection where there is none."""
        conn = self._conn
        if conn is None:
            conn = self._conn = self._connections.connect()
            self._engine.begin(conn, is_new=True)
        else:
            self._engine.begin(conn, is_new=False)
        if self._engine.is_shared:
            self._engine.wait(partial(self._hear_of_others, conn))
        return conn

    def _hear_of_others(self, conn: sa.Connection) -> None:
        """See whether another process wrote last: it may have used up what was allowed.

        Whatever reaches an inbox has a place in the log, so that it used no more than it took.
        """
        turn, allowances = take_turn(conn, self._name), self._tools.allowances
        if turn.is_after_others:
            used = turn.last_seq - (self._last_seq or 0)
            if self._last_seq is None or used < 0:
                allowances.clear()
            for who in allowances:
                allowances[who] -= used
        self._last_seq = turn.last_seq

    def _fill(self, conn: sa.Connection, group: list[Job[Any]]) -> None:
        """Do one operation after another, as long as one more may join."""
        clock = self._tools.clock
        until_s = clock.monotonic_s() + self._engine.group_s
        while self._waiting and len(group) < GROUP and clock.monotonic_s() <= until_s:
            job = self._waiting.popleft()
            group.append(job)
            # The first of a group needs no savepoint: with nothing before it, all is undone.
            attempt = self._attempt if len(group) == 1 else self._attempt_apart
            do = self._engine.do_long if job.is_long else self._engine.do
            do(partial(attempt, conn, job))
            if len(group) == 1 and job.error is not None:
                if is_doubtful(job.error):
                    raise job.error
                self._engine.wait(conn.rollback)
                self._begin()

    def _let_go(self) -> None:
        """Have the next group begin with a new connection: of one that failed nothing is known."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(SQLAlchemyError):
                conn.invalidate()
                conn.close()

    def _attempt_apart(self, conn: sa.Connection, job: Job[Any]) -> None:
        """Do one operation in a savepoint of its own."""
        run = cursor_of(conn).execute
        run("SAVEPOINT job")
        self._attempt(conn, job, is_alone=False)
        if job.error is not None:
            # Where SQLite has already rolled the whole transaction back (a full disk), this
            # raises and fails the group, which is then the truth; each for the first reason.
            try:
                settle(conn, forget=True)
                run("ROLLBACK TO job")
                settle(conn)
            except conn.dialect.loaded_dbapi.Error as second:
                raise job.error from second
        run("RELEASE job")

    def _attempt(self, conn: sa.Connection, job: Job[Any], *, is_alone: bool = True) -> None:
        tools = self._tools
        given = (tools.ids, tools.config, tools.hooks, tools.allowances)
        tx = Transaction(conn, tools.clock.now_ms(), *given, last_seq=self._last_seq)
        try:
            job.value = job.run(tx)
            tx.write_out()
            if self._waiting or job.is_long or not is_alone:
                settle(conn)  # else COMMIT tells what is wrong, and it is nobody else's
            self._last_seq = tx.last_seq
        except Exception as error:  # noqa: BLE001 - each job keeps its own fate
            job.error = storage_error(error)
            tools.allowances.clear()
        job.topics, job.facts = tx.topics, tx.facts


def write_probe(tx: Transaction) -> None:
    """Write something, to see whether that can be done."""
    set_fact(tx, "probed_ms", str(tx.now_ms))


def do_nothing(_tx: Transaction) -> None:
    """Be the operation behind which nothing waits."""
