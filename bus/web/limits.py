"""How many requests a principal may make: a bucket each that refills with time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.errors import RateLimitedError

if TYPE_CHECKING:
    from bus.clock import Clock
    from bus.config import Config

MOST_BUCKETS = 10_000


class Limits:
    """The buckets, one a principal."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> None:
        """Take one request from a principal's bucket, or refuse with the time until the next."""
        rate, burst = self._config.rate_per_s, self._config.rate_burst
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
