"""The one client that reads, in a process of its own: many connections, one thread, one epoll.

`readers.py < JSON line`: `address`; `lines`, one a connection: `steps`, `message`, `answer`,
`reply`, `pause_s` (see `Reads` in peer.py). It prints a JSON line once all have begun, and then
one for each line on its stdin: `{"count": N}` waits until N messages came since the last line (or
`quiet_s` without any), and is answered with `first_ns`, `last_ns`, `count`, the `stamps` of all
where `stamps` is asked for, their `marks` where `marks` is, and `cpu_s`. It ends with its stdin.
"""

from __future__ import annotations

import heapq
import json
import select
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parent))

import wire

AT_MOST = 200
"""Bytes that a message's mark may be cut in two by; what was counted is not looked at again."""


class Line:
    """One connection."""

    def __init__(self, address: list[Any], spec: dict[str, Any]) -> None:
        self.message = wire.compiled(spec["message"])
        self.answer = wire.compiled(spec["answer"]) if spec["answer"] is not None else None
        self.reply = wire.to_bytes(spec["reply"]) if spec["reply"] is not None else None
        self.pause_s = spec["pause_s"]
        self.sock, self.got = wire.connect(address, spec["steps"])
        self.due: list[bytes] = []

    def take(self) -> list[bytes]:
        """Read what has come; gives the messages' marks, and leaves replies in `due`."""
        more = self.sock.recv(1 << 18)
        assert more, f"the server has closed a reader's connection after {self.got[-1000:]!r}"
        self.got += more
        return self.look()

    def look(self) -> list[bytes]:
        if self.answer is None:
            found, end = [], 0
            for match in self.message.finditer(self.got):
                found.append(match[match.lastindex or 0])
                end = match.end()
            self.got = self.got[max(end, len(self.got) - AT_MOST) :]
            return found
        found, at = [], 0
        while ended := wire.whole(self.answer, self.got, at):
            end, match = ended
            found += [one[one.lastindex or 0] for one in self.message.finditer(self.got, at, end)]
            if self.reply is not None:
                self.due.append(match.expand(self.reply))
            at = end
        self.got = self.got[at:]
        return found


class Readers:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.poll = select.epoll()
        self.by_number: dict[int, Line] = {}
        self.later: list[tuple[float, int, bytes]] = []
        self.stamps: list[tuple[int, list[bytes]]] = []
        for one in spec["lines"]:
            line = Line(spec["address"], one)
            number = line.sock.fileno()
            self.by_number[number] = line
            self.poll.register(number, select.EPOLLIN)
            self.note(number, line, line.look())

    def note(self, number: int, line: Line, found: list[bytes]) -> None:
        if found:
            self.stamps.append((time.monotonic_ns(), found))
        for reply in line.due:
            if line.pause_s:
                heapq.heappush(self.later, (time.monotonic() + line.pause_s, number, reply))
            else:
                line.sock.sendall(reply)
        line.due.clear()

    def look(self, within_s: float) -> bool:
        """Take what has come to any; says whether anything was done."""
        if self.later:
            within_s = min(within_s, max(0.0, self.later[0][0] - time.monotonic()))
        ready = self.poll.poll(within_s)
        for number, _ in ready:
            line = self.by_number[number]
            self.note(number, line, line.take())
        is_done = bool(ready)
        while self.later and self.later[0][0] <= time.monotonic():
            _, number, reply = heapq.heappop(self.later)
            self.by_number[number].sock.sendall(reply)
            is_done = True
        return is_done

    def count(self, wanted: int, quiet_s: float) -> list[tuple[int, list[bytes]]]:
        """Wait for so many messages, or until none has come for a while."""
        had: list[tuple[int, list[bytes]]] = []
        got, end_s = 0, time.monotonic() + quiet_s
        while True:
            new, self.stamps = self.stamps, []
            if new:
                had += new
                got += sum(len(found) for _, found in new)
                end_s = time.monotonic() + quiet_s
            left_s = end_s - time.monotonic()
            if got >= wanted or left_s <= 0:
                return had
            self.look(left_s)


def main() -> None:
    spec = json.loads(sys.stdin.readline())
    begun_ns = time.monotonic_ns()
    readers = Readers(spec)
    print(json.dumps({"begun_ns": begun_ns, "opened_ns": time.monotonic_ns()}), flush=True)
    used_s = time.process_time()
    for text in sys.stdin:
        asked = json.loads(text)
        had = readers.count(asked["count"], asked.get("quiet_s", wire.TIMEOUT_S))
        answer: dict[str, Any] = {"count": sum(len(found) for _, found in had), "marks": []}
        if had:
            answer |= {"first_ns": had[0][0], "last_ns": had[-1][0]}
        if asked.get("stamps"):
            answer["stamps"] = [at for at, found in had for _ in found]
        if asked.get("marks"):
            answer["marks"] = [mark.decode("latin-1") for _, found in had for mark in found]
        answer["cpu_s"] = time.process_time() - used_s
        used_s = time.process_time()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
