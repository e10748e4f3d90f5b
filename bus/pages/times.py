"""Times as a person reads them. Pure."""

from __future__ import annotations

import re

from bus.clock import DAY_MS, HOUR_MS, MINUTE_MS, from_text

TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
STEPS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"))
SECOND_MS = 1000


def ago(at_text: str | None, now_ms: int) -> str:
    """Write how long ago something was, or how soon it is; `page.js` keeps it so."""
    if not at_text:
        return "never"
    since_ms = now_ms - from_text(at_text)
    size_ms = abs(since_ms)
    if size_ms < 10 * SECOND_MS:
        return "just now"
    step, name = next((one for one in STEPS if size_ms >= one[0]), (SECOND_MS, "s"))
    return sign(f"{size_ms // step} {name}", since_ms)


def sign(size: str, since_ms: int) -> str:
    return f"{size} ago" if since_ms > 0 else f"in {size}"


def whole(at_text: str) -> str:
    """Write a time whole, for who wants it exactly; the bus's pages know no zone but UTC."""
    return f"{at_text[:10]} {at_text[11:19]} UTC"


def with_times(text: str) -> str:
    """Write the times in a text of the bus as a person reads them."""
    return TIME.sub(lambda found: whole(found.group()), text)


def duration(ms: int | None) -> str:
    """Write how long something took."""
    if ms is None:
        return "-"
    if ms < SECOND_MS:
        return f"{ms} ms"
    if ms < MINUTE_MS:
        return f"{ms / SECOND_MS:.1f} s"
    unit, name = next((step, name) for step, name in STEPS if ms >= step)
    return f"{ms / unit:.1f} {name}"
