"""How the measured are asked: requests over raw sockets, and the programs beside that ask.

It must not know which bus it speaks with.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
TIMEOUT_S = 60


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("//")[2].partition(":")
    return host, int(port)


def write_post(to: str, sender: str, body: str, token: str = "", keep: bool = False) -> str:
    """Write the request that sends a message; the token says who sends, or else the body does."""
    if token:
        return write_json("/api/send", message_to(to, body), token, keep)
    return write_json("/api/send", {"to": to, "from": sender, "body": body}, "", keep)


def message_to(to: str, body: str) -> dict[str, object]:
    return {"to": to, "body": body, "reply_expected": False}


def write_json(path: str, value: object, token: str, keep: bool = True) -> str:
    data, who = json.dumps(value), bearer(token) if token else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: bus\r\n{who}Content-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n"
        f"\r\n{data}"
    )


def write_get(path: str, token: str = "") -> str:
    who = bearer(token) if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: bus\r\n{who}\r\n"


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}\r\n"


def ask_client(bus: Any, requests: list[str], **how: Any) -> dict[str, Any]:
    """Have the lean client send in its own process; gives what it says."""
    spec = {"address": address_of(bus.url), "requests": requests, **how}
    argv = [sys.executable, "-I", "-S", str(HERE / "client.py")]
    done = subprocess.run(argv, input=json.dumps(spec), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Program:
    """A program of this folder that is spoken with by lines of JSON."""

    def __init__(self, program: str, asked: dict[str, Any], *python: str) -> None:
        argv = [sys.executable, *python, str(HERE / program)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        self.say(asked)

    def say(self, value: object) -> None:
        assert self.process.stdin is not None
        print(json.dumps(value), file=self.process.stdin, flush=True)

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise AssertionError(f"{self.process.args} has ended")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class Holder(Program):
    """Streams that a process of its own holds open."""

    def __init__(self, bus: Any, requests: list[str], word: str = "event: message\n") -> None:
        asked = {"address": address_of(bus.url), "requests": requests, "word": word}
        super().__init__("holder.py", asked, "-I", "-S")
        self.opened = self.hear()

    def await_words(self, count: int, act: Callable[[], object] = lambda: None) -> dict[str, int]:
        """Act, and say when the first and the last of so many words have come."""
        self.say(count)
        act()
        return self.hear()


def post(address: tuple[str, int], request: str) -> float:
    """Send one request over a fresh connection; gives the seconds until its answer came."""
    begun_s = time.perf_counter()
    with socket.create_connection(address, TIMEOUT_S) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(65536)
        took_s = time.perf_counter() - begun_s
        assert answer.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")), answer
        while connection.recv(65536):
            pass
    return took_s


def open_stream(address: tuple[str, int], token: str = "") -> socket.socket:
    """Open a stream and wait for its first event."""
    connection = socket.create_connection(address, TIMEOUT_S)
    connection.sendall(write_get("/api/stream", token).encode())
    seen = b""
    while b"data:" not in seen:
        more = connection.recv(65536)
        assert more, seen
        seen += more
    return connection
