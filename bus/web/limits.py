"""How much a principal may ask for: requests in time, and connections that it keeps open."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from gevent.event import Event

from bus.errors import RateLimitedError, StorageFailedError, TooManyStreamsError
from bus.live.others import Others

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.access.model import Principal
    from bus.clock import Clock
    from bus.config import Config

MOST_BUCKETS = 10_000
USE_NOTED_S = 60.0


BLOCKS = 8
"""What a process draws from a bucket at a time: so small a part of what it holds."""


class Shared(Protocol):
    """The buckets of all processes together."""

    live: int
    """How many processes there are."""

    def draw(self, name: str, rate_per_s: float, burst: int, block: int) -> tuple[int, float]:
        """Give up to a block of a bucket; and what is left in it.

        Raises:
            StorageFailedError: nobody can say.
        """


class Limits:
    """The buckets, one a principal.

    Where several processes take from them, each draws a block at a time, so that a request seldom
    asks the database; what all of them let through is the limit, and a block a process at most.
    """

    def __init__(
        self,
        clock: Clock,
        rate_per_s: float,
        burst: int,
        shared: Shared | None = None,
        name: str = "",
    ) -> None:
        self._clock, self._rate_per_s, self._burst = clock, rate_per_s, burst
        self._buckets: dict[str, tuple[float, float]] = {}
        self._shared, self._name = shared, name
        self._drawn: dict[str, float] = {}
        self._drawing: dict[str, Event] = {}

    def take(self, who: str) -> None:
        """Take one request from a principal's bucket, or refuse with the time until the next."""
        shared = self._shared
        if shared is not None and shared.live > 1 and self._take_drawn(shared, who):
            return
        rate, burst = self._rate_per_s, self._burst
        now_s = self._clock.monotonic_s()
        left, at_s = self._buckets.get(who, (float(burst), now_s))
        left = min(float(burst), left + (now_s - at_s) * rate)
        if left < 1:
            raise self._refusal(left)
        if len(self._buckets) >= MOST_BUCKETS:
            self._buckets.clear()
        self._buckets[who] = (left - 1, now_s)

    def give_back(self, who: str) -> None:
        """Give one back that turned out not to count."""
        if who in self._drawn:
            self._drawn[who] += 1
            return
        left, at_s = self._buckets.get(who, (float(self._burst), 0.0))
        self._buckets[who] = (min(float(self._burst), left + 1), at_s)

    def has_room(self, who: str) -> bool:
        """Take one where there is one."""
        try:
            self.take(who)
        except RateLimitedError:
            return False
        return True

    def _take_drawn(self, shared: Shared, who: str) -> bool:
        """Take one of what was drawn for all processes; False where nobody can say."""
        while self._drawn.get(who, 0) < 1:
            drawing = self._drawing.get(who)
            if drawing is not None:
                drawing.wait()
            elif not self._draw(shared, who):
                return False
        self._drawn[who] -= 1
        return True

    def _draw(self, shared: Shared, who: str) -> bool:
        """Draw a block, while the others that want of it wait."""
        done = self._drawing[who] = Event()
        try:
            block = max(1, self._burst // BLOCKS)
            name = f"{self._name} {who}"
            given, left = shared.draw(name, self._rate_per_s, self._burst, block)
        except StorageFailedError:
            return False
        finally:
            del self._drawing[who]
            done.set()
        if not given:
            raise self._refusal(left)
        if len(self._drawn) >= MOST_BUCKETS:
            self._drawn.clear()
        self._drawn[who] = self._drawn.get(who, 0) + given
        return True

    def _refusal(self, left: float) -> RateLimitedError:
        rate = self._rate_per_s
        return RateLimitedError(
            f"more than {rate} requests a second", retry_after_s=(1 - left) / rate
        )


class Uses:
    """When each token was last noted as used, so that a busy one costs a write a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted_s: dict[str, float] = {}

    def is_new(self, token_id: str) -> bool:
        """Say whether a use is worth noting, and take it as noted."""
        now_s = self._clock.monotonic_s()
        if now_s - self._noted_s.get(token_id, -USE_NOTED_S) < USE_NOTED_S:
            return False
        if len(self._noted_s) >= MOST_BUCKETS:
            self._noted_s.clear()
        self._noted_s[token_id] = now_s
        return True


class Places:
    """Connections that stay open, streams and waiting reads alike: so many each, so many in all.

    The rest of the server's connections is for requests that end, so that sending has room. So many
    in all is of each process, which has so many connections; so many each is over all processes.
    """

    def __init__(self, config: Config, others: Others | None = None) -> None:
        self._config, self._others = config, others or Others()
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """Count those that are open now."""
        return self._taken.total()

    @contextmanager
    def take(self, principal: Principal) -> Iterator[None]:
        """Hold a place for a while, or refuse."""
        self.occupy(principal)
        try:
            yield
        finally:
            self.leave(principal)

    def occupy(self, principal: Principal) -> None:
        """Take a place until it is left, or refuse."""
        each = self._config.max_streams_each
        if self._taken[principal.id] + self._others.taken_by(principal.id) >= each:
            raise TooManyStreamsError(
                f"{principal.name} has {each} streams and waiting reads open", retry_after_s=30
            )
        if self.taken >= self._config.max_streams:
            raise TooManyStreamsError(retry_after_s=30)
        self._taken[principal.id] += 1

    def say(self) -> dict[str, int]:
        """Give what the others should know of this process."""
        return dict(self._taken)

    @property
    def taken_anywhere(self) -> int:
        """Count those that are open now at any process."""
        return self.taken + self._others.taken

    def leave(self, principal: Principal) -> None:
        """Give a place back."""
        self._taken[principal.id] -= 1
        if not self._taken[principal.id]:
            del self._taken[principal.id]


class Coming:
    """Requests whose bodies are still coming: so many each, as each keeps a connection."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._open: Counter[str] = Counter()

    @contextmanager
    def take(self, principal: Principal) -> Iterator[None]:
        """Hold a place while a body is read, or refuse."""
        if self._open[principal.id] >= self._each:
            raise RateLimitedError(
                f"{principal.name} has {self._each} requests whose bodies have not come yet",
                retry_after_s=5,
            )
        self._open[principal.id] += 1
        try:
            yield
        finally:
            self._open[principal.id] -= 1
            if not self._open[principal.id]:
                del self._open[principal.id]
