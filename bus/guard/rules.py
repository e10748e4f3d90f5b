"""When a thread is held: pure decisions over counts; no clock, no database."""

from __future__ import annotations


def judge(*, hops: int, burst: int, max_hops: int, max_burst: int) -> str:
    """Give the reason to hold a thread, or an empty text.

    `hops` counts replies and sends inside a lease since the thread began; `burst` the messages
    between this pair, both ways, in this thread in the last minute.
    """
    if hops > max_hops:
        return f"guard: {hops} hops in this thread, at most {max_hops}"
    if burst > max_burst:
        return f"guard: {burst} messages between this pair in a minute, at most {max_burst}"
    return ""
