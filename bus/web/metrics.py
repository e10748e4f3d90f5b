"""What Prometheus may ask: counts and gauges of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

if TYPE_CHECKING:
    from bus.store.writer import Writer


class Metrics:
    """One registry, so that two buses in one process (tests) do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._by_answer: dict[tuple[str, int], Counter] = {}
        self.requests = Counter(
            "wakebus_requests",
            "Requests by call and status",
            ["call", "status"],
            registry=self._registry,
        )
        self.places = Gauge(
            "wakebus_streams", "Open streams and waiting reads", registry=self._registry
        )
        self.queue = Gauge("wakebus_writer_queue", "Writes waiting", registry=self._registry)
        self.commits = Gauge("wakebus_commits", "Commits since start", registry=self._registry)
        self.writes = Gauge("wakebus_writes", "Writes since start", registry=self._registry)

        self.storage_fails = Gauge(
            "wakebus_storage_fails", "1 while nothing can be written", registry=self._registry
        )
        self.clock_off = Gauge(
            "wakebus_clock_off_seconds",
            "How far the machine's clock was set away from the bus's time",
            registry=self._registry,
        )
        self.set_aside = Gauge(
            "wakebus_set_aside",
            "Rows that the keeper could not process and tries again",
            registry=self._registry,
        )

    def count(self, call: str, status: int) -> None:
        """Count one answer."""
        known = self._by_answer.get((call, status))
        if known is None:
            known = self._by_answer[call, status] = self.requests.labels(call, status)
        known.inc()

    def render(self, writer: Writer, places: int) -> bytes:
        """Give the page as text."""
        self.places.set(places)
        self.queue.set(writer.depth)
        self.commits.set(writer.commits)
        self.writes.set(writer.operations)
        return generate_latest(self._registry)
