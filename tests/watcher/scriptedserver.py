"""A socket server that plays a script to each connection: pieces of bytes, stalls, resets."""

from __future__ import annotations

import socket
import struct
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
STALL = object()  # keep the connection open and silent until the server is closed
RESET = object()  # end it with a RST


class ScriptedServer:
    """Plays `scripts[n]` to the n-th connection; the last one is played again and again."""

    def __init__(self, scripts):
        self.scripts = scripts
        self.heads = []  # the request head of each connection
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(30)

    def wait_for_connections(self, count, timeout_s=30):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heads) >= count, timeout_s)

    def _serve(self):
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, connection):
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(4096)
                if not part:
                    return
                head += part
            with self.changed:
                number = len(self.heads)
                self.heads.append(head.decode())
                self.changed.notify_all()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in self.scripts[min(number, len(self.scripts) - 1)]:
                if piece is STALL:
                    self.closing.wait()
                elif piece is RESET:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                else:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return


def cut(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(status, body, **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{lines}\r\n"
    return head.encode() + body
