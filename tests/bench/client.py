"""A lean client in a process of its own: closed loops, or a steady rate, over raw sockets.

`client.py < JSON`: `address`, `requests` (one a connection, in turn), `connections`, `seconds` or
`each` (sends a connection at most), `fresh` (a connection for each request, as curl has), `rate`
(sends a second; `each` is then all sends). It prints JSON: when each send began, how long each
answer took as they came, and the processor time that it cost this process. One thread, one epoll.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

ACCEPTED = (b"HTTP/1.1 202", b"HTTP/1.1 200")
TIMEOUT_S = 60


@dataclass
class Line:
    """One connection with its request; `left` sends are still to be made on it."""

    request: bytes
    left: int
    sock: socket.socket | None = None
    begun_ns: int = 0
    got: bytes = b""


class Client:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.address = tuple(spec["address"])
        self.fresh = spec.get("fresh", False)
        self.requests = [one.encode() for one in spec["requests"]]
        self.ready = selectors.DefaultSelector()
        self.begun: list[int] = []
        self.waits_ms: list[float] = []

    def send(self, line: Line) -> None:
        line.got, line.begun_ns = b"", time.monotonic_ns()
        line.left -= 1
        if line.sock is None:
            line.sock = socket.create_connection(self.address, TIMEOUT_S)
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ready.register(line.sock, selectors.EVENT_READ, line)
        self.begun.append(line.begun_ns)
        line.sock.sendall(line.request)

    def take(self, line: Line) -> bool:
        """Read what has come; says whether the answer is whole."""
        assert line.sock is not None
        more = line.sock.recv(1 << 20)
        line.got += more
        head, gap, body = line.got.partition(b"\r\n\r\n")
        assert more or gap, line.got
        if not gap or len(body) < int(head.lower().partition(b"content-length:")[2].split()[0]):
            return False
        self.waits_ms.append((time.monotonic_ns() - line.begun_ns) / 1e6)
        assert head.startswith(ACCEPTED), line.got
        if self.fresh:
            self.ready.unregister(line.sock)
            line.sock.close()
            line.sock = None
        return True

    def crowd(self, connections: int, each: int, seconds: float) -> None:
        """Have each connection send as soon as its last send was answered."""
        until_ns = time.monotonic_ns() + int(seconds * 1e9)
        lines = [Line(self.requests[at % len(self.requests)], each) for at in range(connections)]
        for line in lines:
            self.send(line)
        busy, turn = len(lines), connections
        while busy:
            for key, _ in self.ready.select(TIMEOUT_S):
                line = key.data
                if not self.take(line):
                    continue
                if line.left and time.monotonic_ns() < until_ns:
                    # Alone, the senders take turns, so that none of them meets a limit.
                    line.request = self.requests[turn % len(self.requests)]
                    turn += 1
                    self.send(line)
                else:
                    busy -= 1

    def pace(self, rate: float, count: int) -> None:
        """Send each request when its time has come, whatever became of those before."""
        first_ns, step_ns = time.monotonic_ns(), int(1e9 / rate)
        idle: list[Line] = []
        sent = done = 0
        while done < count:
            due_ns = first_ns + sent * step_ns
            if sent < count and time.monotonic_ns() >= due_ns:
                line = idle.pop() if idle else Line(b"", 0)
                line.request = self.requests[sent % len(self.requests)]
                self.send(line)
                sent += 1
                continue
            left_s = max(0.0, (due_ns - time.monotonic_ns()) / 1e9) if sent < count else TIMEOUT_S
            for key, _ in self.ready.select(left_s):
                if self.take(key.data):
                    done += 1
                    idle.append(key.data)


def main() -> None:
    spec = json.load(sys.stdin)
    client = Client(spec)
    begun_s, used_s = time.monotonic(), time.process_time()
    if spec.get("rate"):
        client.pace(spec["rate"], spec["each"])
    else:
        client.crowd(spec["connections"], spec.get("each", 1 << 30), spec.get("seconds", 1e6))
    took_s = time.monotonic() - begun_s
    cost_s = time.process_time() - used_s
    answer = {"begun": client.begun, "waits_ms": client.waits_ms, "took_s": took_s}
    json.dump({**answer, "cpu_s": cost_s}, sys.stdout)


if __name__ == "__main__":
    main()
