"""How answers look on a terminal: harmless text, aligned tables, colour where it is wanted.

Agents write names, subjects, bodies and reasons; whatever of it could steer a terminal is shown
as what it is. This module knows no call of the bus.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that move a cursor, hide text, turn its direction or forge a line."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
JOINERS = frozenset("\u200c\u200d")
COLOURS = {
    "accepted": "white",
    "held": "yellow",
    "queued": "cyan",
    "notified": "cyan",
    "woken": "blue",
    "read": "magenta",
    "acked": "green",
    "released": "green",
    "already": "green",
    "extended": "green",
    "expired": "red",
    "refused": "red",
    "cancelled": "red",
    "dead": "red",
    "submitted": "white",
    "working": "blue",
    "completed": "green",
    "failed": "red",
    "timed_out": "red",
    "lost": "red",
    "fenced": "red",
    "ended": "red",
    "unknown": "red",
}


def harmless(text: object, *, lines: bool = False) -> str:
    """Show control, direction and other invisible characters as escapes.

    With `lines`, line ends and tabs stay: for a body that is shown whole.
    """
    kept = "\n\t" if lines else ""
    whole = str(text).replace("\r\n", "\n") if lines else str(text)
    return "".join(
        char
        if char in kept or char in JOINERS or unicodedata.category(char) not in STEERING
        else escape(char)
        for char in whole
    )


def behind_bar(text: object) -> Iterator[str]:
    """Write what others wrote, a line each, so that none of it can pass for a line of ours."""
    for line in harmless(text, lines=True).rstrip("\n").split("\n"):
        yield f"  | {line}".rstrip()


def escape(char: str) -> str:
    """Write a character as Python would."""
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def wants_colour(stream: IO[Any]) -> bool:
    """Say whether a stream is a terminal whose owner has not asked for plain text."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not is_plain


def paint(text: str, colour: str | None = None, *, bold: bool = False) -> str:
    """Colour a text for standard output, if that takes colour."""
    if not wants_colour(sys.stdout):
        return text
    return click.style(text, fg=colour, bold=bold)


def paint_state(state: str, width: int = 0) -> str:
    """Write a state, padded to a width, in its own colour."""
    return paint(pad(harmless(state), width), COLOURS.get(state))


def say(text: str = "") -> None:
    """Write a line now, whatever the terminal's encoding can show of it."""
    click.echo(encodable(text, sys.stdout))


def complain(text: str) -> None:
    """Write a line to standard error."""
    click.echo(encodable(text, sys.stderr), err=True)


def encodable(text: str, stream: IO[Any]) -> str:
    """Escape what a stream's encoding cannot write."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask before what cannot be taken back; without a terminal there is nobody to ask.

    Raises:
        click.UsageError: there is no terminal.
        click.Abort: the answer was no.
    """
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"this asks first, and here is no terminal: add --yes ({question})")
    click.confirm(question, abort=True)


def say_json(value: object, *, one_line: bool = False, err: bool = False) -> None:
    """Write JSON in ASCII, which no terminal takes for anything else."""
    click.echo(json.dumps(value, indent=None if one_line else 2), err=err)


def cells_wide(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return sum(width_of(char) for char in text)


def width_of(char: str) -> int:
    """Give the columns of one character: none for a mark on another, two for a wide one."""
    if unicodedata.combining(char) or char in JOINERS or "\ufe00" <= char <= "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, width: int) -> str:
    """Fill a text up to a width in columns."""
    return text + " " * max(0, width - cells_wide(text))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], none: str = "") -> None:
    """Write aligned columns under headings; `none` where there is no row."""
    cells = [[harmless(shown(cell)) for cell in row] for row in rows]
    if not cells:
        say(none)
        return
    widths = [max(map(cells_wide, column)) for column in zip(headings, *cells, strict=True)]
    say(paint(line_up(headings, widths), bold=True))
    for row in cells:
        say(line_up(row, widths))


def say_more(option: str, value: object) -> None:
    """Say how to go on behind the end of a page: by the same command, so with the same options."""
    say(f"There are more: add {option} {harmless(str(value))}")


def line_up(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Pad the cells of one row."""
    return "  ".join(map(pad, cells, widths)).rstrip()


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Write names and values under each other, without those that have no value."""
    known = [(name, harmless(shown(value))) for name, value in pairs if value not in (None, "")]
    width = max((cells_wide(name) for name, _ in known), default=0)
    for name, value in known:
        say(f"{paint(pad(name, width), bold=True)}  {value}")


def shown(value: object) -> str:
    """Write a value of JSON as a person would."""
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return str(value)


def local_time(text: str | None, *, date: bool = False) -> str:
    """Write a time of the bus on this machine's clock face, with its milliseconds."""
    if not text:
        return "-"
    try:
        at = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return harmless(text)
    day = f"{at:%Y-%m-%d} " if date else ""
    return f"{day}{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def local_second(text: str | None) -> str:
    """Write the day and the time of a moment, as exact as a person wants it."""
    return local_time(text, date=True).partition(".")[0]


def with_local_times(text: str) -> str:
    """Write the times inside a sentence of the bus on this machine's clock face, without ms."""
    return MOMENT.sub(lambda at: local_second(at[0]), text)
