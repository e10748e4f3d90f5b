"""A machine with a real systemd, a bus as a service of it, and an ordinary user with a node.

The watcher in it is the one file, run by the machine's own Python, as on a machine that has
nothing else of this project.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TREE = Path(__file__).parents[2]
BUS = [
    "env",
    "PYTHONPATH=/opt/tree",
    "/opt/env/bin/python",
    "/opt/env/bin/bus",
]  # /tmp is the box's own
URL = "http://127.0.0.1:8091"
USER = "keeper"
PYZ = "/opt/given/bus-watcher.pyz"
BUS_UNIT = f"""\
[Service]
ExecStart={" ".join(BUS[2:])} serve
Environment=PYTHONPATH=/opt/tree BUS_DATA_DIR=/var/lib/testbus BUS_HEARTBEAT_S=1
[Install]
WantedBy=multi-user.target
"""


class WatcherBox:
    """One box; `user(...)` runs a command as the person whose agents live there."""

    def __init__(self, name: str, given: Path) -> None:
        self.name = name
        self.home_before: list[str] = []
        self.said = ""
        self.script = str(Path(os.environ["WAKEBUS_LAB"]) / "systemd-box.sh")
        shared = {given: "given", TREE: "tree", Path(sys.prefix): "env"}
        shares = [["--share-ro", f"{path}:/opt/{at}"] for path, at in shared.items()]
        self.call("up", name, *(word for share in shares for word in share), "--user", USER)

    def call(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["bash", self.script, *words], capture_output=True, text=True, timeout=100, check=False
        )
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def root(self, *words: str, check: bool = True) -> str:
        return self.call("exec", self.name, *words, check=check)

    def user(self, *words: str, check: bool = True) -> str:
        return self.call("as", self.name, USER, *words, check=check)

    def watcher(self, *words: str, check: bool = True) -> str:
        return self.user("/usr/bin/python3", PYZ, *words, check=check)

    def down(self) -> None:
        self.call("down", self.name, check=False)

    def write_file(self, path: str, text: str) -> None:
        self.root("/usr/bin/python3", "-c", _WRITE, path, text)

    def files(self, folder: str) -> list[str]:
        return sorted(self.root("find", folder).splitlines())

    def start_bus(self) -> None:
        """Make a bus that comes up with the machine."""
        self.root("env", "BUS_DATA_DIR=/var/lib/testbus", *BUS, "init")
        self.write_file("/etc/systemd/system/testbus.service", BUS_UNIT)
        self.root("systemctl", "enable", "--now", "testbus")
        self.bus("node", "list")

    def bus(self, *words: str) -> str:
        """Call the bus as its administration, as soon as it is there."""
        place = [f"BUS_URL={URL}", "BUS_TOKEN_FILE=/var/lib/testbus/admin.token"]
        wait = [f"until curl -sf {URL}/readyz >/dev/null; do sleep 0.1; done"]
        self.root("timeout", "30", "sh", "-c", *wait)
        return self.root("env", *place, *BUS, *words)

    def send(self, body: str) -> str:
        """Send beta a message as maria; gives its id."""
        told = self.root("env", *_MARIA, *BUS, "send", "beta", body, "--json")
        return str(json.loads(told)["id"])

    def follow(self, message_id: str, state: str, within_s: float = 60) -> dict[str, object]:
        """Give a delivery once it is so far."""
        until_s = time.monotonic() + within_s
        while True:
            told = self.root("env", *_MARIA, *BUS, "trace", message_id, "--json")
            delivery: dict[str, object] = json.loads(told)["deliveries"][0]
            if delivery["state"] == state:
                return delivery
            assert time.monotonic() < until_s, delivery

    def unit(self, key: str) -> str:
        command = ("systemctl", "--user", "show", "bus-watcher", "-p", key, "--value")
        return self.user(*command).strip()

    def await_unit(self, within_s: float, **wanted: str) -> None:
        """Wait until the unit's properties are so; a leading `!` means anything else."""
        until_s = time.monotonic() + within_s
        while True:
            found = {key: self.unit(key) for key in wanted}
            if all(_fits(found[key], value) for key, value in wanted.items()):
                return
            assert time.monotonic() < until_s, (found, self.journal())

    def journal(self) -> str:
        return self.root(
            "journalctl",
            "--no-pager",
            "-n",
            "40",
            "_SYSTEMD_USER_UNIT=bus-watcher.service",
            check=False,
        )


def _fits(found: str, wanted: str) -> bool:
    return found != wanted[1:] if wanted.startswith("!") else found == wanted


_MARIA = [f"BUS_URL={URL}", "BUS_TOKEN_FILE=/var/lib/testbus/maria.token"]
_WRITE = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(sys.argv[2])
"""
