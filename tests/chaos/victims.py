"""What dies: a bus as a process that is killed, and one on a machine whose power is cut.

Both can be killed, looked at while dead, and brought back. It knows no senders.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bus.client import BusClient
from tests import engine
from tests.chaos.bushost import BusHost
from tests.chaos.fleet import Fleet
from tests.chaos.house import PROJECT
from tests.chaos.taken import take_tables
from tests.conftest import BIN, Bus, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITHIN_S = 60
SETTINGS = {"BUS_MAX_INBOX": "1000000"}  # nobody reads


class Victim(Protocol):
    """What can be killed and brought back."""

    def client(self, token: str = "") -> BusClient: ...
    def threads(self, count: int) -> ThreadPoolExecutor: ...
    def die(self) -> None: ...
    def take_database(self, to: Path) -> Path: ...
    def come_back(self) -> None: ...


class RoomyBus(Bus):
    """A bus whose inboxes take all that is sent here."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | SETTINGS


@dataclass
class Process:
    """A bus as a process of this machine, killed with all its children."""

    bus: Bus

    def client(self, token: str = "") -> BusClient:
        return BusClient(self.bus.url, token or self.bus.admin, timeout_s=5)

    def threads(self, count: int) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(count)

    def die(self) -> None:
        self.bus.stop(signal.SIGKILL)

    def take_database(self, to: Path) -> Path:
        if engine.IS_POSTGRESQL:
            return take_tables(engine.url_of(self.bus.data_dir), to)
        to.mkdir(parents=True, exist_ok=True)
        for file in self.bus.data_dir.glob("bus.db*"):
            shutil.copy(file, to / file.name)
        return to / "bus.db"

    def come_back(self) -> None:
        # The worker may still hold the lock for a moment after the process that was waited for.
        until(self._starts, WITHIN_S, "the bus starts again")

    def _starts(self) -> bool:
        try:
            self.bus.start()
        except AssertionError as error:
            if "another bus" in str(error) or "in use" in str(error):
                return False
            raise
        return True


@dataclass
class Machine:
    """A bus on a machine with a disk of its own, whose power is cut."""

    host: BusHost

    def client(self, token: str = "") -> BusClient:
        return self.host.client(token)

    def threads(self, count: int) -> ThreadPoolExecutor:
        return self.host.fleet.threads_on("node1", count)

    def die(self) -> None:
        self.host.cut_power()

    def take_database(self, to: Path) -> Path:
        return self.host.take_database(to)

    def come_back(self) -> None:
        self.host.box.up()
        self.host.wait_ready()


@contextmanager
def killable_process(folder: Path) -> Iterator[Process]:
    bus = RoomyBus(folder / "data")
    subprocess.run([str(BIN / "bus"), "init"], env=bus.environment, check=True, capture_output=True)
    bus.admin = (bus.data_dir / "admin.token").read_text().strip()
    bus.start()
    try:
        yield Process(bus)
    finally:
        if bus.process is not None and bus.process.poll() is None:
            bus.stop(signal.SIGKILL)


@contextmanager
def killable_machine(_folder: Path) -> Iterator[Machine]:
    with Fleet("cuts", 1, seen=(PROJECT,)) as fleet:
        yield Machine(BusHost.set_up(fleet, 256, SETTINGS))
