"""Readers of one durable stream, in a process of their own: what came, in order, and how late.

`tokenreaders.py < JSON line`: `address`, `path` (with its offset), `token`, `readers`, `tokens`,
`lanes` (how many append them in turn). It prints a line once every reader was told where it is, and
one when each has so many tokens: what it got and how late. A token is a line: its number, and when
it was sent. One thread, one epoll; a reader that the bus sends off comes back with its offset.
"""

from __future__ import annotations

import hashlib
import json
import re
import selectors
import socket
import sys
import time

TIMEOUT_S = 60
POINTS = 2000
OFFSET = re.compile(rb'"streamNextOffset":"([0-9_]+)"')


class Reader:
    def __init__(self, asked: dict, ready: selectors.DefaultSelector) -> None:
        self.asked, self.ready = asked, ready
        self.path, self.began = asked["path"], False
        self.tokens, self.late_ns, self.hash = 0, [], hashlib.sha256()
        self.next = list(range(asked["lanes"]))
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(tuple(self.asked["address"]), TIMEOUT_S)
        who = f"Authorization: Bearer {self.asked['token']}"
        self.socket.sendall(f"GET {self.path} HTTP/1.1\r\nHost: bus\r\n{who}\r\n\r\n".encode())
        self.socket.setblocking(False)
        self.got, self.text, self.head = b"", b"", False
        self.ready.register(self.socket, selectors.EVENT_READ, self)

    def look(self, now_ns: int) -> None:
        """Take what has come: the head, then chunks, and in them events."""
        more = self.socket.recv(1 << 20)
        assert more, "the bus hung up without a word"
        self.got += more
        if not self.head:
            head, end, rest = self.got.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 200"), head
            self.head, self.got = True, rest
        while (cut := self.got.find(b"\r\n")) >= 0:
            size = int(self.got[:cut], 16)
            if len(self.got) < cut + 2 + size + 2:
                break
            self.text += self.got[cut + 2 : cut + 2 + size]
            self.got = self.got[cut + 2 + size + 2 :]
            if not size:
                self.come_back()
                return
        *events, self.text = self.text.split(b"\n\n")
        for event in events:
            self.take(event, now_ns)

    def come_back(self) -> None:
        self.ready.unregister(self.socket)
        self.socket.close()
        self.open()

    def take(self, event: bytes, now_ns: int) -> None:
        lines = event.removeprefix(b":\n").split(b"\n")
        data = [line[5:] for line in lines if line.startswith(b"data:")]
        if lines[0] == b"event: control":
            offset = OFFSET.search(data[0])[1].decode()
            self.path = re.sub(r"offset=[^&]*", f"offset={offset}", self.path)
            self.began = True
            return
        assert lines[0] == b"event: data", event
        text = b"\n".join(data)
        self.hash.update(text)
        for token in text.splitlines():
            number, sent_ns = map(int, token.split()[:2])
            lane = number % len(self.next)
            assert number == self.next[lane], (number, self.next)
            self.next[lane] += len(self.next)
            self.tokens += 1
            self.late_ns.append(now_ns - sent_ns)


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    ready = selectors.DefaultSelector()
    readers = [Reader(asked, ready) for _ in range(asked["readers"])]
    while not all(reader.began for reader in readers):
        look(ready)
    print(json.dumps({"open": len(readers)}), flush=True)
    wanted = asked["tokens"]
    while any(reader.tokens < wanted for reader in readers):
        look(ready)
    late_ns = sorted(ns for reader in readers for ns in reader.late_ns)
    step = max(1, len(late_ns) // POINTS)
    hashes = {reader.hash.hexdigest() for reader in readers}
    said = {"late_ns": [*late_ns[::step], late_ns[-1]], "hashes": sorted(hashes)}
    print(json.dumps(said), flush=True)


def look(ready: selectors.DefaultSelector) -> None:
    found = ready.select(TIMEOUT_S)
    assert found, f"nothing came in {TIMEOUT_S} s"
    for key, _ in found:
        # Stamped as each is read: the time before it was this program's, not the bus's.
        key.data.look(time.monotonic_ns())


if __name__ == "__main__":
    main()
