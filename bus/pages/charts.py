"""Small pictures of numbers, drawn on the server as SVG. Pure; only numbers go into them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bus.pages.times import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, PAD = 120, 26, 2
LEAST_MS = 10.0
KEPT = 2000


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Give the value below which so many of a hundred are (the nearest rank)."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@lru_cache(KEPT)
def draw_speeds(took_ms: tuple[int, ...]) -> Markup:
    """Draw how long the last wakes took, newest on the right, with their p50 and p95 as lines.

    The height is by size (a logarithm): between a tenth of a second and an hour lies one picture.
    All bars are one line of the SVG, and kept: a page of hundreds of agents is read often.
    """
    p50, p95 = percentile(took_ms, 50), percentile(took_ms, 95)
    if p50 is None or p95 is None:
        return Markup()
    most, least = max(*took_ms, LEAST_MS * 10), max(min(took_ms), LEAST_MS) / 2

    def height(ms: float) -> float:
        part = math.log(max(ms, least) / least) / math.log(most / least)
        return round(HEIGHT - PAD - part * (HEIGHT - 2 * PAD), 1)

    step = (WIDTH - 2 * PAD) / len(took_ms)
    places = ((PAD + (at + 0.5) * step, height(ms)) for at, ms in enumerate(reversed(took_ms)))
    path = "".join(f"M{x:.1f} {HEIGHT - PAD}V{y}" for x, y in places)
    bars = f'<path stroke-width="{max(step - 1, 1):.1f}" d="{path}"/>'
    lines = "".join(
        f'<line class="{name}" x1="0" x2="{WIDTH}" y1="{height(ms)}" y2="{height(ms)}"/>'
        for name, ms in (("p50", p50), ("p95", p95))
    )
    said = (
        f"Of the last {len(took_ms)} wakes half took at most {duration(p50)}, "
        f"95 of 100 at most {duration(p95)}"
    )
    return Markup(  # noqa: S704 - numbers alone, written here
        f'<svg class="speeds" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{said}">{bars}{lines}</svg>'
    )


DAYS_HEIGHT, DAYS_FOOT = 120, 20


def draw_days(days: Sequence[Mapping[str, Any]], total: Mapping[str, Any]) -> Markup:
    """Draw a bar for each day by its `part` of the dearest; what cost an unknown sum is hatched.

    Widths are in hundredths of what there is, so that it fits any screen.
    """
    if not days:
        return Markup()
    step = 100 / len(days)
    bars = [
        f'<rect class="{"" if one["is_known"] else "unknown"}" x="{at * step + step * 0.1:.2f}%" '
        f'y="{DAYS_HEIGHT - height:.0f}" width="{step * 0.8:.2f}%" height="{height:.0f}">'
        f"<title>{one['day']}</title></rect>"
        for at, one in enumerate(days)
        if "part" in one
        for height in [max(one["part"] / 100 * (DAYS_HEIGHT - 4), 2 if one["is_known"] else 12)]
    ]
    of_what = f"{total['cost_usd']:.2f} US dollars" if total["cost_usd"] else "tokens"
    said = f"What turns cost from {days[0]['day']} to {days[-1]['day']}, by day: {of_what} in all"
    foot = DAYS_HEIGHT + DAYS_FOOT - 5
    names = f'<text x="0" y="{foot}">{days[0]["day"]}</text>'
    if len(days) > 1:
        names += f'<text x="100%" y="{foot}" text-anchor="end">{days[-1]["day"]}</text>'
    return Markup(  # noqa: S704 - numbers and days alone, written here
        f'<svg class="days" height="{DAYS_HEIGHT + DAYS_FOOT}" role="img" aria-label="{said}">'
        f'<line x1="0" x2="100%" y1="{DAYS_HEIGHT}" y2="{DAYS_HEIGHT}"/>'
        f"{''.join(bars)}{names}</svg>"
    )
