"""What was measured, and how it is summed up and shown. It knows numbers, not systems."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OURS = "wakebus"
COLUMNS = ("measurement", "system", "n", "median", "p5", "p95", "p99", "max", "unit", "ratio")
SHARES = (0.5, 0.05, 0.95, 0.99, 1.0)


@dataclass
class Series:
    """One row: what one system showed in one measurement, or why there is nothing to show."""

    measurement: str
    system: str
    unit: str
    samples: list[float] = field(default_factory=list)
    unknown: str = ""

    def row(self, first_median: float | None) -> list[str]:
        if not self.samples:
            return [self.measurement, self.system, "0", f"not measured: {self.unknown}"]
        points = [self.quantile(share) for share in SHARES]
        ratio = f"{points[0] / first_median:.3g}" if first_median else ""
        numbers = [show(point) for point in points]
        count = str(len(self.samples))
        return [self.measurement, self.system, count, *numbers, self.unit, ratio]

    def quantile(self, share: float) -> float:
        """Give the sample at a share of the sorted ones, between two by straight line."""
        ordered = sorted(self.samples)
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    def as_json(self) -> dict[str, Any]:
        shown = {"measurement": self.measurement, "system": self.system, "unit": self.unit}
        if not self.samples:
            return {**shown, "unknown": self.unknown}
        points = {"median": self.quantile(0.5), "p99": self.quantile(0.99)}
        return {**shown, **points, "samples": self.samples}


class Table:
    """All rows of a run, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.series: list[Series] = []

    def add(self, measurement: str, system: str, unit: str) -> Series:
        """Begin a row, or go on with it."""
        found = self.find(measurement, system)
        if found is None:
            found = Series(measurement, system, unit)
            self.series.append(found)
        return found

    def find(self, measurement: str, system: str) -> Series | None:
        """Give a row that was begun."""
        for one in self.series:
            if (one.measurement, one.system) == (measurement, system):
                return one
        return None

    def skip(self, measurement: str, system: str, why: str) -> None:
        """Say why a row has no numbers."""
        self.series.append(Series(measurement, system, "", unknown=why))

    def lines(self) -> list[str]:
        """Write the table; a ratio is a row's median by that of its measurement's first row."""
        first: dict[str, float] = {}
        rows = [list(COLUMNS)]
        for one in self.grouped():
            if one.samples:
                first.setdefault(one.measurement, one.quantile(0.5))
            rows.append(one.row(first.get(one.measurement)))
        full = [row for row in rows if len(row) == len(COLUMNS)]
        widths = [max(len(row[at]) for row in full) for at in range(len(COLUMNS))]
        widths[:2] = [max(len(row[at]) for row in rows) for at in range(2)]
        return [pad(row, widths) for row in rows]

    def grouped(self) -> list[Series]:
        """Give the rows with those of one measurement together."""
        first: dict[str, int] = {}
        for at, one in enumerate(self.series):
            first.setdefault(one.measurement, at)
        return sorted(self.series, key=lambda one: first[one.measurement])


def pad(row: list[str], widths: list[int]) -> str:
    """Align words to the left and numbers to the right."""
    cells = [
        cell.rjust(width) if at in {2, 3, 4, 5, 6, 7} else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    return "  ".join(cells).rstrip()


def show(number: float) -> str:
    """Show three digits that count, and no power of ten."""
    if number == 0:
        return "0"
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:.{digits}f}" if abs(number) >= 0.01 else f"{number:.4f}"
