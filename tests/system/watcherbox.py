"""A machine with a real systemd, a bus as a service of it, and an ordinary user with a node.

The watcher in it is the one file, run by the machine's own Python, as on a machine that has
nothing else of this project.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.conftest import until
from tests.lab import Box

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


class WatcherBox(Box):
    """One box; `user(...)` runs a command as the person whose agents live there."""

    def __init__(self, name: str, given: Path) -> None:
        self.home_before: list[str] = []
        self.said = ""
        shared = {given: "given", TREE: "tree", Path(sys.prefix): "env"}
        shares = [["--share-ro", f"{path}:/opt/{at}"] for path, at in shared.items()]
        super().__init__(name, (*(word for share in shares for word in share), "--user", USER))
        self.up()

    def call(self, verb: str, *words: str, check: bool = True) -> str:
        """Give all that a command wrote."""
        done = self.do(verb, *words, may_fail=not check)
        return done.stdout + done.stderr

    def root(self, *words: str, check: bool = True) -> str:
        return self.call("exec", *words, check=check)

    def user(self, *words: str, check: bool = True) -> str:
        return self.call("as", USER, *words, check=check)

    def watcher(self, *words: str, check: bool = True) -> str:
        return self.user("/usr/bin/python3", PYZ, *words, check=check)

    def files(self, folder: str) -> list[str]:
        return sorted(self.root("find", folder).splitlines())

    def start_bus(self) -> None:
        """Make a bus that comes up with the machine."""
        self.root("env", "BUS_DATA_DIR=/var/lib/testbus", *BUS, "init")
        self.write("/etc/systemd/system/testbus.service", BUS_UNIT)
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

        def look() -> dict[str, object] | None:
            told = self.root("env", *_MARIA, *BUS, "trace", message_id, "--json")
            delivery: dict[str, object] = json.loads(told)["deliveries"][0]
            return delivery if delivery["state"] == state else None

        return until(look, within_s, f"{message_id} is {state}")

    def unit(self, key: str) -> str:
        command = ("systemctl", "--user", "show", "bus-watcher", "-p", key, "--value")
        return self.user(*command).strip()

    def await_unit(self, within_s: float, **wanted: str) -> None:
        """Wait until the unit's properties are so; a leading `!` means anything else."""

        def fits() -> bool:
            return all(_fits(self.unit(key), value) for key, value in wanted.items())

        try:
            until(fits, within_s, f"the unit is {wanted}")
        except AssertionError as error:
            error.add_note(self.journal())
            raise

    def journal(self) -> str:
        return self.root(
            "journalctl",
            "--no-pager",
            "-n",
            "200",  # a hang is told with the stack of every thread
            "_SYSTEMD_USER_UNIT=bus-watcher.service",
            check=False,
        )


def _fits(found: str, wanted: str) -> bool:
    return found != wanted[1:] if wanted.startswith("!") else found == wanted


_MARIA = [f"BUS_URL={URL}", "BUS_TOKEN_FILE=/var/lib/testbus/maria.token"]
