"""How a command stays with one thing: the stream says when to look again, and nothing is polled.

What is shown is always what the bus answers then; so a lost connection, which begins with a look
when it is back, loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bus.cli.failing import MENDS
from bus.cli.output import complain, harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bus.client import BusClient

BEAT = "heartbeat"
"""As `bus.client` calls it, which is not to be loaded here."""
BEGINNINGS = ("hello", "gap")


@dataclass(frozen=True)
class Following:
    """What is followed: the events that have its id under `key`; `at_beats` looks then, too."""

    bus: BusClient
    key: str
    id: str
    at_beats: bool = False

    def looks(self, read: Callable[[str], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Give the thing now, and whenever something became of it, for ever."""
        from bus.client import ClientError  # noqa: PLC0415 - only where a bus is called

        is_owed = False
        for event in self.bus.tail("now", beats=True, broken=Breaks()):
            is_owed |= event.kind in BEGINNINGS or event.data.get(self.key) == self.id
            is_owed |= event.kind == BEAT and self.at_beats
            if not is_owed:
                continue
            try:
                found = read(self.id)
            except ClientError as error:
                if not error.passes:
                    raise
                continue  # the bus is going or busy: the next sign of life is the time to look
            is_owed = False
            yield found


@dataclass
class Breaks:
    """Tells of each connection that broke; it comes back by itself, or by what is told once."""

    told: set[str] = field(default_factory=set)

    def __call__(self, why: str, pause_s: float, code: str) -> None:
        complain(f"{harmless(why)}; again in {pause_s:.1f} s")
        if code in MENDS and code not in self.told:
            self.told.add(code)
            complain(MENDS[code])
