"""What Prometheus may ask: counts and gauges of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from bus.runs import service as runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bus.store.transaction import Fact
    from bus.web.runtime import Runtime


def count_open_runs(run: Runtime) -> int:
    """Count the runs that have not ended."""
    with run.store.read() as conn:
        return sum(runs.count_open(conn).values())


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
    ("wakebus_runs_open", "Runs that have not ended", count_open_runs),
)
"""Each with its help, and where it is read at the time of asking."""


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

    def render(self, run: Runtime) -> bytes:
        """Give the page as text."""
        for gauge, (_, _, read) in zip(self._gauges, GAUGES, strict=True):
            gauge.set(read(run))
        return generate_latest(self._registry)
