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


@contextmanager
def watch(connection: Any, leave: Callable[[], None]) -> Iterator[None]:
    """Call `leave` once when the other end closes; from the hub, so it must not block."""
    if not isinstance(connection, socket.socket):
        yield
        return
    number, loop = connection.fileno(), gevent.get_hub().loop
    signals, again = loop.io(number, READABLE), loop.timer(LOOK_AGAIN_S, LOOK_AGAIN_S)

    def look() -> None:
        signals.stop()  # what has come makes it readable for good, and tells nothing more
        if is_gone(number):
            again.stop()
            leave()
        elif not again.active:
            again.start(look)

    signals.start(look)
    try:
        yield
    finally:
        for each in (signals, again):
            each.stop()
            each.close()


def is_gone(number: int) -> bool:
    """Say whether the other end of a connection has closed it."""
    poll = get_original("select", "poll")()
    poll.register(number, GONE)
    return bool(poll.poll(0))
