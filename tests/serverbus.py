"""A bus whose database is a PostgreSQL of the test's own, whatever the others run on."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from tests.conftest import BIN, Bus


@dataclass
class ServerBus(Bus):
    """A bus on the database that `database_url` names."""

    database_url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        own = {"BUS_DATABASE_URL": self.database_url, "BUS_DATABASE_WAIT_S": "3"}
        return super().environment | own | self.settings

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        return (self.data_dir / "bus.log").read_text()

    def init(self) -> None:
        """Make what an empty database needs, and this one's administration."""
        command = [str(BIN / "bus"), "init"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)
        self.admin = (self.data_dir / "admin.token").read_text().strip()

    def signal(self, how: signal.Signals) -> None:
        """Signal its processes, the arbiter too: SIGSTOP freezes it."""
        assert self.process is not None
        os.killpg(self.process.pid, how)

    def end(self) -> None:
        """Kill it without a word, where it still runs."""
        if self.is_running:
            with suppress(ProcessLookupError):
                self.stop(signal.SIGKILL)  # which ends a frozen one, too
