"""The connection of an open stream, written without waiting; no greenlet stands behind it.

A stream is idle for minutes, and a greenlet that waits as long keeps its stack and all of the
request that opened it. So a stream keeps only this: the reader, the socket, and whose turn it is.
It must not know the log.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from bus.live import leaving

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.live.reader import Reads

WRITE_TIMEOUT_S = 10
UNACKED_MS = 30_000
LAST_CHUNK = b"0\r\n\r\n"


class Outlet:
    """One open stream: a listener that is written by the pump when it is its turn."""

    __slots__ = (
        "_file",
        "_forget",
        "_framed",
        "_leaving",
        "connection",
        "due_s",
        "instance",
        "is_busy",
        "is_due",
        "is_gone",
        "reader",
        "topics",
    )

    def __init__(
        self,
        reader: Reads,
        topics: tuple[str, ...],
        connection: socket.socket,
        *,
        framed: bool,
        instance: str,
    ) -> None:
        """Keep the connection of a stream whose first bytes the server writes yet.

        `framed` says whether HTTP has it in chunks.
        """
        self.reader, self.topics, self.connection = reader, topics, connection
        self._framed, self.instance = framed, instance
        self.is_due, self.is_gone, self.is_busy = False, False, True
        self.due_s = 0.0
        self._forget: Callable[[socket.socket], None] | None = None
        # The socket outlives the server's handling of the request by this.
        self._file = connection.makefile("rb", 0)
        self._leaving = leaving.Watch(connection, self._leave)

    def wake(self) -> None:
        """Have it looked at."""
        self.reader.run.pump.wake(self)

    def go_on(self, forget: Callable[[socket.socket], None]) -> None:
        """Go on without the server, which is told when the connection has ended."""
        self._forget = forget
        self.connection.settimeout(0.0)
        self.reader.run.pump.add(self)

    def send(self, data: bytes) -> bytes:
        """Send what goes at once; gives the rest.

        Raises:
            OSError: the connection has ended.
        """
        whole = self._frame(data)
        try:
            sent = self.connection.send(whole)
        except BlockingIOError:
            sent = 0
        return whole[sent:]

    def finish(self, rest: bytes) -> None:
        """Send the rest, and wait for as long as a reader may take.

        Raises:
            OSError: the connection has ended, or its reader does not read.
        """
        self.connection.settimeout(WRITE_TIMEOUT_S)
        self.connection.sendall(rest)
        self.connection.settimeout(0.0)

    def close(self, last: bytes) -> None:
        """Say the last word, where there is one, and close the connection."""
        self._leaving.stop()
        with suppress(OSError):
            if last:
                self.finish(self._frame(last) + (LAST_CHUNK if self._framed else b""))
        self._file.close()
        if self._forget is not None:
            self._forget(self.connection)

    def _frame(self, data: bytes) -> bytes:
        return b"%X\r\n%b\r\n" % (len(data), data) if self._framed else data

    def _leave(self) -> None:
        """Hear that nobody reads any more."""
        self.is_gone = True
        self.wake()


def bound_writes(connection: socket.socket) -> None:
    """Cut a reader off that does not read, and notice one that has silently gone."""
    connection.settimeout(WRITE_TIMEOUT_S)
    with suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKED_MS)
