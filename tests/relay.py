"""A loopback relay between a bus and its database: an address that can be moved, cut or held.

It stands for what a network and a failover do; what goes through it, it does not know.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

BLOCK = 65_536


class Relay:
    """Listens on a port of its own, and passes on to `target`, a port of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._server = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = int(self._server.getsockname()[1])
        self._links: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def move(self, target: int) -> None:
        """Have what connects from now on reach another port; what is connected is cut."""
        self.target = target
        self.cut()

    def cut(self) -> None:
        """End all connections, as a reset."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Let nothing pass and say nothing of it, as a network does that swallows."""
        self._flowing.clear()

    def let_go(self) -> None:
        """Let all pass that was held."""
        self._flowing.set()

    def close(self) -> None:
        """End it and every connection through it."""
        self.let_go()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near = self._server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._flowing.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=60)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._links += [near, far]
        threading.Thread(target=self._pass, args=(near, far), daemon=True).start()
        self._pass(far, near)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(BLOCK):
                self._flowing.wait()
                target.sendall(data)
        for link in (source, target):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        source.close()
