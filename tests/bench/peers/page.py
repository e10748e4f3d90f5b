"""Writes the peers' tables into docs/explanation/numbers.md: no figure is ever typed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from measure import OURS, show

from tests.bench.peers import aims
from tests.bench.peers.comparing import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measure import Series, Table

    from tests.bench.peers.peer import Peer, Variant

    Systems = Sequence[tuple[str, Peer, Variant]]

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "numbers.md"
BEGIN, END = "<!-- begin: make bench-peers -->\n", "<!-- end: make bench-peers -->\n"
P50, P99 = 0.5, 0.99
Column = tuple[str, str, float]
"""A heading, a measurement, and which share of its sorted samples."""
TABLES: dict[str, tuple[Column, ...]] = {
    "How long, in ms": (
        ("accept p50", "accept", P50),
        ("accept p99", "accept", P99),
        ("delivery p50", "delivery", P50),
        ("delivery p99", "delivery", P99),
        ("to the last of 1,000", "fan-out", P50),
    ),
    "How many messages a second": (
        ("32 senders", "32 senders: rate", P50),
        ("in batches of 100", "batches: rate", P50),
        ("catching up", "catching up: rate", P50),
        ("of how many", "catching up: messages", P50),
    ),
    "At what cost": (
        ("processor s for 10,000", "32 senders: processor for 10,000", P50),
        ("in batches", "batches: processor for 10,000", P50),
        ("KiB for an idle stream", "idle: memory each", P50),
        ("the client's µs a message", "32 senders: the client's processor", P50),
        ("the client's share of a CPU, %", "32 senders: the client's share", P50),
        ("and for a fan-out, ms", "fan-out: the client's processor", P50),
    ),
}
RATIOS: tuple[Column, ...] = (
    *TABLES["How long, in ms"],
    *TABLES["How many messages a second"][:3],
    *TABLES["At what cost"][:3],
)


def write(
    facts: dict[str, str],
    table: Table,
    there: Sequence[tuple[Peer, Variant]],
    missing: dict[str, str],
    failed: list[str],
    page: Path = PAGE,
) -> None:
    """Put this run's figures between the marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{page} has no marks"
    systems = [(name_of(peer, variant), peer, variant) for peer, variant in there]
    lines = "\n".join(show_all(facts, table, systems, missing, failed))
    page.write_text(f"{before}{BEGIN}{lines}\n{END}{after}", encoding="utf-8")


def show_all(
    facts: dict[str, str],
    table: Table,
    systems: Systems,
    missing: dict[str, str],
    failed: list[str],
) -> Iterator[str]:
    yield "; ".join(f"{name}: {fact}" for name, fact in facts.items()) + "."
    yield ""
    yield from rows("Aim", ("", "Found", ""), [one.cells for one in aims.judge(table, systems)])
    yield from who(table, systems)
    for words, columns in TABLES.items():
        yield from figures(table, systems, words, columns)
    yield from ratios(table, systems)
    for peer in dict.fromkeys(peer for _, peer, _ in systems):
        reasons = dict.fromkeys(peer.lacks.values())
        for why in reasons:
            what = ", ".join(name for name, given in peer.lacks.items() if given == why)
            yield f"- {peer.name} has no figure for {what}: {why}."
    for name, how in missing.items():
        yield f"- {name} was not measured, since it was not installed (`{how}`)."
    for one in failed:
        yield f"- Failed: {one.splitlines()[0]}"


def rows(first: str, headings: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write a table."""
    if cells:
        yield f"| {' | '.join([first, *headings])} |"
        yield "|---" * (len(headings) + 1) + "|"
        for row in cells:
            yield f"| {' | '.join(row)} |"
        yield ""


def who(table: Table, systems: Systems) -> Iterator[str]:
    """Say who they are, and what an acknowledgement of each is worth."""
    seen = []
    for system, peer, variant in systems:
        syncs = [
            plain(table.find(f"syncs: a message, {words}", system))
            for words in ("one sender", "32 senders")
        ]
        before = plain(table.find("syncs: before the answer", system))
        seen.append(
            [
                system,
                f"{peer.version()}, {peer.install}",
                peer.speaks,
                variant.says,
                ", ".join(syncs),
                f"{before} %" if before[:1].isdigit() else before,
                lost(table, system),
            ]
        )
    headings = (
        "version, from",
        "speaks",
        "acknowledges",
        "syncs a message: alone, among 32",
        "a sync seen before the answer",
        "lost by kill -9, of acknowledged",
    )
    yield from rows("Who", headings, seen)


def lost(table: Table, system: str) -> str:
    acked, gone = (table.find(f"lost: {what}", system) for what in ("acknowledged", "of them"))
    if acked is None or gone is None:
        return "—"
    return f"{sum(gone.samples):.0f} of {sum(acked.samples):,.0f}"


def figures(table: Table, systems: Systems, words: str, columns: Sequence[Column]) -> Iterator[str]:
    cells = [
        [system, *(spread(table.find(what, system), share) for _, what, share in columns)]
        for system, _, _ in systems
    ]
    yield from rows(words, [heading for heading, _, _ in columns], cells)


def spread(row: Series | None, share: float) -> str:
    """Show a figure with the middle nine tenths of what it is made of."""
    if row is None or not row.samples:
        return plain(row)
    middle = show(row.quantile(share))
    if share != P50 or min(row.samples) == max(row.samples):
        return middle
    return f"{middle} ({show(row.quantile(0.05))} to {show(row.quantile(0.95))})"


def plain(row: Series | None) -> str:
    if row is None:
        return "—"
    return show(row.quantile(P50)) if row.samples else row.unknown


def ratios(table: Table, systems: Systems) -> Iterator[str]:
    """Show each figure as times the bus's own."""
    cells = []
    for system, _, _ in systems:
        row = [system]
        for _, what, share in RATIOS:
            ours, theirs = table.find(what, OURS), table.find(what, system)
            known = ours is not None and theirs is not None and ours.samples and theirs.samples
            by = ours.quantile(share) if ours is not None and known else 0
            row.append(show(theirs.quantile(share) / by) if theirs is not None and by else "—")
        cells.append(row)
    yield from rows(f"Times {OURS}'s", [heading for heading, _, _ in RATIOS], cells)
