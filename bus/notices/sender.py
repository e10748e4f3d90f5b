"""The greenlet that sends notices, aside from every request: from rows on the disk, and again.

What is to go has a row until it was taken or given up. Before each attempt the row says so, and
what it says never changes after that; so after a crash it goes out once more as the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import gevent
from gevent.pool import Pool

from bus.directory import service as directory
from bus.errors import BusError
from bus.logs import log
from bus.mail import service as mail
from bus.notices import going, outgoing, queries, telling
from bus.notices.model import GIVE_UP_MS, TELL_MS, TOPIC, Verdict
from bus.notices.reading import backoff_ms
from bus.store.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.live.hub import Hub
    from bus.notices.model import Letter
    from bus.store.statement import Row
    from bus.store.store import Store
    from bus.store.transaction import Transaction

T = TypeVar("T")
AT_ONCE = 32
LOOKS_S, AGAIN_S, FAULT_S = 30.0, 5.0, 60.0


@dataclass(frozen=True)
class Job:
    """One attempt: what, and where to, as they were when it began."""

    send: Row
    target: Row
    letter: Letter


class Sender:
    """Sends what is due, one after another to a target, to several at once."""

    def __init__(self, store: Store, hub: Hub, lease: Lease | None = None) -> None:
        """Send for `store` while the lease is this process's; `hub` tells when to look."""
        self._store, self._hub, self._lease = store, hub, lease or Lease()
        self._busy: set[int] = set()
        self._pool = Pool(AT_ONCE)
        self._is_ending = False

    def start(self) -> gevent.Greenlet:
        """Start the greenlet."""
        return gevent.spawn(self._keep)

    def end(self, within_s: float) -> None:
        """Begin nothing more, and let what is on its way come to its end."""
        self._is_ending = True
        self._pool.join(within_s)

    def _keep(self) -> None:
        with self._hub.listen({TOPIC}) as listener:
            while not self._is_ending:
                listener.clear()
                listener.wait(self._look())

    def _look(self) -> float:
        """Begin what is due; gives how long to sleep."""
        pauses = [LOOKS_S]
        if not self._lease.is_mine:
            return LOOKS_S
        try:
            for send in self._next():
                due_ms = send.due_ms or 0  # one that nobody has in hand, without a time: now
                pause_s = (due_ms - self._store.clock.now_ms()) / 1000
                if pause_s > 0:
                    pauses.append(pause_s)
                else:
                    self._busy.add(send.target_id)
                    self._pool.spawn(self._attempt, send.id, send.target_id)
        except Exception as error:
            logging.getLogger("bus").debug("fault", exc_info=error)
            report(error)
            return AGAIN_S
        return min(pauses)

    def _next(self) -> list[Row]:
        """List what each target that has nothing on its way is sent next."""
        first: dict[int, Row] = {}
        with self._store.read() as conn:
            for send in queries.sends(conn):
                first.setdefault(send.target_id, send)
        return [send for send in first.values() if send.target_id not in self._busy]

    def send_due(self) -> int:
        """Send what is due now, one after another; gives how much was tried."""
        now_ms = self._store.clock.now_ms()
        due = [send for send in self._next() if send.due_ms is None or send.due_ms <= now_ms]
        for send in due:
            self._attempt(send.id, send.target_id)
        return len(due)

    def _attempt(self, send_id: str, target_id: int) -> None:
        try:
            job = self._do(lambda tx: take(tx, send_id) if self._lease.is_mine else None)
            if job is not None:
                verdict = self.try_target(job.target, job.letter)
                self._do(lambda tx: settle(tx, job, verdict))
        except Exception as error:
            # What cannot be written down would go out again and again: not often, at least.
            logging.getLogger("bus").debug("fault", exc_info=error)
            report(error)
            gevent.sleep(FAULT_S)
        finally:
            self._busy.discard(target_id)
            self._hub.look_again({TOPIC})

    def try_target(self, target: Row, letter: Letter) -> Verdict:
        """Send once, whatever becomes of it."""
        try:
            now_ms = self._store.clock.now_ms()
            return outgoing.deliver(self._store.config, target, letter, now_ms)
        except Exception as error:
            # Whatever it is, it is this target's: the others' notices go on.
            logging.getLogger("bus").debug("fault", exc_info=error)
            return Verdict(is_taken=False, said=f"a fault of the bus: {type(error).__name__}")

    def _do(self, operation: Callable[[Transaction], T]) -> T:
        """Write what must be written: while the disk fails, again and again."""
        while True:
            try:
                return self._store.write(operation)
            except BusError as error:
                report(error)
                gevent.sleep(AGAIN_S)


def report(error: Exception) -> None:
    """Say in the log that sending has a trouble of its own."""
    detail = error.detail if isinstance(error, BusError) else f"{type(error).__name__}: {error}"
    log("notices_failed", logging.ERROR, detail=detail)


def take(tx: Transaction, send_id: str) -> Job | None:
    """Take one in hand: from now on it stays as it is. None where it does not go now."""
    send = queries.send(tx.conn, send_id)
    target = None if send is None else queries.target(tx.conn, send.target_id)
    if send is None or target is None:
        return None
    to = directory.get(tx.conn, target.participant_id)
    if going.is_stale(tx.conn, to.id, send):
        queries.remove_send(tx.conn, send.id)
        return None
    quiet_ms = going.quiet_until(tx, to, send)
    if quiet_ms is not None:
        queries.update_send(tx.conn, send.id, {"due_ms": quiet_ms})
        return None
    queries.update_send(tx.conn, send.id, {"attempts": send.attempts + 1, "due_ms": None})
    letter = telling.write(send, to.name, tx.config.url)
    return Job(send._replace(attempts=send.attempts + 1), target, letter)


def settle(tx: Transaction, job: Job, verdict: Verdict) -> None:
    """Write down what became of an attempt."""
    send, target = job.send, queries.target(tx.conn, job.target.id)
    if target is None:
        return  # removed meanwhile, with all that was on its way to it
    note(tx, target, verdict)
    if verdict.is_taken:
        queries.remove_send(tx.conn, send.id)
        tx.record("notice_sent", notice=send.id, kind=target.kind, things=job.letter.count)
        return
    facts = {"notice": send.id, "kind": target.kind, "attempts": send.attempts}
    if tx.now_ms - send.created_ms >= GIVE_UP_MS:
        queries.remove_send(tx.conn, send.id)
        tx.record("notice_given_up", **facts, reason=verdict.said)
        return
    due_ms = tx.now_ms + backoff_ms(send.attempts, tx.ids.fraction())
    queries.update_send(tx.conn, send.id, {"due_ms": due_ms})
    tx.record("notice_failed", **facts, reason=verdict.said)


def note(tx: Transaction, target: Row, verdict: Verdict) -> None:
    """Keep how a target did, and tell its person once that it keeps failing."""
    if verdict.is_taken:
        good = {"ok_ms": tx.now_ms, "failing_ms": None, "told_ms": None}
        queries.update_target(tx.conn, target.id, good)
        return
    since_ms = tx.now_ms if target.failing_ms is None else target.failing_ms
    bad = {"error_ms": tx.now_ms, "error": verdict.said, "failing_ms": since_ms}
    if target.told_ms is None and tx.now_ms - since_ms >= TELL_MS:
        bad["told_ms"] = tx.now_ms
        body = telling.write_failing(target.name, verdict.said)
        subject = f"Notices do not reach {target.name}"
        mail.tell(tx, target.participant_id, "NOTICE", body, wake=False, subject=subject)
    queries.update_target(tx.conn, target.id, bad)
