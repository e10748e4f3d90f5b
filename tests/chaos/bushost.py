"""The bus as a service of a machine whose power can be cut: one process, or several.

Several are on a PostgreSQL of another machine.

It knows how the bus is started, killed and cut off, and how its database is taken out; not what
is sent over it.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.client import BusClient, ClientError
from tests.chaos.dbhost import DatabaseHost
from tests.chaos.taken import take_tables
from tests.conftest import BIN, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.fleet import Fleet
    from tests.lab import Box

DATA = "/var/lib/wakebus"
URL = "http://10.77.0.1:8091"
BACK_WITHIN_S = 120
UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart={BIN / "bus"} serve
Restart=always
RestartSec=0.3
Environment=BUS_DATA_DIR={DATA} BUS_HOST=0.0.0.0 BUS_PORT=8091 BUS_PUBLIC_URL={URL} %s
[Install]
WantedBy=multi-user.target
"""


@dataclass
class BusHost:
    """The machine `bus` of a fleet."""

    fleet: Fleet
    box: Box
    admin: str = ""
    database: DatabaseHost | None = None

    @classmethod
    def set_up(
        cls, fleet: Fleet, disk_mb: int, settings: dict[str, str], buses: int = 1
    ) -> BusHost:
        """Boot the machine and have the bus answer; what was set up is on the disk for good."""
        one = cls(fleet, fleet.put_box("bus", disk_mb))
        if buses > 1:
            one.database = DatabaseHost.set_up(fleet, fleet.others[0])
            settings |= {"BUS_WORKERS": str(buses), "BUS_DATABASE_URL": one.database.url}
        box, named = one.box, [f"{name}={value}" for name, value in settings.items()]
        box.run("env", f"BUS_DATA_DIR={DATA}", *named, str(BIN / "bus"), "init")
        one.admin = box.run("cat", f"{DATA}/admin.token").strip()
        box.start_service("wakebus.service", UNIT % " ".join(named))
        one.wait_ready()
        box.run("sync")
        return one

    def client(self, token: str = "", timeout_s: float = 5.0) -> BusClient:
        """Make a client; to be called and used by a thread that stands on the fleet."""
        return BusClient(URL, token or self.admin, timeout_s=timeout_s)

    def is_ready(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ready())
            except ClientError:
                return False

    def wait_ready(self) -> None:
        self.fleet.on("bus", until, self.is_ready, BACK_WITHIN_S, "the bus is ready")

    def kill(self) -> None:
        """Kill every process of the service with -9; systemd starts it again."""
        self.box.run("systemctl", "kill", "--kill-who=all", "-s", "KILL", "wakebus", may_fail=True)

    def kill_one(self) -> None:
        """Kill one of its several processes with -9; the first of them starts another."""
        one = "pgrep -P $(systemctl show -P MainPID wakebus) | shuf -n 1"
        self.box.run("sh", "-c", f"kill -KILL $({one})", may_fail=True)

    def kill_database(self) -> None:
        """Kill every process of the PostgreSQL with -9; systemd starts it again."""
        assert self.database is not None
        self.database.kill()

    def cut_power(self) -> None:
        """Cut the power; what was not synced is gone. `box.up()` gives it back."""
        self.box.do("crash")

    def stop(self) -> None:
        """Stop the service in order."""
        self.box.run("systemctl", "stop", "wakebus")

    def take_database(self, to: Path) -> Path:
        """Copy the database as the disk has it now: while the power is off, or after a stop."""
        if self.database is not None:
            self.database.check()
            return self.fleet.on("bus", take_tables, self.database.url, to)
        to.mkdir(parents=True, exist_ok=True)
        for name in ("bus.db", "bus.db-wal"):
            file = self.box.path(f"{DATA}/{name}")
            if file.exists():
                shutil.copy(file, to / name)
            else:
                (to / name).unlink(missing_ok=True)
        return to / "bus.db"

    def count(self, query: str) -> int:
        """Ask the living database for one number, reading only."""
        if self.database is not None:
            return int(self.database.ask(query))
        program = (
            "import sqlite3, sys; "
            f"db = sqlite3.connect('file:{DATA}/bus.db?mode=ro', uri=True, timeout=10); "
            "print(db.execute(sys.argv[1]).fetchone()[0])"
        )
        return int(self.box.run(str(BIN / "python"), "-I", "-S", "-c", program, query))

    def log_lines(self) -> Counter[str]:
        """Count what the bus has said, by action."""
        text = self.box.run("journalctl", "--no-pager", "-o", "cat", "-u", "wakebus")
        return Counter(re.findall(r"action=(\w+)", text))
