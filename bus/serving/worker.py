"""gunicorn's gevent worker, made to stop as a bus must: streams say bye, idle connections go.

Gunicorn waits for every open connection, and a kept one that carries no request is open too: each
stop would take the whole grace time and end in a kill. It also looks only once a second whether it
may end, twice. It has no hook for either.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

PATIENCE_S = 30.0
"""How long a handshake and an answer may take, and each part of a request's body."""
NOTIFY_S = 1.0
"""How often the arbiter is told that this worker lives."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Knows which of its connections carry no request now."""

    def init_process(self) -> None:
        self._idle: set[socket.socket] = set()
        self._told_to_stop = Event()
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop, and then until what was begun is answered."""
        servers = [self._serve_on(listener) for listener in self.sockets]
        self._start_watchdog()
        while self.alive:
            self.notify()
            self._told_to_stop.wait(NOTIFY_S)
        for server in servers:
            server.close()
        for server in servers:
            if not server.pool.join(self.cfg.graceful_timeout):
                self.log.warning("%d connections did not end in time", len(server.pool))
                server.stop(timeout=1)

    def _start_watchdog(self) -> None:
        """Have systemd told, now that connections are taken."""
        from bus.serving.watchdog import Watchdog  # noqa: PLC0415 - not before all was patched

        Watchdog(self.app.notify, self.wsgi.extensions["wakebus"]).start()

    def _serve_on(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        tls: dict[str, Any] = {}
        if self.cfg.is_ssl:
            # The handshake waits for the other end, so it belongs where patience has an end.
            tls = {"ssl_context": ssl_context(self.cfg), "do_handshake_on_connect": False}
        pool, handle = Pool(self.worker_connections), partial(self.handle, listener)
        server = StreamServer(listener, handle=handle, spawn=pool, **tls)
        server.start()
        return server

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve a connection from its first request to its last."""
        self._idle.add(client)
        try:
            if shake_hands(client):
                super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        """Serve one request of a connection."""
        self._idle.discard(sock)
        # One that sends half a body, or never reads its answer, must not keep the connection.
        sock.settimeout(PATIENCE_S)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            with suppress(OSError):
                sock.settimeout(None)
            self._idle.add(sock)
            if not self.alive:
                hang_up(sock)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop; a signal's handler must not block."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._drain)

    def _drain(self) -> None:
        self._told_to_stop.set()
        app = getattr(self, "wsgi", None)
        if app is not None:
            app.extensions["wakebus"].drain.begin()
        for connection in tuple(self._idle):
            hang_up(connection)


def shake_hands(client: socket.socket) -> bool:
    """Begin TLS where it is spoken; says whether that came to something."""
    if not isinstance(client, ssl.SSLSocket):
        return True
    try:
        with gevent.Timeout(PATIENCE_S):
            client.do_handshake()
    except (gevent.Timeout, OSError):
        return False
    return True


def hang_up(connection: socket.socket) -> None:
    """Have the reading of a connection end; what is being written to it goes out."""
    # By the bare socket: gevent's own shutdown would raise in whoever reads now.
    with suppress(OSError):
        connection._sock.shutdown(socket.SHUT_RD)  # type: ignore[attr-defined]  # noqa: SLF001
