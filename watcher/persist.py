"""Calls the bus until it answers for good: what was seen on this node must not get lost.

It must not know what is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from watcher.backoff import CAP_S, Backoff
from watcher.bus import BusError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from watcher.clock import Clock

Answer = TypeVar("Answer")
TOKEN_WAIT_S = 60.0


def persist(
    call: Callable[[], Answer],
    clock: Clock,
    stop: threading.Event,
    *,
    despite_token: bool = False,
    cap_s: float = CAP_S,
) -> Answer:
    """Make a call, again and again while the refusal may pass; once, when `stop` is set.

    `despite_token`: keep asking, slowly, also where the token is refused; it may be rotated.
    `cap_s`: the longest pause before the next try.

    Raises:
        BusError: the refusal that is for good, or the last one before the stop.
    """
    backoff = Backoff(clock.fraction, cap_s=cap_s)
    while True:
        try:
            return call()
        except BusError as error:
            is_waiting_for_token = despite_token and error.is_about_the_token
            wait_s = TOKEN_WAIT_S if is_waiting_for_token else _next_s(backoff, error)
            if not (error.is_passing or is_waiting_for_token) or clock.wait(stop, wait_s):
                raise


def _next_s(backoff: Backoff, error: BusError) -> float:
    return backoff.next_s(error.retry_after_s or 0.0)
