"""Writes the tables of docs/explanation/numbers.md, so that no figure is ever typed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import aims
from measure import show

if TYPE_CHECKING:
    from measure import Series, Table

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "numbers.md"
BEGIN, END = "<!-- begin: make bench -->\n", "<!-- end: make bench -->\n"


def write(facts: dict[str, str], table: Table, page: Path = PAGE) -> None:
    """Put this run's figures between the marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{page} has no marks"
    page.write_text(before + BEGIN + show_all(facts, table) + END + after, encoding="utf-8")


def show_all(facts: dict[str, str], table: Table) -> str:
    parts = ["; ".join(f"{name}: {fact}" for name, fact in facts.items()) + ".", ""]
    parts += ["| Aim | | Found | |", "|---|---|---|---|"]
    parts += [f"| {' | '.join(one.cells)} |" for one in aims.judge(table)]
    parts += [
        "",
        "| What | Which | n | median (p5 to p95) | p99 | ratio |",
        "|---|---|---|---|---|---|",
    ]
    first: dict[str, float] = {}
    for one in table.grouped():
        if one.samples:
            first.setdefault(one.measurement, one.quantile(0.5))
        parts.append(show_row(one, first.get(one.measurement, 0.0)))
    return "\n".join(parts) + "\n"


def show_row(one: Series, first: float) -> str:
    if not one.samples:
        return f"| {one.measurement} | {one.system} | 0 | not measured: {one.unknown} | | |"
    middle, low, high, late = (show(one.quantile(share)) for share in (0.5, 0.05, 0.95, 0.99))
    spread = f" ({low} to {high})" if len(one.samples) > 1 else ""
    last = late if len(one.samples) >= 100 else ""
    ratio = f"{one.quantile(0.5) / first:.3g}" if first else ""
    cells = [one.measurement, one.system, str(len(one.samples))]
    return f"| {' | '.join([*cells, f'{middle}{spread} {one.unit}', last, ratio])} |"
