"""What the words of the guard mean."""

from __future__ import annotations

from dataclasses import dataclass

MOST_TOKENS, MOST_USD = 1_000_000_000_000, 1_000_000
"""What one turn can have used at most: what is more is no number to be summed with others."""
MARK = "guard: "
"""How every reason begins for which the guard holds something, and no other."""


def is_of_guard(reason: str) -> bool:
    """Say whether a reason, of a held delivery or a paused wake, is the guard's."""
    return reason.startswith(MARK)


@dataclass(frozen=True)
class Start:
    """From where a thread goes on that begins with a message and continues another's chain."""

    from_hops: int = 0
    """How far the chain had come when a person let it go."""
    is_warned: bool = False


@dataclass(frozen=True)
class Message:
    """A message that goes on in a thread, as the guard looks at it; it knows no bodies.

    `start` is said of a thread that begins with this message. `is_result` marks what a worker gives
    back to its parent.
    """

    thread: str
    hops: int
    path: tuple[str, ...]
    sender_id: int
    recipient_id: int
    recipient: str
    start: Start | None = None
    is_result: bool = False

    @property
    def pair(self) -> tuple[int, int]:
        """Give whose ids the message is between, its sender's first."""
        return self.sender_id, self.recipient_id


@dataclass(frozen=True)
class Usage:
    """What a turn used, as far as its runtime told: tokens, and US dollars."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None

    @property
    def is_known(self) -> bool:
        """Say whether anything was told."""
        return (self.tokens_in, self.tokens_out, self.cost_usd) != (None, None, None)
