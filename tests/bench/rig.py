"""The systems under measurement, each started as its users start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import filler
from conftest import BIN, Bus, clean_environment
from measure import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
POLLING = "polling bus"
FILLED = f"{OURS}, after 1,000,000 messages"


SETTINGS = {
    "BUS_RATE_PER_S": "1000000",
    "BUS_RATE_BURST": "1000000",
    "BUS_MAX_INBOX": "1000000",
    "BUS_MAX_CHILDREN": "1000000",
    "BUS_GUARD_WAKES": "1000000",
    "BUS_MAX_STREAMS": "12000",
    "BUS_MAX_STREAMS_EACH": "12000",
    "BUS_MAX_CONNECTIONS": "13000",
}
"""What differs from the defaults, so that no limit of a principal is what is measured."""


@dataclass
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    """How long each system's turn is."""
    senders: int
    streams: list[int]
    missed: int
    listeners: int
    token_s: float
    """How long tokens are appended to a durable stream."""
    tasks: int
    sessions: int
    entries: int
    """Of each of the long sessions."""
    seed: int
    folder: Path
    openclaw_rounds: int = 0
    filled: Path | None = None
    """The data of a bus that has had a million messages, if it is to be measured too."""


@dataclass
class BenchBus(Bus):
    """A bus with the settings of a measurement."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | SETTINGS

    @property
    def database(self) -> Path:
        return self.data_dir / "bus.db"


def make_bus(folder: Path) -> BenchBus:
    """Make an empty bus that does not run yet."""
    bus = BenchBus(folder)
    init = [str(BIN / "bus"), "init"]
    subprocess.run(init, env=bus.environment, check=True, stdout=subprocess.DEVNULL)
    return bus


@contextmanager
def running(bus: BenchBus) -> Iterator[None]:
    bus.admin = (bus.data_dir / "admin.token").read_text().strip()
    bus.start()
    try:
        yield
    finally:
        for watcher in bus.watchers:
            watcher.terminate()
            watcher.wait(10)
        bus.watchers.clear()
        if bus.process is not None and bus.process.poll() is None:
            bus.stop()
        bus.url = ""


@contextmanager
def running_bus(folder: Path) -> Iterator[BenchBus]:
    bus = make_bus(folder)
    with running(bus):
        yield bus


def stopped_buses(plan: Plan, name: str) -> dict[str, BenchBus]:
    """Give the buses to be measured, by their names in the table; none runs yet."""
    buses = {OURS: make_bus(plan.folder / name)}
    return buses | ({FILLED: BenchBus(plan.filled)} if plan.filled else {})


def add_agent(bus: Bus, name: str) -> str:
    """Make an agent that lives on no node; gives its token."""
    status, answer = bus.call(bus.admin, "POST", "/api/agents", {"name": name})
    assert status == 201, answer
    asked = {"kind": "agent", "subject": name}
    status, answer = bus.call(bus.admin, "POST", "/api/tokens", asked)
    assert status == 201, answer
    return answer["token"]


@contextmanager
def running_limits(folder: Path) -> Iterator[tuple[BenchBus, str]]:
    """Start the routes that do nothing; gives them and the token of an agent."""
    bus = make_bus(folder)
    token = filler.add_agents(bus.database, ["limit"])["limit"]
    log = folder / "log"
    with log.open("w") as file:
        argv = [sys.executable, str(HERE / "limitsapp.py")]
        bus.process = subprocess.Popen(
            argv, env=bus.environment, stderr=file, start_new_session=True
        )
    bus.url = await_address(bus.process, log, r"listens on (http://\S+),")
    try:
        yield bus, token
    finally:
        bus.stop(signal.SIGKILL)


def await_address(process: subprocess.Popen[bytes], log: Path, pattern: str) -> str:
    """Wait until a server says where it listens."""
    while not (found := re.search(pattern, log.read_text())):
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            raise AssertionError(log.read_text())
    return next(group for group in found.groups() if group)


@dataclass
class PollingBus:
    """The article's bus under gunicorn, and its watchers."""

    folder: Path
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    watchers: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "inbox").touch()
        worker = ["-k", "gevent", "-w", "1", "--worker-connections", "1000"]
        # Its home is here, since newer gunicorns put a control socket there.
        environment = clean_environment(
            POLLINGBUS_INBOX=str(self.folder / "inbox"), HOME=str(self.folder)
        )
        log = self.folder / "log"
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *worker, "-b", "127.0.0.1:0", "pollingbus:app"],
                cwd=HERE,
                env=environment,
                stderr=file,
                start_new_session=True,
            )
        self.url = await_address(self.process, log, r"Listening at: (http://\S+)")

    def watch(
        self, agent: str, command: list[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a watcher for one agent; it prints a line when a command of its has ended."""
        argv = [sys.executable, str(HERE / "pollingwatcher.py"), self.url, agent, *command]
        watcher = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
        self.watchers.append(watcher)
        return watcher

    def stop(self) -> None:
        for watcher in self.watchers:
            watcher.terminate()
            watcher.wait(10)
            assert watcher.stdout is not None
            watcher.stdout.close()
        assert self.process is not None
        # Its streams never end by themselves: a polite stop would take gunicorn's 30 s.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def running_polling_bus(folder: Path) -> Iterator[PollingBus]:
    bus = PollingBus(folder)
    bus.start()
    try:
        yield bus
    finally:
        bus.stop()
