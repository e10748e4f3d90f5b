"""A proxy that adds the token that a client of the open protocol does not know, and the path.

The suite calls `/v1/stream/ID` and shows no token; the bus has `/streams/ID` and wants one.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THEIRS, OURS = "/v1/stream/", "/streams/"
HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
BLOCK = 65_536


class Forward(BaseHTTPRequestHandler):
    """Pass one request on, and its answer back as it comes."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_said: object) -> None:
        """Say nothing."""

    def answer(self) -> None:
        self.close_connection = True
        body = b"".join(self.body())
        with suppress(OSError), socket.create_connection(self.server.to, 60) as bus:
            with suppress(BrokenPipeError, ConnectionResetError):  # too long a body is refused
                bus.sendall(self.head(body) + body)
            self.pass_back(bus)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Take every method: `do_GET` and its like are looked up by name."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def head(self, body: bytes) -> bytes:
        lines = [f"{self.command} {self.path.replace(THEIRS, OURS, 1)} HTTP/1.1", "Host: bus"]
        lines += [f"{k}: {v}" for k, v in self.headers.items() if k.lower() not in HOP]
        lines += ["Connection: close"]
        if self.command != "OPTIONS":  # a browser asks that by itself, without a token
            lines += [f"Authorization: Bearer {self.server.token}"]
        if body or self.command in {"PUT", "POST"}:
            lines += [f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def body(self) -> Iterator[bytes]:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def pass_back(self, bus: socket.socket) -> None:
        """Give what comes as it comes, until one of the two ends it."""
        mine = f"http://{self.headers['Host']}{THEIRS}".encode()
        got = b""
        while b"\r\n\r\n" not in got and (part := bus.recv(BLOCK)):
            got += part
        head, end, rest = got.partition(b"\r\n\r\n")
        self.connection.sendall(head.replace(self.server.streams, mine) + end + rest)
        while True:
            there, _, _ = select.select([bus, self.connection], [], [])
            if bus not in there:
                return  # its reader has gone
            part = bus.recv(BLOCK)
            if not part:
                return
            self.connection.sendall(part)


class Proxy(ThreadingHTTPServer):
    """The proxy in front of one bus."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, bus: str, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        place = urlsplit(bus)
        self.to = (place.hostname or "", place.port or 0)
        self.token, self.streams = token, f"{bus}{OURS}".encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"
