"""Holds streams open in a process of its own and says when events came. One thread, one epoll.

`holder.py < JSON line`: `address`, `requests` (one a stream), `word` (what to count). It prints a
JSON line once every stream has shown its first event, and then one for each `count` on its stdin:
when the first and the last of so many words came. It ends with its stdin.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time

TIMEOUT_S = 120
AT_ONCE = 64
"""Streams that are being opened at the same time: a listener's queue is short."""


class Holder:
    def __init__(self, address: tuple[str, int], word: bytes) -> None:
        self.address, self.word = address, word
        self.ready = selectors.DefaultSelector()
        self.opened = 0
        self.tails: dict[socket.socket, bytes] = {}
        self.stamps: list[tuple[int, int]] = []

    def open(self, request: bytes) -> None:
        stream = socket.create_connection(self.address, TIMEOUT_S)
        stream.sendall(request)
        stream.setblocking(False)
        self.tails[stream] = b""
        self.ready.register(stream, selectors.EVENT_READ, [False])

    def look(self) -> None:
        """Take what has come to any stream."""
        found = self.ready.select(TIMEOUT_S)
        assert found, f"nothing came in {TIMEOUT_S} s; {self.opened} are open"
        for key, _ in found:
            stream = key.fileobj
            more = stream.recv(1 << 20)
            now_ns = time.monotonic_ns()
            text = self.tails[stream] + more
            assert more, text[-500:]
            if not key.data[0] and b"data:" in text:
                assert text.startswith(b"HTTP/1.1 200"), text
                key.data[0] = True
                self.opened += 1
            count = text.count(self.word)
            if count:
                self.stamps.append((now_ns, count))
            keep = len(self.word) - 1
            self.tails[stream] = text[-keep:] if key.data[0] else text

    def count(self, wanted: int) -> dict[str, int]:
        """Wait for so many words; gives when the first and the last of them came."""
        first_ns, got = 0, 0
        while True:
            stamps, self.stamps = self.stamps, []
            for now_ns, count in stamps:
                first_ns = first_ns or now_ns
                got += count
                if got >= wanted:
                    return {"first_ns": first_ns, "last_ns": now_ns, "count": got}
            self.look()


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    holder = Holder(tuple(asked["address"]), asked["word"].encode())
    requests = [one.encode() for one in asked["requests"]]
    begun_ns = time.monotonic_ns()
    for at, request in enumerate(requests):
        holder.open(request)
        while at + 1 - holder.opened >= AT_ONCE:
            holder.look()
    while holder.opened < len(requests):
        holder.look()
    print(json.dumps({"begun_ns": begun_ns, "opened_ns": time.monotonic_ns()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(holder.count(int(line))), flush=True)


if __name__ == "__main__":
    main()
