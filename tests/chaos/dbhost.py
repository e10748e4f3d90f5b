"""A PostgreSQL as a service of a machine whose power can be cut.

It knows how the server is started, killed and asked; not what a bus keeps in it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.postgres import INITDB, ROLE, program

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet
    from tests.lab import Box

DATA, SOCKET, DATABASE = "/var/lib/wakebus-pg", "/run/wakebus-pg", "bus"
DISK_MB = 512
SETTINGS = {
    "listen_addresses": "*",
    "unix_socket_directories": SOCKET,
    "max_connections": "200",
    "shared_buffers": "64MB",
    "min_wal_size": "32MB",
    "max_wal_size": "96MB",
}
RULES = """local all all trust
host all all 10.77.0.0/24 scram-sha-256
"""
UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
User=postgres
RuntimeDirectory={SOCKET.rpartition("/")[2]}
ExecStart=%s -D {DATA} {" ".join(f"-c {name}={value}" for name, value in SETTINGS.items())}
KillSignal=SIGINT
Restart=always
RestartSec=0.3
[Install]
WantedBy=multi-user.target
"""


@dataclass
class DatabaseHost:
    """A machine of a fleet that is neither the bus's nor a node."""

    box: Box
    url: str

    @classmethod
    def set_up(cls, fleet: Fleet, host: str) -> DatabaseHost:
        """Boot the machine and have an empty database; both are on its disk for good."""
        password = secrets.token_hex(16)
        box = fleet.put_box(host, DISK_MB)
        one = cls(
            box, f"postgresql+psycopg://{ROLE}:{password}@{fleet.address(host)}:5432/{DATABASE}"
        )
        box.run("install", "-d", "-m", "700", "-o", "postgres", "-g", "postgres", DATA)
        made = [str(program("initdb")), "-D", DATA, "--data-checksums", *INITDB]
        box.run("runuser", "-u", "postgres", "--", *made)
        box.write(f"{DATA}/pg_hba.conf", RULES)
        box.start_service("wakebus-pg.service", UNIT % program("postgres"))
        one.ask(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'", "postgres")
        one.ask(f"CREATE DATABASE {DATABASE} OWNER {ROLE}", "postgres")
        box.run("sync")
        return one

    def ask(self, statement: str, database: str = DATABASE) -> str:
        """Run one statement as its administrator; gives what it prints."""
        command = ["psql", "-XAtq", "-h", SOCKET, "-U", "postgres", "-d", database]
        return self.box.run(*command, "-v", "ON_ERROR_STOP=1", "-c", statement)

    def check(self) -> None:
        """Have every page, row and index looked through; what is unsound is an error."""
        command = [str(program("pg_amcheck")), "-h", SOCKET, "-U", "postgres", "-d", DATABASE]
        self.box.run(*command, "--install-missing", "--heapallindexed")

    def kill(self) -> None:
        """Kill every process of it with -9; systemd starts it again."""
        self.box.run(
            "systemctl", "kill", "--kill-who=all", "-s", "KILL", "wakebus-pg", may_fail=True
        )
