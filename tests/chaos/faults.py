"""What is broken, where, when and for how long: one plan out of one seed, and its doing.

A fault begins when so many messages are accepted, so that a plan is the same on a slow machine and
on a quick one. Faults of several hosts overlap as they fall; those of one host wait in line.
"""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.chaos.bushost import BusHost
    from tests.chaos.fleet import Fleet
    from tests.chaos.ledger import Ledger
    from tests.chaos.node import Node

PATIENCE_S = 900
EARLIEST, LATEST = 0.04, 0.92
"""Between which parts of the messages a fault begins."""
FOR_BUS = ("bus killed", "bus process killed", "bus power cut", "bus blackholed")
FOR_DATABASE = ("database killed", "database power cut", "database blackholed")
FOR_BOXES = ("frozen", "rebooted", "power cut")
FOR_PLAIN = ("watcher killed", "watcher stopped")
OF_A_MOMENT = ("bus killed", "bus process killed", "database killed", "rebooted")
"""They come back by themselves."""


@dataclass(frozen=True)
class Fault:
    """One thing that is broken for a while, from the moment when `at` messages are accepted."""

    at: int
    kind: str
    host: str
    for_s: float

    def __str__(self) -> str:
        return f"after {self.at}: {self.host} {self.kind} for {self.for_s:.1f} s"


@dataclass(frozen=True)
class Window:
    """From when until when a fault was felt, by the clock that all hosts share."""

    fault: Fault
    began_ms: float
    mended_ms: float


def read_counts(text: str) -> dict[str, int]:
    """Read how often each kind of fault is to happen: `cut 2, bus killed 3`."""
    words = (one.strip().rpartition(" ") for one in text.split(","))
    return {kind: int(count) for kind, _, count in words}


def scale(faults: Mapping[str, int], part: float) -> dict[str, int]:
    """Give each kind as often as falls on a part of the whole, but once at least."""
    return {kind: math.ceil(count * part) for kind, count in faults.items()}


OF_SERVER = read_counts(
    "bus process killed 2, database killed 1, database power cut 1, database blackholed 1"
)


def add_server(faults: Mapping[str, int], times: int) -> dict[str, int]:
    """Add what can break where several processes share a PostgreSQL, each so many times."""
    return dict(faults) | {kind: count * times for kind, count in OF_SERVER.items()}


def make_plan(
    seed: int,
    counts: Mapping[str, int],
    messages: int,
    hosts: list[str],
    boxed: list[str],
    longest_s: float,
    others: list[str] | None = None,
) -> list[Fault]:
    """Throw when and where each fault happens."""
    rng, plan = random.Random(seed), []
    plain = [host for host in hosts if host not in boxed]
    where = {kind: ["bus"] for kind in FOR_BUS} | dict.fromkeys(FOR_BOXES, boxed)
    where |= dict.fromkeys(FOR_PLAIN, plain) | {kind: others or [] for kind in FOR_DATABASE}
    for kind, count in counts.items():
        for _ in range(count):
            at = round(rng.uniform(EARLIEST, LATEST) * messages)
            host = rng.choice(where.get(kind, hosts))
            for_s = 0.0 if kind in OF_A_MOMENT else rng.uniform(longest_s / 8, longest_s)
            plan.append(Fault(at, kind, host, for_s))
    return sorted(plan, key=lambda fault: (fault.at, fault.host, fault.kind))


class Breaker:
    """Breaks and mends by a plan; counts what was done."""

    def __init__(
        self,
        fleet: Fleet,
        bus: BusHost,
        nodes: list[Node],
        ledger: Ledger,
        say: Callable[..., None],
    ) -> None:
        self._fleet, self._bus, self._ledger, self._say = fleet, bus, ledger, say
        self._nodes = {node.name: node for node in nodes}
        self._locks = {host: threading.Lock() for host in fleet.all_hosts}
        self._stop = threading.Event()
        self.done: Counter[str] = Counter()
        self.windows: list[Window] = []
        self.failures: list[Exception] = []
        self.mended_s = 0.0

    def start(self, plan: list[Fault]) -> None:
        """Have each fault wait for its moment."""
        self._threads = [
            threading.Thread(target=self._run, args=(fault,), name=str(fault)) for fault in plan
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every fault is done and mended."""
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise ExceptionGroup("what should break or mend did not", self.failures)

    def stop(self) -> None:
        """Mend what is broken now, and break nothing more."""
        self._stop.set()
        self.join()

    def _run(self, fault: Fault) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not self._ledger.wait_for(fault.at, 0.5):
            if self._stop.is_set() or time.monotonic() > end_s:
                return
        try:
            with self._locks[fault.host]:
                self._break(fault)
            self.done[fault.kind] += 1
            self.mended_s = time.monotonic()
        except Exception as error:  # noqa: BLE001 - told where the threads are joined
            self._say(f"{fault}: {error}")
            self.failures.append(error)

    def _break(self, fault: Fault) -> None:
        if self._stop.is_set():
            return
        self._say(str(fault))
        start, mend = self._ways(fault)
        began_s = time.time()
        start()
        try:
            self._stop.wait(fault.for_s)
        finally:
            mend()
            self.windows.append(Window(fault, began_s * 1000, time.time() * 1000))

    def _ways(self, fault: Fault) -> tuple[Callable[[], object], Callable[[], object]]:
        """Give how a fault is begun and how it is mended."""
        host, do, node = fault.host, self._fleet.do, self._nodes.get(fault.host)
        box = self._fleet.boxes.get(host)
        ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "cut": (lambda: do("cut", host), lambda: do("mend", host)),
            "blackholed": (lambda: do("blackhole", host, "both"), lambda: do("mend", host)),
            "deafened": (lambda: do("blackhole", host, "in"), lambda: do("mend", host)),
            "muted": (lambda: do("blackhole", host, "out"), lambda: do("mend", host)),
            "lossy": (lambda: do("loss", host, "30"), lambda: do("mend", host)),
            "bus killed": (self._bus.kill, self._bus.wait_ready),
            "bus process killed": (self._bus.kill_one, self._bus.wait_ready),
            "bus blackholed": (lambda: do("blackhole", host, "both"), lambda: do("mend", host)),
            "database killed": (self._bus.kill_database, self._bus.wait_ready),
            "database blackholed": (
                lambda: do("blackhole", host, "both"),
                lambda: (do("mend", host), self._bus.wait_ready()),
            ),
        }
        if box is not None:
            ways |= {
                "frozen": (lambda: box.do("freeze"), lambda: box.do("thaw")),
                "rebooted": (lambda: box.do("reboot"), lambda: None),
                "power cut": (lambda: box.do("crash"), box.up),
                "database power cut": (
                    lambda: box.do("crash"),
                    lambda: (box.up(), self._bus.wait_ready()),
                ),
                "bus power cut": (self._bus.cut_power, lambda: (box.up(), self._bus.wait_ready())),
            }
        if node is not None and node.box is None:
            ways |= {
                "watcher killed": (node.kill, node.start),
                "watcher stopped": (
                    lambda: node.signal(signal.SIGSTOP),
                    lambda: node.signal(signal.SIGCONT),
                ),
            }
        return ways[fault.kind]
