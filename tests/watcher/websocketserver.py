"""A WebSocket server for tests: the handshake done right or wrong, and frames byte by byte."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading

SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def server_frame(opcode, payload=b"", *, is_final=True, bits=0, is_masked=False):
    """Write a frame as a server does, or as a server must not."""
    size = len(payload)
    mask_bit = 0x80 if is_masked else 0
    head = bytes([(0x80 if is_final else 0) | bits | opcode])
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 1 << 16:
        head += bytes([mask_bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if is_masked else b"") + payload


def accept_key(head):
    key = next(
        line.split(":", 1)[1].strip()
        for line in head.split("\r\n")
        if line.lower().startswith("sec-websocket-key:")
    )
    return base64.b64encode(hashlib.sha1(key.encode() + SALT).digest()).decode()


def good_answer(head):
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(head)}\r\n\r\n"
    )


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""
        self.head = ""
        self._sending = threading.Lock()

    def shake_hands(self, answer=good_answer):
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.head = head.decode()
        self.send(answer(self.head).encode())

    def send(self, data):
        with self._sending:
            self.connection.sendall(data)

    def send_text(self, text):
        self.send(server_frame(1, text.encode()))

    def read_frame(self):
        """Give opcode and payload of the client's next frame; every one must be masked."""
        first, second = self._take(2)
        assert second & 0x80, "the client did not mask"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._take(8))[0]
        mask = self._take(4)
        masked = self._take(size)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))

    def read_text(self):
        """Give the client's next message; pongs before it are passed over."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == 8:
                raise ConnectionError("closed by the client")
            if opcode == 1:
                return payload.decode()

    def cut(self):
        self.connection.shutdown(socket.SHUT_RDWR)

    def _take(self, size):
        while len(self.buffer) < size:
            self._fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _fill(self):
        chunk = self.connection.recv(65536)
        if not chunk:
            raise ConnectionError("ended by the client")
        self.buffer += chunk


class WebSocketServer:
    """Hands each connection to `serve(peer)` on a thread of its own."""

    def __init__(self, serve):
        self.serve = serve
        self.wrap = lambda connection: connection  # or into TLS
        self.peers = []
        self.faults = []
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        self.cut_all()

    def cut_all(self):
        for peer in list(self.peers):
            try:
                peer.cut()
            except OSError:
                continue

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, plain):
        try:
            connection = self.wrap(plain)
        except OSError:
            plain.close()
            return
        with connection:
            peer = Peer(connection)
            with self.changed:
                self.peers.append(peer)
                self.changed.notify_all()
            try:
                self.serve(peer)
            except OSError:
                pass
            except Exception as error:
                self.faults.append(error)
                raise
