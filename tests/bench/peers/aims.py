"""What the bus should come to beside its peers, and whether it does. Ratios, of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure import OURS, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measure import Table

    from tests.bench.peers.peer import Peer, Variant

AHEAD = (
    ("accept p50", "accept", False),
    ("delivery p50", "delivery", False),
    ("32 senders", "32 senders: rate", True),
    ("fan-out", "fan-out", False),
    ("catching up", "catching up: rate", True),
    ("memory of an idle stream", "idle: memory each", False),
)
SYNCED = 99.0
"""Of so many messages in a hundred a sync must have been seen before the answer."""
BATCH_RATE, BATCH_COST = "batches: rate", "batches: processor for 10,000"
RATE, COST = "32 senders: rate", "32 senders: processor for 10,000"


@dataclass(frozen=True)
class Judged:
    words: str
    wanted: str
    found: str
    is_met: bool

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.words, self.wanted, self.found, "" if self.is_met else "missed"


def judge(table: Table, systems: Sequence[tuple[str, Peer, Variant]]) -> Iterator[Judged]:
    """Hold the bus against those in the table."""
    others = {system: peer for system, peer, _ in systems if not system.startswith((OURS, "("))}
    synced = [one for one in others if (median(table, SHARE, one) or 0) >= SYNCED]
    synced = [one for one in synced if not (median(table, "lost: of them", one) or 0)]
    web = [one for one, peer in others.items() if peer.speaks == "HTTP"]
    for words, what, is_more_better in AHEAD:
        rivals = [one for one in web if one in synced]
        yield from beside(table, f"{words}, beside HTTP that syncs", what, rivals, is_more_better)
    cost = median(table, COST, OURS)
    if cost is not None:
        yield Judged("processor for 10,000 single sends", "under 3 s", f"{show(cost)} s", cost < 3)
    yield from batches(table, synced)
    yield from distance(table, "delivery", "NATS JetStream, sync always", 2)
    yield from distance(table, "accept", "Redis Streams, appendfsync always", None)
    yield from distance(table, "delivery", "Redis Streams, appendfsync always", None)
    rivals = [one for one in web if not one.startswith("nchan")]
    words = "memory of an idle stream, beside HTTP but nchan"
    yield from beside(table, words, "idle: memory each", rivals, is_more_better=False)
    row = table.find("lost: of them", OURS)
    if row is not None and row.samples:
        lost = sum(row.samples)
        yield Judged("acknowledged and lost by kill -9", "none", show(lost), lost == 0)


SHARE = "syncs: before the answer"


def median(table: Table, what: str, system: str) -> float | None:
    row = table.find(what, system)
    return row.quantile(0.5) if row is not None and row.samples else None


def beside(
    table: Table, words: str, what: str, rivals: list[str], is_more_better: bool
) -> Iterator[Judged]:
    """Hold the bus against the best of some."""
    ours = median(table, what, OURS)
    found = {one: value for one in rivals if (value := median(table, what, one)) is not None}
    if ours is None or not found:
        return
    best = (max if is_more_better else min)(found, key=lambda one: found[one])
    ratio = ours / found[best] if found[best] else float("inf")
    is_met = ratio > 1 if is_more_better else ratio < 1
    wanted = "above 1" if is_more_better else "under 1"
    yield Judged(words, wanted, f"{ratio:.2f} times {best}", is_met)


def batches(table: Table, synced: list[str]) -> Iterator[Judged]:
    """Hold the bus's batches against the single sends of all that sync."""
    ours = median(table, BATCH_RATE, OURS), median(table, BATCH_COST, OURS)
    rates = {one: value for one in synced if (value := median(table, RATE, one)) is not None}
    costs = {one: value for one in synced if (value := median(table, COST, one)) is not None}
    if ours[0] is None or ours[1] is None or not rates:
        return
    best = max(rates, key=lambda one: rates[one])
    ratio = ours[0] / rates[best]
    found = f"{ratio:.2f} times {best}"
    yield Judged("batches, beside singles of those that sync", "above 1", found, ratio > 1)
    best = min(costs, key=lambda one: costs[one])
    ratio = costs[best] / ours[1]
    yield Judged(
        "the same, per processor second", "above 1", f"{ratio:.2f} times {best}", ratio > 1
    )


def distance(table: Table, what: str, other: str, most: float | None) -> Iterator[Judged]:
    ours, theirs = median(table, what, OURS), median(table, what, other)
    if ours is not None and theirs:
        ratio = ours / theirs
        wanted = f"within {most:g}" if most else "as near as it gets"
        words = f"{what} p50, times {other}"
        yield Judged(words, wanted, f"{ratio:.2f}", most is None or ratio <= most)
