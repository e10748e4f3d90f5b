"""The one client that sends, in a process of its own: closed loops, or a steady rate.

`load.py < JSON`: `address`; `lines`, one a connection: `steps`, `requests`, `accepted`, `acks`
(see `Sends` in peer.py); then `seconds` and `each` (requests a connection at most), or `rate` (of
all, in turns) with `each` requests in all. It prints JSON: when each request was begun, how long
each took to be acknowledged as they came, how many each line has acknowledged, and the processor
time; but first a line once the first request is acknowledged. One thread, one epoll. A server
that dies is the end, where `may_die` says that it may.
"""

from __future__ import annotations

import json
import re
import select
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parent))

import wire

REFUSED = re.compile(rb"HTTP/1\.1 [45]|-[A-Z]+ ")
"""How a refusal begins in HTTP and in Redis: nothing more would come."""


class DiedError(Exception):
    """The server has closed the connection."""


class Line:
    """One connection: at most one request is not acknowledged."""

    def __init__(self, address: list[Any], spec: dict[str, Any]) -> None:
        self.sock, self.got = wire.connect(address, spec["steps"])
        self.requests = [wire.to_bytes(one) for one in spec["requests"]]
        self.accepted, self.acks = wire.compiled(spec["accepted"]), spec["acks"]
        self.is_cumulative = "upto" in self.accepted.groupindex
        self.sent = self.done = self.had = 0
        self.begun_ns = 0
        assert not self.got, self.got

    def send(self) -> None:
        self.had = 0
        request = self.requests[self.sent % len(self.requests)]
        self.sent += 1
        self.begun_ns = time.monotonic_ns()
        try:
            self.sock.sendall(request)
        except OSError as error:
            raise DiedError(str(error)) from None

    def take(self) -> bool:
        """Read what has come; says whether the request is acknowledged."""
        try:
            more = self.sock.recv(1 << 18)
        except OSError as error:
            raise DiedError(str(error)) from None
        if not more:
            raise DiedError(f"closed after {self.got[:1000]!r}")
        got = self.got + more if self.got else more
        at = 0
        while self.had < self.acks and (found := wire.whole(self.accepted, got, at)):
            at, match = found
            if self.is_cumulative:
                self.had = int.from_bytes(match["upto"], "big") - (self.sent - 1) * self.acks
            else:
                self.had += 1
        self.got = got[at:]
        assert len(self.got) < wire.MOST, self.got[:1000]
        assert not REFUSED.match(self.got), self.got[:1000]
        if self.had < self.acks:
            return False
        self.done += 1
        return True


class Client:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.lines = [Line(spec["address"], one) for one in spec["lines"]]
        self.poll = select.epoll()
        self.by_number = {line.sock.fileno(): line for line in self.lines}
        for number in self.by_number:
            self.poll.register(number, select.EPOLLIN)
        self.begun: list[int] = []
        self.waits_ms: list[float] = []

    def ready(self, within_s: float) -> list[Line]:
        return [self.by_number[number] for number, _ in self.poll.poll(within_s)]

    def send(self, line: Line) -> None:
        line.send()
        self.begun.append(line.begun_ns)

    def take(self, line: Line) -> bool:
        if not line.take():
            return False
        if not self.waits_ms:
            print("true", flush=True)
        self.waits_ms.append((time.monotonic_ns() - line.begun_ns) / 1e6)
        return True

    def crowd(self, each: int, seconds: float) -> None:
        """Have each connection send as soon as its last request was acknowledged."""
        until_ns = time.monotonic_ns() + int(seconds * 1e9)
        for line in self.lines:
            self.send(line)
        busy = len(self.lines)
        while busy:
            ready = self.ready(wire.TIMEOUT_S)
            assert ready, (
                f"no answer in {wire.TIMEOUT_S} s: {[one.got[:300] for one in self.lines]}"
            )
            for line in ready:
                if not self.take(line):
                    continue
                if line.sent < each and time.monotonic_ns() < until_ns:
                    self.send(line)
                else:
                    busy -= 1

    def pace(self, rate: float, count: int) -> None:
        """Send each request when its time has come; it waits for the one before on its line."""
        first_ns, step_ns = time.monotonic_ns(), int(1e9 / rate)
        idle, sent, done = list(self.lines), 0, 0
        while done < count:
            due_ns = first_ns + sent * step_ns
            if sent < count and idle and time.monotonic_ns() >= due_ns:
                self.send(idle.pop(0))
                sent += 1
                continue
            waits = sent < count and idle
            left_s = max(0.0, (due_ns - time.monotonic_ns()) / 1e9) if waits else wire.TIMEOUT_S
            for line in self.ready(left_s):
                if self.take(line):
                    done += 1
                    idle.append(line)


def main() -> None:
    spec = json.load(sys.stdin)
    client = Client(spec)
    begun_s, used_s, died = time.monotonic(), time.process_time(), ""
    try:
        if spec.get("rate"):
            client.pace(spec["rate"], spec["each"])
        else:
            client.crowd(spec.get("each", 1 << 40), spec.get("seconds", 1e6))
    except DiedError as error:
        died = str(error)
        if not spec.get("may_die"):
            raise
    took_s, cost_s = time.monotonic() - begun_s, time.process_time() - used_s
    answer = {"begun": client.begun, "waits_ms": client.waits_ms, "took_s": took_s}
    done = [line.done for line in client.lines]
    json.dump({**answer, "cpu_s": cost_s, "done": done, "died": died}, sys.stdout)


if __name__ == "__main__":
    main()
