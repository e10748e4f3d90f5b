"""What a measurement is given: a server that runs, how much to ask of it, where figures go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.peers.peer import write_body

if TYPE_CHECKING:
    from measure import Table

    from tests.bench.peers.peer import Peer, Server

SENDERS = 32
BATCHERS = 4
KILL_SENDERS = 8
KILL_EACH = 3000
QUIET_S = 5.0
"""After so long without a message, what has not come counts as lost."""
MAILBOXES = [f"to-{at}" for at in range(SENDERS)] + ["alone", "paced", "crowd", "missed", "killed"]


@dataclass(frozen=True)
class Size:
    """How much is measured in a turn."""

    seconds: float = 1.0
    paced: int = 80
    rate: float = 80
    readers: int = 1000
    fan_outs: int = 5
    missed: int = 10_000
    fill_s: float = 4.0
    synced: int = 64


@dataclass(frozen=True)
class Turn:
    """A server that runs, and where its figures go."""

    peer: Peer
    server: Server
    size: Size
    table: Table
    system: str

    def note(self, what: str, unit: str, *values: float) -> None:
        self.table.add(what, self.system, unit).samples.extend(values)


def bodies(count: int) -> list[bytes]:
    return [write_body(number) for number in range(count)]
