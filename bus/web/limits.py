"""How much a principal may ask for: requests in time, and connections that it keeps open."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bus.errors import RateLimitedError, TooManyStreamsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.access.model import Principal
    from bus.clock import Clock
    from bus.config import Config

MOST_BUCKETS = 10_000
USE_NOTED_S = 60.0


class Limits:
    """The buckets, one a principal."""

    def __init__(self, clock: Clock, rate_per_s: float, burst: int) -> None:
        self._clock, self._rate_per_s, self._burst = clock, rate_per_s, burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> None:
        """Take one request from a principal's bucket, or refuse with the time until the next."""
        rate, burst = self._rate_per_s, self._burst
        now_s = self._clock.monotonic_s()
        left, at_s = self._buckets.get(who, (float(burst), now_s))
        left = min(float(burst), left + (now_s - at_s) * rate)
        if left < 1:
            raise RateLimitedError(
                f"more than {rate} requests a second", retry_after_s=(1 - left) / rate
            )
        if len(self._buckets) >= MOST_BUCKETS:
            self._buckets.clear()
        self._buckets[who] = (left - 1, now_s)

    def has_room(self, who: str) -> bool:
        """Take one where there is one."""
        try:
            self.take(who)
        except RateLimitedError:
            return False
        return True


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

    The rest of the server's connections is for requests that end, so that sending has room.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
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
        if self._taken[principal.id] >= each:
            raise TooManyStreamsError(
                f"{principal.name} has {each} streams and waiting reads open", retry_after_s=30
            )
        if self.taken >= self._config.max_streams:
            raise TooManyStreamsError(retry_after_s=30)
        self._taken[principal.id] += 1

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
