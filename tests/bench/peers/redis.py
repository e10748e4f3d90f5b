"""Redis Streams: a stream of each mailbox, readers with a cursor of their own (XREAD)."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING

from tests.bench.peers.peer import (
    EARLIEST,
    Reads,
    Sends,
    Server,
    Step,
    Variant,
    free_port,
    program_version,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ADDED = rb"\$\d+\r\n\d+-\d+\r\n"
ENTRY = (
    rb"\*1\r\n\*2\r\n\$\d+\r\n[^\r]+\r\n\*1\r\n\*2\r\n\$\d+\r\n(\d+-\d+)\r\n"
    rb"\*2\r\n\$1\r\nb\r\n\$500\r\n.{500}\r\n"
)


class Redis(Server):
    def start(self) -> None:
        self.launch(["redis-server", "redis.conf"])
        self.await_listening()
        while not self.has_loaded():
            time.sleep(0.02)

    def has_loaded(self) -> bool:
        """Ask whether it has read its file: before that it refuses every command."""
        with socket.create_connection(self.address, 10) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(100).startswith(b"+PONG")

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        return Sends([write_add(mailbox, body) for body in bodies], ADDED)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        return Sends([b"".join(write_add(mailbox, body) for body in bodies)], ADDED, len(bodies))

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        if since == EARLIEST:
            return Reads([Step(f"XREAD COUNT 1000000 STREAMS {mailbox} 0\r\n".encode(), b"")])
        # That it waits has no answer: it has been read before whatever is sent from now on.
        steps = [Step(b"PING\r\n", rb"\+PONG\r\n"), Step(write_wait(mailbox, b"$"), b"")]
        return Reads(steps, answer=ENTRY, reply=write_wait(mailbox, rb"\1"))


def write_add(mailbox: str, body: bytes) -> bytes:
    words = [b"XADD", mailbox.encode(), b"*", b"b", body]
    return b"*5\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def write_wait(mailbox: str, after: bytes) -> bytes:
    return b"XREAD BLOCK 0 COUNT 1 STREAMS %s %s\r\n" % (mailbox.encode(), after)


class RedisStreams:
    name = "Redis Streams"
    install = "apt install redis-server"
    speaks = "RESP"
    variants = (
        Variant(
            "appendfsync always",
            "after the append-only file is written and synced, once for all that waited",
            {"appendfsync": "always"},
        ),
        Variant(
            "appendfsync everysec",
            "after the file is written; synced once a second",
            {"appendfsync": "everysec"},
        ),
    )
    lacks: Mapping[str, str] = {}

    def version(self) -> str | None:
        found = program_version("redis-server", "--version")
        return re.search(r"v=(\S+)", found)[1] if found else None  # type: ignore[index]

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Redis:
        server = Redis(folder, variant, mailboxes, ("127.0.0.1", free_port()))
        lines = {
            "bind": "127.0.0.1",
            "port": str(server.address[1]),
            "dir": str(folder),
            "appendonly": "yes",
            "save": '""',
            **variant.settings,
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        (folder / "redis.conf").write_text(text)
        return server


PEER = RedisStreams()
