"""What a system must say of itself to be compared: how it starts, and the bytes that it speaks.

A peer is data for one client. The loops that send and read are the same for all (`load.py`,
`readers.py`), over raw sockets and without any vendor's library: they know only bytes to send and
regular expressions (of bytes, with DOTALL) that say when an answer is whole. So what a client
costs is alike for every peer, and is measured by itself against a server that does nothing.

In such an expression a group named `length` is the number of bytes that follow the match and
belong to it (HTTP's Content-Length, the length in a NATS MSG); a group named `upto` is a number in
big-endian bytes up to which all is acknowledged (RabbitMQ's `multiple`).
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from processes import family

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INSTALLED = Path(__file__).parents[3] / ".peers"
"""Where `make peers` puts what does not come from Debian: `venv/` (PyPI), `node_modules/` (npm)."""

BODY_BYTES = 500
MARK = rb"#(\d{8})#"
"""What each body begins with; by it readers count, and what was lost is known."""
FILLER = "Count the stars of the northern sky, and answer with one number. " * 8

NOW, EARLIEST = "now", "earliest"
BATCH = 100

ACCEPT, CROWD, BATCHES = "accept", "32 senders", "batches"
DELIVERY, FAN_OUT, IDLE = "delivery", "fan-out", "idle"
CATCHING_UP, SYNCS, LOST = "catching up", "syncs", "lost"
ALL = (ACCEPT, CROWD, BATCHES, DELIVERY, FAN_OUT, IDLE, CATCHING_UP, SYNCS, LOST)
"""What is measured, as a peer's `lacks` names it."""


def write_body(number: int) -> bytes:
    """Write a message of 500 bytes; it needs no escapes in JSON."""
    return f"#{number:08d}#{FILLER}"[:BODY_BYTES].encode()


@dataclass(frozen=True)
class Step:
    """Something said once on a fresh connection, and what its whole answer looks like."""

    send: bytes
    answer: bytes


@dataclass(frozen=True)
class Sends:
    """A connection that sends: the next request goes out when the last one was acknowledged."""

    requests: Sequence[bytes]
    """One after the other, and again from the first."""
    accepted: bytes
    """One acknowledgement. What does not match and is long is an error, and shown."""
    acks: int = 1
    """How many acknowledgements a request has: 100 where a batch is 100 sent without waiting."""
    steps: Sequence[Step] = ()


@dataclass(frozen=True)
class Reads:
    """A connection that reads. It has begun once its steps are answered: what is sent after
    that must reach it."""

    steps: Sequence[Step]
    message: bytes = MARK
    """Found once in what comes for each message."""
    answer: bytes | None = None
    """A whole answer, of a reader that asks again (long poll) or acknowledges; None: it listens."""
    reply: bytes | None = None
    """What to send after each whole answer; `\\1` or `\\g<name>` are the answer's groups."""
    pause_s: float = 0.0
    """How long a reader that polls waits before it asks again."""


@dataclass(frozen=True)
class Variant:
    """One way to run a peer, named by what its acknowledgement means."""

    name: str
    """As the table shows it after the peer's name, such as `appendfsync always`."""
    says: str
    """What its documents say of when it is acknowledged and when synced, in few words."""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A peer that runs, as a process group of its own."""

    folder: Path
    variant: Variant
    mailboxes: Sequence[str]
    address: tuple[str, int] = ("127.0.0.1", 0)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its folder, for the first time or after a kill, and wait until it answers."""
        raise NotImplementedError

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        """Say how one sender puts these, one at a time, into a mailbox (a queue, a key)."""
        raise NotImplementedError

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends | None:
        """Say how it sends all of these at once; None where there is no such thing."""
        raise NotImplementedError

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        """Say how the reader of that number follows a mailbox, from NOW or from EARLIEST.

        Several readers of one mailbox have each message, each. Where what a reader missed is
        kept for it by name, `start` makes reader 0 of each mailbox, before anything is sent.
        """
        raise NotImplementedError

    def left(self, mailbox: str) -> Reads:
        """Say how one reads all of what is kept of a mailbox that was never read, with marks."""
        return self.reads(mailbox, 0, EARLIEST)

    def pids(self) -> list[int]:
        """Its processes, whose processor time and memory count, and that are traced."""
        return family(self.process.pid) if self.process else []

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End all its processes; SIGKILL is the test of what it promised."""
        if self.process is None:
            return
        if how == signal.SIGKILL:
            end(self.pids())
        else:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.stop(signal.SIGKILL)
        self.process = None

    def close(self) -> None:
        """Give back what its end has left, outside its folder."""

    def launch(self, argv: Sequence[str], **environment: str) -> None:
        """Start the program in the folder, with what it prints in `FOLDER/log`."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env=clean_environment(HOME=str(self.folder), **environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_listening(self, within_s: float = 30) -> None:
        """Wait until somebody listens at its address."""
        end_s = time.monotonic() + within_s
        while True:
            assert self.process is not None
            with suppress(OSError), socket.create_connection(self.address, 1):
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
                raise AssertionError((self.folder / "log").read_text(errors="replace")[-2000:])
            assert time.monotonic() < end_s, f"{self.process.args} does not listen"


class Peer(Protocol):
    """A system that can be compared. Each is a module of this folder with its `PEER`."""

    name: str
    install: str
    """The documented command that installs it."""
    speaks: str
    """`HTTP`, or which protocol."""
    variants: Sequence[Variant]
    lacks: Mapping[str, str]
    """What does not exist there, by measurement (`BATCHES` ...), and why; shown."""

    def version(self) -> str | None:
        """Say which version is installed; None if none is."""

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Server:
        """Make its folder and configuration; `start` is called then."""


def end(pids: Sequence[int], within_s: float = 20) -> None:
    """Kill processes, and wait until none of them can answer any more for the next one."""
    for pid in pids:
        with suppress(ProcessLookupError):
            its_end = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(its_end, signal.SIGKILL)
                assert select.select([its_end], [], [], within_s)[0], f"{pid} does not end"
            finally:
                os.close(its_end)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | more


def program_version(name: str, *words: str) -> str | None:
    """Give what a program says of its version; None where it is not installed."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        return None
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


HTTP_ANSWER = rb"(?i)HTTP/1\.1 2\d\d .*?\r\ncontent-length: *(?P<length>\d+)\r\n(?:.*?\r\n)??\r\n"
"""An answer of HTTP that was a success and has a length. For 204: `HTTP_NOTHING`."""
HTTP_NOTHING = rb"HTTP/1\.1 204 .*?\r\n\r\n"


def write_http(
    method: str,
    path: str,
    body: bytes = b"",
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Write a request of HTTP/1.1 on a connection that stays."""
    lines = [f"{method} {path} HTTP/1.1", "Host: peer"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method in {"POST", "PUT"}:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
