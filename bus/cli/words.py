"""What a person writes for a duration, a time, a list or a text, as click parameters."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from typing import Any

import click

from bus.clock import to_text

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+|\d+(?:\.\d+)?")


class Duration(click.ParamType[float]):
    """`90`, `90s`, `10m`, `1h30m`, `2d`: seconds as a number."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, int | float):
            return float(value)
        if not DURATION.fullmatch(value):
            self.fail(f"{value!r} is not a duration such as 90s, 10m, 1h30m or 2d", param, ctx)
        parts = re.findall(r"([\d.]+)([smhdw]?)", value)
        return sum(float(number) * SECONDS[unit or "s"] for number, unit in parts)


class Moment(click.ParamType[str]):
    """`21:30`, `2026-11-20T21:30` on this machine's clock, or with an offset: RFC 3339 in UTC.

    A time of day alone is the next one, or with `is_past` the last one.
    """

    name = "time"

    def __init__(self, *, is_past: bool = False) -> None:
        self.is_past = is_past

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            at = read_moment(value, datetime.now().astimezone(), is_past=self.is_past)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 21:30 or 2026-11-20T21:30", param, ctx)
        return to_text(round(at.timestamp() * 1000))


def read_moment(text: str, now: datetime, *, is_past: bool = False) -> datetime:
    """Read a moment; a time of day alone is the next one, or the last one.

    Raises:
        ValueError: it is none.
        OverflowError: no clock shows it.
    """
    if not re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        return datetime.fromisoformat(text).astimezone()
    of_day = datetime.strptime(text, "%H:%M" if text.count(":") == 1 else "%H:%M:%S")  # noqa: DTZ007 - its day and zone come next
    today = datetime.combine(now.date(), of_day.time()).astimezone()
    if (today <= now) == is_past:
        return today
    days = timedelta(days=-1 if is_past else 1)
    return datetime.combine(now.date() + days, of_day.time()).astimezone()


class Names(click.ParamType[list[str]]):
    """`a,b,c`: names between commas."""

    name = "names"

    def convert(self, value: Any, param: Any, ctx: Any) -> list[str]:
        if isinstance(value, list):
            return value
        names = [name.strip() for name in value.split(",") if name.strip()]
        if not names:
            self.fail("give names between commas", param, ctx)
        return names


def read_body(given: str | None, what: str = "BODY") -> str:
    """Give a text that says something.

    Raises:
        click.UsageError: it is empty, or could not be read.
    """
    text = read_text(given, what)
    if not text.strip():
        raise click.UsageError(f"{what} is empty: give a text, or - and a text on standard input")
    return text


DURATION_S, MOMENT, LAST, NAMES = Duration(), Moment(), Moment(is_past=True), Names()


def read_text(given: str | None, what: str) -> str:
    """Give a text from the command line, or all of standard input for `-` or for none.

    Raises:
        click.UsageError: none was given and standard input is a terminal, or it is not UTF-8.
    """
    if given is not None and given != "-":
        return given
    if given is None and sys.stdin.isatty():
        raise click.UsageError(f"give {what}, or - to read it from standard input")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{what} is not UTF-8 text") from error
