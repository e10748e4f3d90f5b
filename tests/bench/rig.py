"""The systems under measurement, each started as its users start it, and one small HTTP client.

Both are asked by the same client over a fresh connection, as curl would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from conftest import BIN, Bus, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
POLLING = "polling bus"
TIMEOUT_S = 60


@dataclass
class Plan:
    """How much is measured."""

    rounds: int
    sends: int
    senders: int
    sends_each: int
    streams: int
    seed: int
    folder: Path
    openclaw_rounds: int = 0


def start_bus(folder: Path) -> Bus:
    """Start an empty `bus serve` with its defaults, on a free port."""
    bus = Bus(folder)
    subprocess.run(
        [str(BIN / "bus"), "init"], env=bus.environment, check=True, stdout=subprocess.DEVNULL
    )
    bus.admin = (folder / "admin.token").read_text().strip()
    bus.start()
    return bus


@contextmanager
def running_bus(folder: Path) -> Iterator[Bus]:
    bus = start_bus(folder)
    try:
        yield bus
    finally:
        for watcher in bus.watchers:
            watcher.terminate()
            watcher.wait(10)
        if bus.process is not None and bus.process.poll() is None:
            bus.stop()


def add_agent(bus: Bus, name: str) -> str:
    """Make an agent that lives on no node; gives its token."""
    status, answer = bus.call(bus.admin, "POST", "/api/agents", {"name": name})
    assert status == 201, answer
    asked = {"kind": "agent", "subject": name}
    status, answer = bus.call(bus.admin, "POST", "/api/tokens", asked)
    assert status == 201, answer
    return answer["token"]


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
        while not (found := re.search(r"Listening at: (http://\S+)", log.read_text())):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                raise AssertionError(log.read_text())
        self.url = found[1]

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


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("//")[2].partition(":")
    return host, int(port)


def write_post(to: str, sender: str, body: str, token: str = "") -> bytes:
    """Write the request that sends a message; the token says who sends, or else the body does."""
    if token:
        message, who = {"to": to, "body": body, "reply_expected": False}, bearer(token)
    else:
        message, who = {"to": to, "from": sender, "body": body}, ""
    data = json.dumps(message)
    return (
        f"POST /api/send HTTP/1.1\r\nHost: bus\r\n{who}Content-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n{data}"
    ).encode()


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}\r\n"


def post(address: tuple[str, int], request: bytes) -> float:
    """Send one request over a fresh connection; gives the seconds until its answer came."""
    begun_s = time.perf_counter()
    with socket.create_connection(address, TIMEOUT_S) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)
        took_s = time.perf_counter() - begun_s
        assert answer.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")), answer
        while connection.recv(65536):
            pass
    return took_s


def open_stream(address: tuple[str, int], token: str = "") -> socket.socket:
    """Open a stream and wait for its first event."""
    connection = socket.create_connection(address, TIMEOUT_S)
    who = bearer(token) if token else ""
    connection.sendall(f"GET /api/stream HTTP/1.1\r\nHost: bus\r\n{who}\r\n".encode())
    seen = b""
    while b"data:" not in seen:
        more = connection.recv(65536)
        assert more, seen
        seen += more
    return connection
