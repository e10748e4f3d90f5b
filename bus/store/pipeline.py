"""A connection to PostgreSQL that waits for nothing but answers that somebody reads.

The one writer of all processes has its lock for as long as its transaction takes
(docs/decisions/0019), so that each wait for the server in it is a wait for everybody. Here what
gives nothing is sent and not waited for: its answer comes with that of the next thing read. psycopg
turns values into bytes and back; prepared statements and the pipeline are libpq's:
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import gevent
import psycopg
from gevent.socket import wait_read, wait_readwrite, wait_write
from psycopg import errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.waiting import Ready

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from psycopg.pq.abc import PGresult

WAITS: dict[int, Callable[..., None]] = {1: wait_read, 2: wait_write, 3: wait_readwrite}
"""By what is waited for, which psycopg and gevent number alike."""
FAILED = {ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE, ExecStatus.NONFATAL_ERROR}
ENCODING = "utf-8"
MOST_PREPARED = 2000
"""Of one connection; lists of all lengths would make ever more."""
Key = tuple[str, tuple[int, ...]]
"""What a prepared statement is known by: its text, and the types of its values."""


class Pipelined(psycopg.Connection[Any]):
    """A connection that lets the other greenlets go on while it waits.

    It is to be opened with `prepare_threshold=None`: all that is prepared is its own.

    Attributes:
        patience_s: after so long without an answer it is closed; 0 is without end.
        prepares: whether the next transaction has the same session, and what was prepared in it.
    """

    patience_s = 0.0
    prepares = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.direct = Direct(self)

    def wait(self, gen: Generator[int, Ready, Any], *_args: Any, **_more: Any) -> Any:
        """Do one of psycopg's own operations."""
        try:
            events = next(gen)
            while True:
                self.wait_for(events)
                events = gen.send(Ready(events))
        except StopIteration as done:
            return done.value

    def wait_for(self, events: int) -> None:
        """Let others go on until the server has said something, or takes more."""
        if not self.patience_s:
            WAITS[events](self.fileno())
            return
        over = gevent.Timeout(self.patience_s)
        try:
            WAITS[events](self.fileno(), timeout=self.patience_s, timeout_exc=over)
        except gevent.Timeout as error:
            if error is not over:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience_s:g} s") from over

    def cursor(self, *args: Any, **more: Any) -> Any:
        """Give a cursor; it must not meet the answers to what was asked before."""
        self.direct.settle()
        return super().cursor(*args, **more)

    def commit(self) -> None:
        """Commit, if all that was sent before is done.

        Raises:
            psycopg.Error: it is not, or something before had failed already: to COMMIT the server
                then says ROLLBACK, and no error.
        """
        said = self.direct.execute("COMMIT").settle()
        if said is None or said.command_status != b"COMMIT":
            raise errors.InFailedSqlTransaction("nothing was committed: a statement before failed")

    def rollback(self) -> None:
        """Undo everything, whatever became of it."""
        self.direct.settle(forget=True)
        super().rollback()


class Reading(Pipelined):
    """One that only reads: nobody waits for the end of a snapshot."""

    def rollback(self) -> None:
        """Have it end."""
        self.direct.settle(forget=True)
        self.direct.execute("ROLLBACK").push()


class Direct:
    """Statements past psycopg's cursors: each is sent at once, and answered when it is read."""

    def __init__(self, own: Pipelined) -> None:
        self._own = own
        self._adapt: Any = None
        self._prepared: dict[Key, bytes] = {}
        self._numbers = count()
        self._owed: list[Key | None] = []
        """What is not answered yet; of what was to be prepared, what it is."""

    def execute(self, text: str, given: Sequence[Any] = ()) -> Direct:
        """Send a statement, whose rows `fetchall` gives."""
        self._send(text, given)
        return self

    def executemany(self, text: str, many: Iterable[Sequence[Any]]) -> None:
        """Send a statement that gives nothing, once for each."""
        for given in many:
            self._send(text, given)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Wait for all answers, and give the rows of the last one."""
        last = self.settle()
        if last is None or not last.nfields:
            return []
        adapt = self._transformer()
        adapt.set_pgresult(last)
        rows: list[tuple[Any, ...]] = adapt.load_rows(0, last.ntuples, tuple)
        return rows

    def settle(self, *, forget: bool = False) -> PGresult | None:
        """Wait for all answers; gives the last one.

        Raises:
            psycopg.Error: the first that failed, unless what they were is to be forgotten.
        """
        if not self._owed:
            return None
        line = self._own.pgconn
        line.pipeline_sync()
        self._flush()
        failed, last = None, None
        owed, self._owed = self._owed, []
        for made in owed:
            last = self._receive()
            if last.status in FAILED:
                failed = failed or last
            if last.status != ExecStatus.COMMAND_OK and made is not None:
                del self._prepared[made]
        while self._next() is None:
            pass  # what ends the answers before that of the sync
        line.exit_pipeline_mode()
        if failed is not None and not forget:
            raise errors.error_from_result(failed, encoding=ENCODING)
        return last

    def push(self) -> None:
        """Have the server begin with what was sent."""
        self._flush()

    def _send(self, text: str, given: Sequence[Any]) -> None:
        line, adapt = self._own.pgconn, self._transformer()
        values = adapt.dump_sequence(given, [PyFormat.AUTO] * len(given)) if given else ()
        types, formats = (adapt.types or (), adapt.formats) if given else ((), None)
        if not self._owed:
            line.enter_pipeline_mode()
        key = (text, types)
        name = self._prepared.get(key)
        if name is None and self._own.prepares and len(self._prepared) < MOST_PREPARED:
            name = self._prepared[key] = b"bus%d" % next(self._numbers)
            line.send_prepare(name, text.encode(), types)
            self._owed.append(key)
        if name is None:
            line.send_query_params(text.encode(), values, types, formats)
        else:
            line.send_query_prepared(name, values, formats)
        self._owed.append(None)

    def _receive(self) -> PGresult:
        """Give the answer to one statement."""
        found = None
        while found is None:
            found = self._next()
        return found

    def _next(self) -> PGresult | None:
        """Give what comes next: an answer, or None where one has ended."""
        line = self._own.pgconn
        while line.is_busy():
            self._own.wait_for(1)
            line.consume_input()
        found = line.get_result()
        if found is None and line.status == ConnStatus.BAD:
            raise psycopg.OperationalError(line.get_error_message())
        return found

    def _flush(self) -> None:
        """Send all of it, and take in meanwhile what is answered: else both would wait."""
        line = self._own.pgconn
        while line.flush():
            self._own.wait_for(3)
            line.consume_input()

    def _transformer(self) -> Any:
        """Give what knows how values are written: after the connection has its types."""
        if self._adapt is None:
            self._adapt = Transformer(self._own)
        return self._adapt
