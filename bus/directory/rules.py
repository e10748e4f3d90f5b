"""Pure decisions of the directory: names, codes, paths that may stand in a command, quiet hours."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bus.config import is_plain_url
from bus.directory.model import DAY_MINUTES, RESERVED, Window
from bus.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, tzinfo

    from bus.directory.model import Quiet

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
HEADER_DIR = re.compile(r"[A-Za-z0-9_./$-]{1,200}")
CODE_GROUP = 4
BROWSERS = (
    *(("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet")),
    *(("Firefox/", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome")),
    *(("HeadlessChrome", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari")),
)
SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("CrOS", "ChromeOS")),
    *(("Windows", "Windows"), ("Macintosh", "Mac"), ("Linux", "Linux")),
)
"""What a browser's word of itself has in it, the telling before the common."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
WEEK_MINUTES = 7 * DAY_MINUTES
USUAL_WINDOW = "03:00-08:00"
"""What is quiet where quiet hours are on and nothing else was said."""
WINDOW = re.compile(r"(?:([a-z,-]{3,31}) )?([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
MOST_WINDOWS = 14
LEAST_OPEN = 180
"""So many minutes together are not quiet, once a week at least.

No change of a clock eats them up, so all quiet hours have an end.
"""


def check_name(name: str) -> str:
    """Refuse a name that cannot be an address."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise InvalidRequestError(
            f"{name[:70]!r} cannot be a name: lower-case letters, digits, dot, dash and underscore,"
            f" at most 64, and none of {', '.join(sorted(RESERVED))}"
        )
    return name


def check_url(url: str) -> str:
    """Refuse an address that could not stand in an agent's command as it is."""
    if not is_plain_url(url):
        raise InvalidRequestError(f"'url' is a plain http(s) address, not {url[:80]!r}")
    return url.rstrip("/")


def check_header_dir(path: str) -> str:
    """Refuse a folder that could not stand in an agent's command as it is."""
    if not HEADER_DIR.fullmatch(path):
        raise InvalidRequestError(f"'header_dir' is a plain path, not {path[:80]!r}")
    return path.rstrip("/")


def bare_code(code: str) -> str:
    """Read a code as typed: with or without dashes, in any case."""
    return code.replace("-", "").replace(" ", "").upper()


def grouped_code(code: str, group: int = CODE_GROUP) -> str:
    """Write a code for a person to type."""
    return "-".join(code[at : at + group] for at in range(0, len(code), group))


def typed_code(code: str) -> str:
    """Read a code that a person typed, with the letters that the alphabet has no use for."""
    return bare_code(code).translate(str.maketrans("OIL", "011"))


def name_browser(agent: str) -> str:
    """Name a browser and its system by what it says of itself, or say a little of that."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    said = "".join(char for char in agent if char.isascii() and (char.isalnum() or char in " ./-"))
    return " on ".join(filter(None, (browser, system))) or said[:40].strip() or "unknown"


def read_windows(texts: Sequence[str]) -> tuple[Window, ...]:
    """Read windows, or say what is wrong with them together."""
    if not 0 < len(texts) <= MOST_WINDOWS:
        raise InvalidRequestError(f"quiet hours have 1 to {MOST_WINDOWS} windows")
    windows = tuple(read_window(text) for text in texts)
    if longest_open(windows) < LEAST_OPEN:
        raise InvalidRequestError(
            f"these quiet hours would hardly end: leave {LEAST_OPEN // 60} hours together, once a "
            "week at least; to have an agent not woken at all, pause it"
        )
    return windows


def read_window(text: str) -> Window:
    """Read `22:00-07:00`, or with the days on which it begins `mon-thu,sun 22:00-07:00`."""
    found = WINDOW.fullmatch(text)
    wrong = InvalidRequestError(
        f"{text[:50]!r} is no window: HH:MM-HH:MM, such as 22:00-07:00, or with the days on which "
        "it begins, such as 'mon-fri 22:00-07:00'"
    )
    if not found:
        raise wrong
    hours, minutes = (int(found[2]), int(found[4])), (int(found[3]), int(found[5]))
    begins, ends = (60 * hour + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or begins >= DAY_MINUTES or ends > DAY_MINUTES:
        raise wrong
    if begins == ends:
        raise InvalidRequestError(f"{text!r} begins when it ends; a whole day is 00:00-24:00")
    days = read_days(found[1]) if found[1] else EVERY_DAY
    if not days:
        raise wrong
    return Window(begins, ends, days)


def read_days(text: str) -> frozenset[int]:
    """Read `sat,sun` or `mon-fri`; nothing where it is none."""
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return frozenset()
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, end + 1 + (7 if end < begin else 0))}
    return frozenset(days)


def write_window(window: Window) -> str:
    """Write a window as it is read."""
    times = f"{write_minutes(window.begins)}-{write_minutes(window.ends)}"
    if window.days == EVERY_DAY:
        return times
    return f"{','.join(DAYS[day] for day in sorted(window.days))} {times}"


def write_minutes(minutes: int) -> str:
    """Write a time of day."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def longest_open(windows: Sequence[Window]) -> int:
    """Give the longest stretch of a week, in minutes, in which nothing is quiet."""
    stretches = sorted(
        (day * DAY_MINUTES + window.begins, day * DAY_MINUTES + window.begins + window.minutes)
        for window in windows
        for day in window.days
    )
    longest, end = 0, max(last for _, last in stretches) - WEEK_MINUTES
    for begin, last in stretches:
        longest, end = max(longest, begin - end), max(end, last)
    return longest


def quiet_until(quiet: Quiet, now_ms: int) -> int | None:
    """Give the first moment from now on that is in no window, or None where now is in none.

    A window begins the first time that the clocks of its zone show its beginning, and ends the last
    time that they show its end; where they jump over one of these, it is the moment of the jump.
    """
    now = end = datetime.fromtimestamp(now_ms / 1000, UTC)
    while True:
        later = max((last for first, last in near(quiet, end) if first <= end < last), default=None)
        if later is None:
            return None if end == now else round(end.timestamp() * 1000)
        end = later


def near(quiet: Quiet, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Give beginning and end of every window that a moment may be in."""
    today = at.astimezone(quiet.zone).date()
    # One more than yesterday: a zone has left out a whole day before.
    for day in (today - timedelta(days=back) for back in range(3)):
        for window in quiet.windows:
            if day.weekday() in window.days:
                end = window.begins + window.minutes
                yield (
                    moment(day, window.begins, quiet.zone, is_last=False),
                    moment(day, end, quiet.zone, is_last=True),
                )


def moment(day: date, minutes: int, zone: tzinfo, *, is_last: bool) -> datetime:
    """Give when clocks show a time, first or last; or when they jump over it."""
    shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001
    at = shown.replace(tzinfo=zone, fold=int(is_last)).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == shown:
        return at
    # The clocks were put forward: between what the two offsets make of it lies the jump.
    before = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            before = middle
        else:
            after = middle
    return after
