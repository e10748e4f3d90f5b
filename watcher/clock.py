"""The watcher's source of time, randomness and identity, so that tests can hand in their own.

Only the time limits of single sockets (address, websocket, the gateway's session) are not from
here: they end with their read.
A node's clock decides nothing on the bus: it is for waiting, and for the times in signatures.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading


class Clock(Protocol):
    """What the watcher asks of time and chance."""

    def now_s(self) -> float:
        """Give seconds since 1970, UTC."""

    def monotonic_s(self) -> float:
        """Give seconds on a clock that never goes back; only differences mean something."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait for the event at most that long; say whether it is set."""

    def fraction(self) -> float:
        """Throw a number in [0, 1), for jitter."""

    def new_id(self, prefix: str) -> str:
        """Make an unguessable id such as `i_3f…` (160 bits)."""


class SystemClock:
    """The machine's clocks and the operating system's randomness."""

    def now_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)

    def fraction(self) -> float:
        return secrets.randbelow(1 << 30) / (1 << 30)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{secrets.token_hex(20)}"
