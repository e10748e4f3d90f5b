"""gunicorn's gevent worker, made to stop as a bus must: streams say bye, idle connections go.

Gunicorn waits for every open connection, and a kept one that carries no request is open too: each
stop would take the whole grace time and end in a kill. It has no hook for that.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker


class Worker(GeventWorker):  # type: ignore[misc]
    """Knows which of its connections carry no request now."""

    def init_process(self) -> None:
        self._idle: set[socket.socket] = set()
        super().init_process()

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve a connection from its first request to its last."""
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        """Serve one request of a connection."""
        self._idle.discard(sock)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle.add(sock)
            if not self.alive:
                hang_up(sock)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop; a signal's handler must not block."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._drain)

    def _drain(self) -> None:
        app = getattr(self, "wsgi", None)
        if app is not None:
            app.extensions["wakebus"].drain.begin()
        for connection in tuple(self._idle):
            hang_up(connection)


def hang_up(connection: socket.socket) -> None:
    """Have the reading of a connection end; what is being written to it goes out."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
