"""A PostgreSQL of a test's own, from Debian's package: started, killed, copied and promoted.

It runs as the user `postgres` where the tests run as root, whom PostgreSQL refuses, and else as
whoever runs them; it ends with the thread that started it, however that ends. It listens on a
socket in its folder, for the administration, and on a loopback port, where the bus comes with a
password as one without rights: a right that the bus should not need is missed here.

Its order of text is English, as that of many servers is: a query that leaves the order to the
server shows. Use `start` by itself, or `serving` for one that ends with the block.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chromium import miss

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = Path("/usr/lib/postgresql")
ROLE = "wakebus"
PORTS = range(15_000, 32_000)
"""Below those that the kernel hands out, so that one is still free after a restart."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %d ",
}
UNSAFE = {"fsync": "off", "full_page_writes": "off"}
"""What a crash of the machine alone would show; a crash of PostgreSQL does not."""
INITDB = (
    *("-U", "postgres", "-E", "UTF8", "--auth=trust"),
    *("--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"),
)
RULES = """local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
"""
STARTS_WITHIN_S = 60


@dataclass
class Cluster:
    """One PostgreSQL: `folder` holds its data, its socket and what it logs."""

    folder: Path
    port: int
    password: str
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path | None = None, *, fsync: bool = False, **settings: Any) -> Cluster:
        """Make one and start it, in a folder that is not there yet and that its user can reach."""
        folder = new_folder(folder)
        made = [str(program("initdb")), "-D", str(folder / "data"), "--no-sync", *INITDB]
        done = subprocess.run(made, check=False, capture_output=True, text=True, **as_postgres())
        assert done.returncode == 0, done.stderr
        given = {name: str(value) for name, value in settings.items()}
        one = cls(
            folder,
            free_port(),
            secrets.token_hex(16),
            SETTINGS | ({} if fsync else UNSAFE) | given,
        )
        (folder / "data" / "pg_hba.conf").write_text(RULES)
        one.run()
        one.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{one.password}'")
        return one

    @classmethod
    def at(cls, told: str) -> Cluster:
        """Give one that another process started, as its `told` names it; it ends there."""
        folder, port, password = told.rsplit(":", 2)
        return cls(Path(folder), int(port), password)

    @property
    def told(self) -> str:
        """What another process needs to use it, in one word."""
        return f"{self.folder}:{self.port}:{self.password}"

    def run(self) -> None:
        """Start its server, and wait until it takes a connection."""
        settings = self.settings | {
            "unix_socket_directories": str(self.folder),
            "port": str(self.port),
        }
        command = ["setpriv", "--pdeathsig", "QUIT", str(program("postgres"))]
        command += ["-D", str(self.folder / "data")]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        assert threading.current_thread() is threading.main_thread(), "it would end with the thread"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/", start_new_session=True, **as_postgres()
            )
        self.wait_ready()

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def wait_ready(self, within_s: float = STARTS_WITHIN_S) -> None:
        """Wait until it takes a connection."""
        end_s, pause = time.monotonic() + within_s, threading.Event()
        while not self.is_ready():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > end_s:
                raise AssertionError(self.log.read_text()[-2000:])
            pause.wait(0.02)

    def is_ready(self) -> bool:
        import psycopg  # noqa: PLC0415 - not where no PostgreSQL is asked

        with suppress(psycopg.OperationalError):
            self.execute("SELECT 1")
            return True
        return False

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run one statement as its administrator; gives the rows."""
        import psycopg  # noqa: PLC0415

        with psycopg.connect(self.admin_words(database), autocommit=True) as conn:
            cursor = conn.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def admin_words(self, database: str = "postgres") -> str:
        """Give what libpq needs to connect as the administrator."""
        return f"host={self.folder} port={self.port} user=postgres dbname={database}"

    def url(self, database: str, port: int | None = None) -> str:
        """Give the URL of a database for the bus, by its own port or by that of a relay."""
        login = f"{ROLE}:{self.password}@127.0.0.1:{port or self.port}"
        return f"postgresql+psycopg://{login}/{database}"

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database of the bus's role, empty or as another is that nobody is using now."""
        copied = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""
        self.execute(f'CREATE DATABASE "{name}" OWNER {ROLE}{copied}')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is using it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @property
    def pids(self) -> list[int]:
        """List its processes, the first one first."""
        assert self.process is not None
        pid = self.process.pid
        with suppress(FileNotFoundError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [pid, *map(int, children)]
        return []

    def signal(self, how: signal.Signals) -> None:
        """Signal every process of it: with SIGSTOP and SIGCONT it is slow without end."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `smart` waits for those connected, `fast` ends them, `immediate` is a crash."""
        ways = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
        assert self.process is not None
        self.process.send_signal(ways[mode])
        self.process.wait(60)

    def kill(self) -> None:
        """Kill every process of it with -9, and wait until they are gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)  # it must not start another meanwhile
        pids = self.pids
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)
        end_s, pause = time.monotonic() + 30, threading.Event()
        while any(is_alive(pid) for pid in pids):
            assert time.monotonic() < end_s, pids
            pause.wait(0.01)

    def restart(self, mode: str = "fast") -> None:
        """Stop it in one of the ways and start it again, at the same port."""
        self.stop(mode)
        self.run()

    def standby(self, *, synchronous: bool = False) -> Cluster:
        """Start a second one that follows this one; `synchronous`: what is committed is on both."""
        folder = new_folder(None)
        copied = [str(program("pg_basebackup")), "-D", str(folder / "data"), "-R", "-X", "stream"]
        copied += ["-c", "fast", "--no-sync", "-d", self.admin_words()]
        done = subprocess.run(copied, check=False, capture_output=True, text=True, **as_postgres())
        assert done.returncode == 0, done.stderr
        one = Cluster(folder, free_port(), self.password, dict(self.settings))
        one.run()
        if synchronous:  # said only now: the copy must wait for nobody
            self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.execute("SELECT pg_reload_conf()")
        end_s, pause = time.monotonic() + STARTS_WITHIN_S, threading.Event()
        wanted = "sync" if synchronous else "async"
        while self.execute("SELECT sync_state FROM pg_stat_replication") != [(wanted,)]:
            assert time.monotonic() < end_s, one.log.read_text()
            pause.wait(0.02)
        return one

    def promote(self) -> None:
        """Make a standby one that takes writes; gives back when it does."""
        assert self.execute("SELECT pg_promote(true, 60)") == [(True,)]

    def end(self) -> None:
        """End it for good and remove what it kept."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.stop("immediate")
        release_memory(self.folder / "data" / "postmaster.pid")
        shutil.rmtree(self.folder)


@contextmanager
def serving(**settings: Any) -> Iterator[Cluster]:
    """Have one for as long as the block lasts: `serving(fsync=True)`."""
    one = Cluster.start(**settings)
    try:
        yield one
    finally:
        one.end()


def program(name: str) -> Path:
    """Find a program of the newest PostgreSQL; without one the test is skipped and says so."""
    found = sorted(PACKAGES.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not found:
        miss("PostgreSQL: apt install postgresql")
    return found[-1]


def as_postgres() -> dict[str, Any]:
    """Give how to start a program of PostgreSQL: never as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": [], "umask": 0o077}


def new_folder(folder: Path | None) -> Path:
    """Make a folder for its user alone, with a name short enough for a socket in it."""
    made = Path(tempfile.mkdtemp(prefix="wakebus-pg-")) if folder is None else folder
    made.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(made, "postgres", "postgres")
    return made


def free_port() -> int:
    """Choose a port on which nobody listens."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


def is_alive(pid: int) -> bool:
    """Say whether a process still runs; one that nobody has buried does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def release_memory(pid_file: Path) -> None:
    """Give back the shared memory that a killed one left: the file it left names it."""
    with suppress(OSError, IndexError):
        number = pid_file.read_text().splitlines()[6].split()[1]
        subprocess.run(["ipcrm", "-m", number], check=False, capture_output=True)
