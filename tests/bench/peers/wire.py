"""A connection of the clients: bytes to send, and when an answer is whole. It knows no protocol.

Shared by `load.py` and `readers.py`, which run alone (`python -I -S`) and beside it. Bytes come in
JSON as text of the same numbers (latin-1).
"""

from __future__ import annotations

import re
import socket
from typing import Any

TIMEOUT_S = 60
MOST = 4_000_000
"""Bytes that may come without being an answer, before they count as an error."""


def to_bytes(text: str) -> bytes:
    return text.encode("latin-1")


def compiled(text: str) -> re.Pattern[bytes]:
    return re.compile(to_bytes(text), re.DOTALL)


def connect(address: list[Any], steps: list[list[str]]) -> tuple[socket.socket, bytes]:
    """Open a connection and say what is said once; gives what came after the last answer."""
    sock = socket.create_connection(tuple(address), TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    got = b""
    for send, answer in steps:
        sock.sendall(to_bytes(send))
        pattern = compiled(answer)
        while (end := whole(pattern, got, 0)) is None:
            try:
                more = sock.recv(1 << 16)
            except TimeoutError:
                more = b""
            assert more, f"no whole answer to {send[:300]!r}: {got[-1000:]!r}"
            got += more
        got = got[end[0] :]
    sock.settimeout(None)  # from here on epoll says when: a limit costs a call of the system each
    return sock, got


def whole(pattern: re.Pattern[bytes], got: bytes, at: int) -> tuple[int, re.Match[bytes]] | None:
    """Find where an answer that begins here ends, if it has come whole."""
    match = pattern.match(got, at)
    if match is None:
        return None
    end = match.end()
    if "length" in pattern.groupindex:
        end += int(match["length"])
        if end > len(got):
            return None
    return end, match
