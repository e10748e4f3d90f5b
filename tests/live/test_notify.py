"""What systemd hears of a real bus, over a real datagram socket."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import engine

HEAR_WITHIN_S = 30
BUS = str(Path(sys.executable).with_name("bus"))


class Systemd:
    """The other end of NOTIFY_SOCKET, and the bus that it starts."""

    def __init__(self, sock, address, data_dir):
        self.sock, self.data_dir = sock, data_dir
        kept = {key: value for key, value in os.environ.items() if not key.startswith("BUS_")}
        own = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"}
        self.environment = kept | own | {"BUS_DATA_DIR": str(data_dir), "BUS_PORT": "0"}
        self.environment |= engine.settings_of(data_dir)

    @contextlib.contextmanager
    def start(self):
        with (self.data_dir / "log").open("wb") as log:
            process = subprocess.Popen(
                [BUS, "serve"], env=self.environment, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def hear(self, start):
        """Give what is said up to and with the first word that begins so."""
        heard = []
        while not heard or not heard[-1].startswith(start):
            heard.append(self.sock.recv(1000).decode())
        return heard

    @property
    def url(self):
        return re.search(r"listens on (http://\S+),", (self.data_dir / "log").read_text())[1]


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path, made_data):
    name = str(tmp_path / "n") if request.param == "path" else f"\0wakebus-{os.getpid()}"
    engine.copy_data(made_data, tmp_path / "data")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.settimeout(HEAR_WITHIN_S)
        yield Systemd(sock, name.replace("\0", "@"), tmp_path / "data")


def test_ready_means_that_the_bus_serves_and_the_end_is_told(systemd):
    with systemd.start() as process:
        assert systemd.hear("READY")[-1] == "READY=1"
        with urllib.request.urlopen(f"{systemd.url}/readyz", timeout=60) as answer:
            assert answer.status == 200
        assert "0 nodes online" in systemd.hear("STATUS=serving")[-1]
        systemd.hear("WATCHDOG=1")
        process.terminate()
        systemd.hear("STOPPING=1")
        assert process.wait(60) == 0


@pytest.mark.sqlite_only("the disk its file is on; of a server that fails, test_postgres")
def test_a_bus_that_cannot_write_is_not_ready_and_says_why(systemd):
    with contextlib.closing(sqlite3.connect(systemd.data_dir / "bus.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with systemd.start():
            before = systemd.hear(
                "STATUS=in trouble: the database could not write (another process"
            )
            other.rollback()
            assert not [word for word in before if word.startswith(("READY", "WATCHDOG"))]
            systemd.hear("READY=1")


def test_a_process_that_gunicorn_starts_again_goes_on_feeding(systemd):
    with systemd.start() as process:
        systemd.hear("WATCHDOG=1")
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        systemd.hear("READY=1")
        systemd.hear("WATCHDOG=1")


@pytest.mark.sqlite_only("it is changed in its file")
def test_a_database_of_a_newer_program_is_refused_in_one_line_of_status(systemd):
    with contextlib.closing(sqlite3.connect(systemd.data_dir / "bus.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = (systemd.data_dir / "bus.db").read_bytes()
    with systemd.start() as process:
        assert "schema 9999" in systemd.hear("STATUS=refused to start")[-1]
        assert process.wait(60) == 4
    assert (systemd.data_dir / "bus.db").read_bytes() == before


@pytest.mark.parametrize("systemd", ["path"], indirect=True)
def test_a_terminal_that_closes_ends_the_bus_in_order(systemd):
    with systemd.start() as process:
        systemd.hear("READY=1")
        process.send_signal(signal.SIGTTIN)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
