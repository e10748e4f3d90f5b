"""What Prometheus may ask: counts and gauges of one process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from bus.clock import FleetClock
from bus.notices import service as notices
from bus.runs import service as runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bus.store.transaction import Fact
    from bus.web.runtime import Runtime


def count_open_runs(run: Runtime) -> int:
    """Count the runs that have not ended."""
    with run.store.read() as conn:
        return sum(runs.count_open(conn).values())


def count_notices(run: Runtime) -> int:
    """Count the notices that are on their way."""
    with run.store.read() as conn:
        return notices.count_sends(conn)


def count_failing(run: Runtime) -> int:
    """Count the targets of notices that fail."""
    with run.store.read() as conn:
        return notices.count_failing(conn)


def machine_off_s(run: Runtime) -> float:
    """Give how far this machine's clock is ahead of the database's."""
    return run.clock.machine_off_ms() / 1000 if isinstance(run.clock, FleetClock) else 0.0


GAUGES: tuple[tuple[str, str, Callable[[Runtime], float]], ...] = (
    ("wakebus_streams", "Open streams and waiting reads", lambda run: run.places.taken),
    ("wakebus_writer_queue", "Writes waiting", lambda run: run.store.writer.depth),
    ("wakebus_commits", "Commits since start", lambda run: run.store.writer.commits),
    ("wakebus_writes", "Writes since start", lambda run: run.store.writer.operations),
    (
        "wakebus_storage_fails",
        "1 while nothing can be written",
        lambda run: bool(run.store.writer.trouble),
    ),
    (
        "wakebus_clock_off_seconds",
        "How far the machine's clock was set away from the bus's time",
        lambda run: run.clock.off_ms() / 1000,
    ),
    (
        "wakebus_set_aside",
        "Rows that the keeper could not process and tries again",
        lambda run: len(run.keeper.aside),
    ),
    ("wakebus_processes", "Processes of the bus on this database", lambda run: run.fleet.live),
    (
        "wakebus_keeps_house",
        "1 where this process does what is due for all",
        lambda run: run.fleet.keeping.is_mine,
    ),
    (
        "wakebus_machine_clock_off_seconds",
        "How far this machine's clock is ahead of the shared database's, whose time is the bus's",
        machine_off_s,
    ),
    (
        "wakebus_hints_lost",
        "How often the other processes were heard no more, since start",
        lambda run: run.fleet.hints_lost,
    ),
    ("wakebus_runs_open", "Runs that have not ended", count_open_runs),
    ("wakebus_notices_waiting", "Notices on their way to people who are away", count_notices),
    ("wakebus_notice_targets_failing", "Targets that take no notices now", count_failing),
)
"""Each with its help, and where it is read at the time of asking."""


NOTICES = {"notice_sent", "notice_failed", "notice_given_up"}


class Metrics:
    """One registry, so that two buses in one process (tests) do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._by_answer: dict[tuple[str, int], Counter] = {}
        self._requests = Counter(
            "wakebus_requests",
            "Requests by call and status",
            ["call", "status"],
            registry=self._registry,
        )
        self._ended = Counter(
            "wakebus_runs_ended", "Runs that ended, by state", ["state"], registry=self._registry
        )
        self._notices = Counter(
            "wakebus_notices", "Attempts to send a notice", ["state"], registry=self._registry
        )
        self._gauges = [Gauge(name, text, registry=self._registry) for name, text, _ in GAUGES]

    def count(self, call: str, status: int) -> None:
        """Count one answer."""
        known = self._by_answer.get((call, status))
        if known is None:
            known = self._by_answer[call, status] = self._requests.labels(call, status)
        known.inc()

    def hear(self, facts: Sequence[Fact]) -> None:
        """Count what the log is told and somebody may want to watch."""
        for action, known in facts:
            if action == "run_ended":
                self._ended.labels(known["state"]).inc()
            elif action in NOTICES:
                self._notices.labels(action.removeprefix("notice_")).inc()

    def render(self, run: Runtime) -> bytes:
        """Give the page as text."""
        for gauge, (_, _, read) in zip(self._gauges, GAUGES, strict=True):
            gauge.set(read(run))
        page = generate_latest(self._registry)
        return name_process(page, run.fleet.id) if run.fleet.is_shared else page


SAMPLE = re.compile(rb"^(\w+)(?:\{(.*)\})? ", re.MULTILINE)
"""The begin of a line with a number: its name and labels."""


def name_process(page: bytes, process: str) -> bytes:
    """Say with every number of which process it is: who asks again may be answered by another."""
    own = f'process="{process}"'.encode()

    def name(found: re.Match[bytes]) -> bytes:
        labels = own + (b"," + found[2] if found[2] else b"")
        return b"%b{%b} " % (found[1], labels)

    return SAMPLE.sub(name, page)
