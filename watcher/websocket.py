"""A small WebSocket client (RFC 6455): handshake, frames, pings, close; limits on all of it.

One thread reads; any thread may send. The socket never blocks inside a lock, so that a slow
reader holds up no sender, over TLS too. It must not know what the messages mean.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import select
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from watcher.frames import (
    BAD_TEXT,
    BINARY,
    CLOSE,
    CONTINUATION,
    GOING_AWAY,
    PING,
    PONG,
    TEXT,
    TOO_BIG,
    BrokenFrameError,
    Frame,
    WebSocketError,
    build_frame,
    cut_frame,
)

if TYPE_CHECKING:
    from pathlib import Path

MAX_MESSAGE_BYTES = 32 << 20
MAX_HEAD_BYTES = 16 << 10
SEND_TIMEOUT_S = 10.0
READ_BYTES = 64 << 10
PORTS = {"ws": 80, "wss": 443}

_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class HandshakeError(WebSocketError):
    """Something answered, but not as a WebSocket server; `status` is HTTP's, 0 for none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ClosedError(WebSocketError):
    """The other side closed; `code` is WebSocket's, 1006 where it gave none."""

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(f"closed by the other side ({code}{': ' if reason else ''}{reason})")
        self.code = code
        self.reason = reason


class WebSocket:
    """An open connection."""

    def __init__(self, sock: socket.socket, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Take a connected socket before the handshake; it is switched to never block."""
        sock.setblocking(False)
        self._socket = sock
        self._max_message_bytes = max_message_bytes
        self._buffer = bytearray()
        self._io = threading.Lock()  # around one call of recv or send: TLS allows one at a time
        self._sending = threading.Lock()  # around one whole frame
        self._is_shut = False

    # ---------------------------------------------------------------- what a caller needs

    def send_text(self, text: str) -> None:
        """Send one message, from any thread.

        Raises:
            OSError: the connection is over, or takes nothing for ten seconds.
        """
        self._send(TEXT, text.encode())

    def receive_text(self, silence_s: float) -> str:
        """Wait for the next message; pings are answered meanwhile. For one thread only.

        Raises:
            TimeoutError: not a byte came for `silence_s`; it can be called again.
            WebSocketError: the connection is over.
        """
        try:
            return self._receive_message(silence_s).decode()
        except UnicodeDecodeError as error:
            self._give_up(BAD_TEXT)
            raise BrokenFrameError("a text message is not UTF-8", BAD_TEXT) from error
        except BrokenFrameError as error:
            self._give_up(error.code)
            raise

    def shut(self) -> None:
        """Say goodbye and end it, from any thread; a waiting reader is woken."""
        self._give_up(GOING_AWAY)

    def close(self) -> None:
        """Give the socket back; for the reading thread, after its last read."""
        self.shut()
        with self._io:
            self._socket.close()

    # ---------------------------------------------------------------- handshake

    def shake_hands(self, host: str, target: str, timeout_s: float) -> None:
        """Become a WebSocket.

        Raises:
            HandshakeError: the answer is not that of a WebSocket server.
            OSError: the connection ended, or `timeout_s` passed.
        """
        until_s = time.monotonic() + timeout_s
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._send_all(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode("ascii")
        )
        _check_answer(self._read_head(until_s), key)

    def _read_head(self, until_s: float) -> str:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise HandshakeError("the answer to the handshake is too long")
            self._fill(until_s - time.monotonic())
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        return head.decode("latin-1")

    # ---------------------------------------------------------------- reading

    def _receive_message(self, silence_s: float) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        while True:
            frame = self._read_frame(silence_s)
            if frame.opcode >= CLOSE:
                self._answer_control(frame)
                continue
            if (frame.opcode == CONTINUATION) is not bool(parts):
                raise BrokenFrameError("a fragment is out of its place")
            if frame.opcode == BINARY:
                raise BrokenFrameError("a binary message where text is spoken")
            size_bytes += len(frame.payload)
            if size_bytes > self._max_message_bytes:
                raise BrokenFrameError("a message is over the limit", TOO_BIG)
            parts.append(frame.payload)
            if frame.is_final:
                return b"".join(parts)

    def _answer_control(self, frame: Frame) -> None:
        if frame.opcode == PING:
            self._send(PONG, frame.payload)
        elif frame.opcode == CLOSE:
            self._give_up(GOING_AWAY)
            code = int.from_bytes(frame.payload[:2], "big") if len(frame.payload) > 1 else 1005
            raise ClosedError(code, frame.payload[2:].decode(errors="replace"))

    def _read_frame(self, silence_s: float) -> Frame:
        """Take one frame. Nothing is consumed before all of it is here: a timeout loses none."""
        while True:
            found = cut_frame(self._buffer, self._max_message_bytes)
            if found is not None:
                return found
            self._fill(silence_s)

    def _fill(self, silence_s: float) -> None:
        """Wait for more bytes and keep them."""
        until_s = time.monotonic() + silence_s
        while True:
            with self._io:
                chunk = self._try_recv()
            if chunk is None:
                self._wait(select.POLLIN, until_s)
            elif chunk:
                self._buffer += chunk
                return
            else:
                raise ClosedError

    def _try_recv(self) -> bytes | None:
        try:
            return self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise ClosedError(reason=str(error)) from error
        except OSError as error:
            raise WebSocketError(f"the connection is over: {error}") from error

    # ---------------------------------------------------------------- sending

    def _send(self, opcode: int, payload: bytes) -> None:
        self._send_all(build_frame(opcode, payload, secrets.token_bytes(4)))

    def _send_all(self, data: bytes) -> None:
        until_s = time.monotonic() + SEND_TIMEOUT_S
        left = memoryview(data)
        with self._sending:
            while left:
                with self._io:
                    sent = self._try_send(left)
                if not sent:
                    self._wait(select.POLLOUT, until_s)
                left = left[sent:]

    def _try_send(self, data: memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise WebSocketError(f"the connection is over: {error}") from error

    def _wait(self, events: int, until_s: float) -> None:
        left_s = until_s - time.monotonic()
        number = self._socket.fileno()
        if number < 0:
            raise WebSocketError("the connection is over")
        poller = select.poll()
        poller.register(number, events)
        if left_s <= 0 or not poller.poll(left_s * 1000):
            raise TimeoutError("the other side is silent")

    def _give_up(self, code: int) -> None:
        if self._is_shut:
            return
        self._is_shut = True
        with contextlib.suppress(OSError):
            frame = build_frame(CLOSE, code.to_bytes(2, "big"), secrets.token_bytes(4))
            with self._io:  # one try: a reader that is gone must not hold up the goodbye
                self._try_send(memoryview(frame))
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def connect(
    url: str,
    *,
    timeout_s: float,
    ca_file: Path | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> WebSocket:
    """Open `ws://` or `wss://`.

    Raises:
        OSError: it cannot be reached, or what is there speaks no WebSocket.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    if not host or not port:
        raise HandshakeError(f"{url!r} is not an address such as ws://127.0.0.1:18789")
    sock = socket.create_connection((host, port), timeout_s)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "wss":
            context = ssl.create_default_context(cafile=ca_file)
            sock = context.wrap_socket(sock, server_hostname=host)
        made = WebSocket(sock, max_message_bytes=max_message_bytes)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        made.shake_hands(parts.netloc.rpartition("@")[2], target, timeout_s)
    except BaseException:
        sock.close()
        raise
    return made


def _check_answer(head: str, key: str) -> None:
    status_line, *lines = head.split("\r\n")
    words = status_line.split(" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if status != 101:
        raise HandshakeError(f"no WebSocket there: {status_line[:100]!r}", status)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    digest = hashlib.sha1(key.encode() + _ACCEPT_SALT, usedforsecurity=False).digest()
    if headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        raise HandshakeError("the answer to the handshake does not fit its key", status)
    if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in [
        word.strip().lower() for word in headers.get("connection", "").split(",")
    ]:
        raise HandshakeError("the answer to the handshake does not upgrade", status)
    if "sec-websocket-extensions" in headers:
        raise HandshakeError("the server insists on an extension", status)
