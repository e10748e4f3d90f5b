"""A node with its watcher: plain processes on a host's network, or a machine with a service.

It knows how a watcher comes, goes and is put out of action; not what its agents do.
"""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.bushost import URL
from tests.conftest import WATCHER, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.fleet import Fleet
    from tests.lab import Box

IN_BOX = "/root/.wakebus"
WORKSPACE_IN_BOX = "/root/work"
UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart={WATCHER} run --dir {IN_BOX}
Restart=always
RestartSec=1
KillMode=mixed
[Install]
WantedBy=multi-user.target
"""


@dataclass
class Node:
    """One host of the fleet that is a node of the bus."""

    fleet: Fleet
    name: str
    agents: list[str]
    workers: list[str]
    folder: Path
    box: Box | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def set_up(self, code: str, argv: list[str]) -> None:
        """Enrol, give each agent and worker its program, and start the watcher."""
        self.run("enrol", URL, code)
        what = ["method=program", f"argv={json.dumps(argv)}"]
        for agent in self.agents:
            self.run("set", agent, *what, "retries=3", "limit_s=30")
        for worker in self.workers:
            self.run("set", worker, *what, f"runs.workspace={self.make_workspace()}")
        if self.box is None:
            self.start()
        else:
            self.box.start_service("bus-watcher.service", UNIT)
            self.box.run("sync")

    def run(self, *words: str) -> None:
        """Run a command of bus-watcher on this node."""
        if self.box is not None:
            self.box.run(WATCHER, *words, "--dir", IN_BOX)
            return
        argv = self.fleet.command(self.name, WATCHER, *words, "--dir", str(self.directory))
        environment = clean_environment(HOME=str(self.folder))
        subprocess.run(argv, env=environment, check=True, capture_output=True)

    @property
    def directory(self) -> Path:
        return self.folder / self.name

    def make_workspace(self) -> str:
        """Make the folder that the workers work in; gives it as the node sees it."""
        if self.box is not None:
            self.box.run("mkdir", "-p", WORKSPACE_IN_BOX)
            return WORKSPACE_IN_BOX
        place = self.folder / f"{self.name}-work"
        place.mkdir(exist_ok=True)
        return str(place)

    def runs_in_hand(self) -> list[str]:
        """List what the watcher has in its book: runs that are not over, or whose end is owed."""
        if self.box is not None:
            return self.box.run(
                "find", f"{IN_BOX}/state/runs", "-name", "r_*", may_fail=True
            ).split()
        return [str(path) for path in self.directory.glob("state/runs/r_*")]

    def start(self) -> None:
        """Start the watcher as a plain process."""
        argv = self.fleet.command(self.name, WATCHER, "run", "--dir", str(self.directory))
        with (self.folder / f"{self.name}.log").open("ab") as log:
            environment = clean_environment(HOME=str(self.folder))
            self.process = subprocess.Popen(argv, env=environment, stderr=log, stdout=log)

    def signal(self, number: signal.Signals) -> None:
        """Send the plain watcher a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the plain watcher with -9."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def log_lines(self) -> str:
        """Give what the watcher has said."""
        if self.box is not None:
            return self.box.run("journalctl", "--no-pager", "-o", "cat", "-u", "bus-watcher")
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End the plain watcher."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
