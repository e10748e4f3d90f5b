"""Notices at once that who waits for an answer has gone.

No node is online for a dead watcher then, and no mail is leased to nobody. Otherwise only the
second write after it tells: up to two heartbeats later. It reads nothing, which would disturb TLS;
there the end of the session comes as bytes, a moment before the end of the connection. It must not
know what is waited for.
"""

from __future__ import annotations

import select
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gevent
from gevent.monkey import get_original

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READABLE = 1
"""libev's word for it."""
LOOK_AGAIN_S = 1.0
GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Watch:
    """Calls `leave` once when the other end closes; from the hub, so it must not block."""

    __slots__ = ("_again", "_leave", "_number", "_signals")

    def __init__(self, connection: socket.socket, leave: Callable[[], None]) -> None:
        self._number, self._leave = connection.fileno(), leave
        loop = gevent.get_hub().loop
        self._signals = loop.io(self._number, READABLE)
        self._again = loop.timer(LOOK_AGAIN_S, LOOK_AGAIN_S)
        self._signals.start(self._look)

    def _look(self) -> None:
        self._signals.stop()  # what has come makes it readable for good, and tells nothing more
        if is_gone(self._number):
            self._again.stop()
            self._leave()
        elif not self._again.active:
            self._again.start(self._look)

    def stop(self) -> None:
        """Watch no longer."""
        for each in (self._signals, self._again):
            each.stop()
            each.close()


@contextmanager
def watch(connection: Any, leave: Callable[[], None]) -> Iterator[None]:
    """Watch a connection for a while, where it is one."""
    if not isinstance(connection, socket.socket):
        yield
        return
    one = Watch(connection, leave)
    try:
        yield
    finally:
        one.stop()


def is_gone(number: int) -> bool:
    """Say whether the other end of a connection has closed it."""
    poll = get_original("select", "poll")()
    poll.register(number, GONE)
    return bool(poll.poll(0))
