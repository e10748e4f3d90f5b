"""A server that does nothing but take and give: what the clients themselves cost, and no more.

`nothing.py PORT`. `S MAILBOX LENGTH\\n` and so many bytes: answered with `A\\n` at once, and passed
on to whoever reads that mailbox; kept nowhere but in a list. `R MAILBOX\\n`: answered with `A\\n`,
then what comes; `E MAILBOX\\n`: what came before, too. One thread, one epoll, no checks.
"""

from __future__ import annotations

import select
import socket
import sys


class Nothing:
    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.poll = select.epoll()
        self.poll.register(self.listener.fileno(), select.EPOLLIN)
        self.socks: dict[int, socket.socket] = {}
        self.got: dict[int, bytes] = {}
        self.readers: dict[bytes, list[socket.socket]] = {}
        self.kept: dict[bytes, list[bytes]] = {}

    def serve(self) -> None:
        while True:
            for number, _ in self.poll.poll():
                if number == self.listener.fileno():
                    sock, _ = self.listener.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.socks[sock.fileno()], self.got[sock.fileno()] = sock, b""
                    self.poll.register(sock.fileno(), select.EPOLLIN)
                else:
                    self.take(number)

    def take(self, number: int) -> None:
        sock = self.socks[number]
        try:
            more = sock.recv(1 << 18)
        except ConnectionError:
            more = b""
        if not more:
            self.poll.unregister(number)
            for crowd in self.readers.values():
                if sock in crowd:
                    crowd.remove(sock)
            self.socks.pop(number).close()
            return
        got, at, answers = self.got[number] + more, 0, 0
        while (end := got.find(b"\n", at)) >= 0:
            kind, mailbox, *length = got[at:end].split(b" ")
            if kind == b"S":
                after = end + 1 + int(length[0])
                if len(got) < after:
                    break
                self.give(mailbox, got[end + 1 : after])
                answers += 1
                at = after
            else:
                earlier = self.kept.get(mailbox, []) if kind == b"E" else []
                sock.sendall(b"A\n" + b"".join(earlier))
                self.readers.setdefault(mailbox, []).append(sock)
                at = end + 1
        self.got[number] = got[at:]
        if answers:
            sock.sendall(b"A\n" * answers)

    def give(self, mailbox: bytes, body: bytes) -> None:
        self.kept.setdefault(mailbox, []).append(body)
        for sock in self.readers.get(mailbox, []):
            sock.sendall(body)


if __name__ == "__main__":
    Nothing(int(sys.argv[1])).serve()
