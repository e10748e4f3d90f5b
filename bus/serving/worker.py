"""gunicorn's gevent worker, made to stop as a bus must, and to keep room for those who speak.

Gunicorn waits for every open connection, and a kept one that carries no request is open too: each
stop would take the whole grace time and end in a kill. It also looks only once a second whether it
may end, twice. And it lets whoever says nothing keep a place. It has no hook for any of these.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from gevent.local import local
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context
from gunicorn.workers.base_async import ALREADY_HANDLED
from gunicorn.workers.ggevent import GeventWorker

from bus.errors import RequestTimeoutError, TooManyConnectionsError
from bus.serving.connections import HANDED_OVER, Connections
from bus.serving.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bus.errors import BusError

PATIENCE_S = 30.0
"""How long an answer may take to be read, and each part of a request's body to come."""
REFUSALS = 64
"""Connections above the most that there may be: they are told so."""
FAREWELL_S = 1.0
"""How long the telling of a refusal may take."""
STREAM = "/api/stream"
NOTICES_S = 3.0
"""How long a notice on its way has at a stop; what is cut off goes out again at the start."""
DURABLE, FOLLOWED = "/streams/", "live=sse"
READ_OUT_S, READ_OUT_BYTES = 10.0, 65_536
"""How long a request that was answered may go on sending, before its connection is closed."""
NOTIFY_S = 1.0
"""How often the arbiter is told that this worker lives."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Knows which of its connections carry no request now."""

    wsgi: Any

    def init_process(self) -> None:
        self._told_to_stop = Event()
        self._mine = local()
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, which tells who has shown a good token."""
        super().load_wsgi()
        self._app = self.wsgi
        run = self._app.extensions["wakebus"]
        config = run.config
        self._connections = Connections(
            config.max_connections, config.max_strangers, run.clock.monotonic_s, cut_off
        )
        self._first_request_s = config.first_request_s
        self._app.extensions["wakebus_trust"] = self._connections.trust
        self.wsgi = self._call
        # Asked for a dozen times a request, and looked up each time in a table of settings.
        settled = {name: setting.get() for name, setting in self.cfg.settings.items()}
        self.cfg.__dict__.update(settled)

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
        run = self._app.extensions["wakebus"]
        run.pump.join(self.cfg.graceful_timeout)
        run.sender.end(NOTICES_S)
        run.fleet.leave()

    def _start_watchdog(self) -> None:
        """Have systemd told, now that connections are taken."""
        from bus.serving.watchdog import Watchdog  # noqa: PLC0415 - not before all was patched

        Watchdog(self.app.notify, self._app.extensions["wakebus"]).start()

    def _serve_on(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        tls: dict[str, Any] = {}
        if self.cfg.is_ssl:
            # The handshake waits for the other end, so it belongs where patience has an end.
            tls = {"ssl_context": ssl_context(self.cfg), "do_handshake_on_connect": False}
        pool, handle = Pool(self.worker_connections + REFUSALS), partial(self.handle, listener)
        server = StreamServer(listener, handle=handle, spawn=pool, **tls)
        if self.cfg.workers > 1:
            server.max_accept = 1  # the other processes wait at the same port
        server.start()
        return server

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve a connection from its first request to its last."""
        self._mine.client, self._mine.has_asked, self._mine.stream = client, False, None
        try:
            # A Unix socket's clients have no address; who reaches it is one party.
            if not self._connections.add(client, str(addr[0]) if addr else ""):
                self._refuse(client, TooManyConnectionsError(retry_after_s=5))
            elif shake_hands(client, self._first_request_s):
                super().handle(listener, client, addr)
        finally:
            stream = self._mine.stream
            if stream is None:
                self._connections.remove(client)
            else:
                stream.go_on(self._connections.remove)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Wait for the next request so long; for the first one not as long as for the others."""
        is_first = not self._mine.has_asked
        with gevent.Timeout(self._first_request_s if is_first else self.cfg.keepalive, False):
            yield
            return
        if is_first:
            detail = f"no whole request came within {self._first_request_s} s"
            self._refuse(self._mine.client, RequestTimeoutError(detail))

    def _refuse(self, client: socket.socket, error: BusError) -> None:
        """Say why a connection is closed, where that can be said in plain words and at once."""
        from bus.web.problems import problem  # noqa: PLC0415 - not before the worker has patched

        if isinstance(client, ssl.SSLSocket) and not client.session:
            return
        with self._app.app_context():
            answer = problem(error)
        answer.headers["Connection"] = "close"
        head = f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode("latin-1")
        with suppress(OSError), gevent.Timeout(FAREWELL_S, False):
            client.sendall(head + answer.get_data())

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        """Serve one request of a connection."""
        self._mine.has_asked = True
        self._connections.begin(sock)
        # One that sends half a body, or never reads its answer, must not keep the connection.
        sock.settimeout(PATIENCE_S)
        try:
            with Gathering(sock) as answer:
                super().handle_request(listener_name, req, answer, addr)
            if self._mine.stream is not None:
                raise StopIteration
        finally:
            if self._mine.stream is None:
                # First: one that is only read out is idle, and ends for a stop or who needs room.
                self._end_request(sock)
                if req.should_close():
                    read_out(req)
        # What was sent ahead is there at once: without this it would all be answered before others.
        gevent.sleep(0)

    def _end_request(self, sock: socket.socket) -> None:
        with suppress(OSError):
            sock.settimeout(None)
        self._connections.end(sock)
        if not self.alive:
            hang_up(sock)

    def _call(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request; a stream that it opened goes on without gunicorn.

        That is opened by another greenlet: one keeps as much memory as its deepest call touched,
        and a connection may be kept for long.
        """
        environ["gunicorn.socket"] = self._mine.client
        if not is_stream(environ):
            return self._app(environ, start_response)
        begun: list[Callable[[bytes], None]] = []

        def begin(*said: Any) -> Callable[[bytes], None]:
            begun.append(start_response(*said))
            return begun[0]

        body = gevent.spawn(self._app, environ, begin).get()
        try:
            for part in body:
                begun[0](part)
        finally:
            body.close()
        self._mine.stream = environ.get(HANDED_OVER)
        return () if self._mine.stream is None else ALREADY_HANDLED

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop; a signal's handler must not block."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._drain)

    def _drain(self) -> None:
        self._told_to_stop.set()
        app = getattr(self, "_app", None)
        if app is not None:
            app.extensions["wakebus"].drain.begin()
        for connection in self._connections.idle:
            hang_up(connection)


def is_stream(environ: dict[str, Any]) -> bool:
    """Say whether a request's answer may go on without gunicorn."""
    path: str = environ["PATH_INFO"]
    return path == STREAM or (path.startswith(DURABLE) and FOLLOWED in environ["QUERY_STRING"])


def shake_hands(client: socket.socket, within_s: float) -> bool:
    """Begin TLS where it is spoken; says whether that came to something."""
    if not isinstance(client, ssl.SSLSocket):
        return True
    try:
        with gevent.Timeout(within_s):
            client.do_handshake()
    except (gevent.Timeout, OSError):
        return False
    return True


def hang_up(connection: socket.socket, how: int = socket.SHUT_RD) -> None:
    """Have the reading of a connection end; what is being written to it goes out."""
    # By the bare socket: gevent's own shutdown would raise in whoever reads now.
    with suppress(OSError):
        connection._sock.shutdown(how)  # type: ignore[attr-defined]  # noqa: SLF001


def read_out(request: Any) -> None:
    """Read what a refused request still sends: closed under it, its sender would see no answer."""
    with suppress(OSError, ParseException), gevent.Timeout(READ_OUT_S, False):
        while request.body.read(READ_OUT_BYTES):
            pass


def cut_off(connection: socket.socket) -> None:
    """Have a connection end now: one that reads no answer would keep its place while it is sent."""
    hang_up(connection, socket.SHUT_RDWR)
