"""What the figures should come to, and whether they do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import board
import cpu
import sessions
from accept import ALONE, BATCHES, EMPTY, RATE
from arrive import WHAT as ARRIVE
from dispatch import ALONE as DISPATCH
from dispatch import LISTED, OLD, SHOWN, TOGETHER
from measure import OURS, show
from openclawturn import CALL
from openclawturn import WHAT as TURN
from rig import FILLED
from tokens import STUCK
from tokens import WHAT as FOLLOWED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from measure import Table

Value = tuple[str, str, float]
"""A measurement (a pattern), a system, and which share of its sorted samples."""


@dataclass(frozen=True)
class Aim:
    """A figure, or its ratio to another, and what it should be at most (or at least)."""

    words: str
    value: Value
    limit: float
    unit: str = ""
    by: Value | None = None
    at_least: bool = False


def median(measurement: str, system: str = OURS) -> Value:
    return measurement, system, 0.5


TOKENS = f"{FOLLOWED}: append to reader"
GATEWAY, AGENT, EVENT = (f"{OURS}, {way}" for way in ("gateway", "program", "command"))
AIMS = (
    Aim("accept p50, times an empty route", median(ALONE), 2, "", median(ALONE, EMPTY)),
    Aim("durable sends, of an empty route", median(RATE), 0.7, "", median(RATE, EMPTY), True),
    Aim("durable sends in lists", median(BATCHES), 10_000, "messages/s", at_least=True),
    Aim("processor for 10,000 sends", median(cpu.SENDS.format(32)), 3, "s"),
    Aim("send to watcher p50", median(ARRIVE), 5, "ms"),
    Aim("send to watcher p99", (ARRIVE, OURS, 0.99), 25, "ms"),
    Aim("one message to 1,000 streams", median("one message to 1000 .* first to last"), 35, "ms"),
    Aim("append to 200 readers p50", median(TOKENS), 25, "ms"),
    Aim("append to 200 readers p99", (TOKENS, OURS, 0.99), 100, "ms"),
    Aim("the same, one reads nothing", median(TOKENS, STUCK), 1.2, by=median(TOKENS)),
    Aim("catching up", median("catching up 10000 .* stream"), 30_000, "messages/s", at_least=True),
    Aim("an idle stream of 1,000", median("1000 idle streams: memory each"), 25, "KiB"),
    Aim("an idle stream of 10,000", median("10000 idle streams: memory each"), 25, "KiB"),
    Aim("100 idle streams", median("10*00 idle streams: processor of 100"), 0.1, "% of one"),
    Aim("the watcher's own memory", median("a watcher: unshared memory"), 20, "MiB"),
    Aim("gateway, times a bare call", median(TURN, GATEWAY), 1.2, "", median(TURN, CALL)),
    *(
        Aim(
            f"its CLI's {what}, times gateway",
            median(TURN, way),
            5,
            "",
            median(TURN, GATEWAY),
            True,
        )
        for what, way in (("agent", AGENT), ("system event", EVENT))
    ),
    *(
        Aim(f"a full board: {what}", median(what, board.FULL), 1.2, by=median(what))
        for what in (board.ADD, board.CLAIM, board.LIST, board.MINE, board.ONE)
    ),
    *(
        Aim(f"long sessions: {what}, p99", (re.escape(what), sessions.LONG, 0.99), 50, "ms")
        for what in sessions.READ
    ),
    *(
        Aim(
            f"long sessions: {what}, times short ones",
            median(re.escape(what), sessions.LONG),
            2,
            by=median(re.escape(what)),
        )
        for what in sessions.WHATS
    ),
    *(
        Aim(f"after 100,000 runs: {words}", median(what, OLD), 1.2, by=median(what))
        for words, what in (
            ("dispatch p50", DISPATCH),
            ("32 parents", TOGETHER.format(32)),
            ("listing", re.escape(LISTED)),
            ("one run", SHOWN),
        )
    ),
    *(
        Aim(
            f"after a million: {words}",
            median(what, FILLED),
            1 / 1.2 if better_high else 1.2,
            by=median(what),
            at_least=better_high,
        )
        for words, what, better_high in (
            ("accept p50", ALONE, False),
            ("durable sends", RATE, True),
            ("lists", BATCHES, True),
            ("send to watcher", ARRIVE, False),
            ("catching up", "catching up 10000 .* stream", True),
            ("reading the inbox", "inbox of 10000: read .*", False),
            ("fan-out", "one message to 1000 .* first to last", False),
        )
    ),
)


@dataclass(frozen=True)
class Judged:
    """An aim with what was found."""

    aim: Aim
    found: float

    @property
    def is_met(self) -> bool:
        return self.found >= self.aim.limit if self.aim.at_least else self.found <= self.aim.limit

    def as_json(self) -> dict[str, Any]:
        aim = self.aim
        word = "at least" if aim.at_least else "at most"
        return {"aim": aim.words, word: aim.limit, "found": self.found, "met": self.is_met}

    @property
    def cells(self) -> tuple[str, str, str, str]:
        word = "at least" if self.aim.at_least else "at most"
        unit = f" {self.aim.unit}".rstrip()
        limit = f"{word} {show(self.aim.limit)}{unit}"
        return self.aim.words, limit, f"{show(self.found)}{unit}", "" if self.is_met else "missed"


def judge(table: Table) -> Iterator[Judged]:
    """Hold each aim that was measured against its figure."""
    for aim in AIMS:
        found, by = find(table, aim.value), find(table, aim.by) if aim.by else 1.0
        if found is not None and by:
            yield Judged(aim, found / by)


def find(table: Table, value: Value) -> float | None:
    pattern, system, share = value
    for one in table.series:
        exact = one.measurement == pattern or re.fullmatch(pattern, one.measurement)
        if exact and one.system == system and one.samples:
            return one.quantile(share)
    return None


def lines(table: Table) -> list[str]:
    rows = [one.cells for one in judge(table)]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(4)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
