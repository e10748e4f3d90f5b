"""Notices at once that a stream's reader has gone, so that a node is not online for a dead watcher.

Otherwise only the second write after it tells: up to two heartbeats later. The poll's answer means
the same with TLS, where reading would disturb the session. It must not know what a stream is.
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
GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


@contextmanager
def watch(connection: Any, leave: Callable[[], None]) -> Iterator[None]:
    """Call `leave` once when the other end closes; from the hub, so it must not block."""
    if not isinstance(connection, socket.socket):
        yield
        return
    number = connection.fileno()
    signals = gevent.get_hub().loop.io(number, READABLE)

    def look() -> None:
        signals.stop()  # one look is enough: what else may come on a stream is nobody's business
        if is_gone(number):
            leave()

    signals.start(look)
    try:
        yield
    finally:
        signals.stop()
        signals.close()


def is_gone(number: int) -> bool:
    """Say whether the other end of a connection has closed it."""
    poll = get_original("select", "poll")()
    poll.register(number, GONE)
    return bool(poll.poll(0))
