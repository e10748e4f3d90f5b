"""An answer's head and its body, sent by one call of the system, and read by one.

Gunicorn writes the one and then the other, each by itself. It must not know HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import socket

MOST_BYTES = 65_536
"""What is longer goes out as it comes: to put it together would be to copy it."""


class Gathering:
    """A connection, as whoever writes one answer to it sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._parts: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failed: object) -> None:
        self._send_on()

    def __getattr__(self, name: str) -> Any:
        """Be the connection in everything else."""
        return getattr(self._connection, name)

    def sendall(self, part: bytes) -> None:
        """Keep a part for the others, where it is not long itself."""
        self._parts.append(part)
        if len(part) > MOST_BYTES:
            self._send_on()

    def _send_on(self) -> None:
        if self._parts:
            whole, self._parts = b"".join(self._parts), []
            # Most go at once; `sendall` asks the system first how much it would take.
            sent = self._connection.send(whole)
            if sent < len(whole):
                self._connection.sendall(whole[sent:])

    def shutdown(self, how: int) -> None:
        """End the connection: what was kept is half an answer."""
        self._parts = []
        self._connection.shutdown(how)
