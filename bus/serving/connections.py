"""Who is connected, and who must go when there is no room: strangers that stand silent.

A connection that has shown no good token yet is a stranger's. An address may have so many of them;
then those that have stood there for a while are hung up, the oldest first, so that who speaks at
once gets in however many stand silent, also behind a proxy, where all have one address. Where all
places are taken, the address with the most strangers gives one up, and then whoever carries no
request for the longest. It must not know HTTP.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

HANDED_OVER = "wakebus.stream"
"""Where a request's environ has the stream that goes on without the server."""
GRACE_S = 1.0
"""A stranger that came just now is about to speak: many clients may come back at once."""


class Connections:
    """The open connections; `hang_up` ends one."""

    def __init__(
        self,
        most: int,
        strangers: int,
        now_s: Callable[[], float],
        hang_up: Callable[[socket.socket], None],
    ) -> None:
        self._most, self._most_strangers = most, strangers
        self._now_s, self._hang_up = now_s, hang_up
        # Dicts for their order: the first has been there, or idle, for the longest.
        self._idle: dict[socket.socket, None] = {}
        self._strangers: defaultdict[str, dict[socket.socket, float]] = defaultdict(dict)
        self._address_of: dict[socket.socket, str] = {}

    @property
    def idle(self) -> tuple[socket.socket, ...]:
        """Those that carry no request now."""
        return tuple(self._idle)

    def add(self, one: socket.socket, address: str) -> bool:
        """Take a new connection; says whether there is room for it."""
        now_s, of_address = self._now_s(), self._strangers[address]
        of_address[one] = now_s
        self._idle[one] = None
        self._address_of[one] = address
        while len(of_address) > self._most_strangers:
            oldest, came_s = next(iter(of_address.items()))
            if now_s - came_s < GRACE_S:
                break
            self._drop(oldest)
        return len(self._address_of) <= self._most or self._make_room(one)

    def remove(self, one: socket.socket) -> None:
        """Forget a connection that has ended."""
        self.trust(one)
        self._idle.pop(one, None)
        self._address_of.pop(one, None)

    def trust(self, one: socket.socket) -> None:
        """Hear that a connection has shown a good token."""
        address = self._address_of.get(one, "")
        if address in self._strangers:
            self._strangers[address].pop(one, None)
            if not self._strangers[address]:
                del self._strangers[address]

    def begin(self, one: socket.socket) -> None:
        """Hear that a connection carries a request now."""
        self._idle.pop(one, None)

    def end(self, one: socket.socket) -> None:
        """Hear that its request is answered."""
        if one in self._address_of:
            self._idle[one] = None

    def _make_room(self, new: socket.socket) -> bool:
        most = max(self._strangers.values(), key=len)
        oldest = next(iter(most))
        if oldest is new:
            oldest = next(iter(self._idle))
        if oldest is new:
            return False
        self._drop(oldest)
        return True

    def _drop(self, one: socket.socket) -> None:
        self.remove(one)
        self._hang_up(one)
