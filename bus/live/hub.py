"""Who listens to what. Memory only says "look again"; the truth is read from the database."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from gevent.event import Event

from bus.store.transaction import RIGHTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


class Hears(Protocol):
    """Whoever is told to look again."""

    topics: tuple[str, ...]

    def wake(self) -> None:
        """Have it look again; this may not block."""


class Listener:
    """One waiting reader: clear, look, wait."""

    __slots__ = ("_flag", "topics")

    def __init__(self, topics: Iterable[str]) -> None:
        self._flag = Event()
        self.topics = tuple(topics)

    def clear(self) -> None:
        """Forget earlier calls; do this before looking, so that none is missed."""
        self._flag.clear()

    def wait(self, timeout_s: float) -> bool:
        """Wait to be told to look again; says whether one was, before the time was up."""
        return bool(self._flag.wait(timeout_s))

    def wake(self) -> None:
        """Have the reader look again."""
        self._flag.set()


class Hub:
    """The listeners by topic. Only greenlets of the hub's own thread may touch it."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[Hears]] = defaultdict(set)
        self.changes = self.rights = 0
        """How often something changed, and how often somebody's rights may have."""
        self.is_deaf = False
        """Whether another process may change something of which nothing is heard here."""

    @contextmanager
    def listen(self, topics: Iterable[str]) -> Iterator[Listener]:
        """Listen to some topics for a while."""
        listener = Listener(topics)
        self.join(listener)
        try:
            yield listener
        finally:
            self.leave(listener)

    def join(self, listener: Hears) -> None:
        """Have somebody hear of its topics until it leaves."""
        for topic in listener.topics:
            self._listeners[topic].add(listener)

    def leave(self, listener: Hears) -> None:
        """Have it hear no more."""
        for topic in listener.topics:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]

    def look_everywhere(self) -> None:
        """Wake every listener: anything may have changed."""
        self.changes += 1
        self.rights += 1
        for listener in {one for heard in self._listeners.values() for one in heard}:
            listener.wake()

    def look_again(self, topics: Collection[str]) -> None:
        """Wake every listener of these topics."""
        self.changes += 1
        self.rights += RIGHTS in topics
        for topic in topics:
            for listener in tuple(self._listeners.get(topic, ())):
                listener.wake()
