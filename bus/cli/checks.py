"""What a check of `bus doctor` is: a row of a table whose look says how something stands.

A look raises nothing for what it is there to find. The tables are in the modules named `checks...`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bus.errors import StorageFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bus.config import Config
    from bus.store.copying import Progress
    from bus.store.looking import Looking

OK, WARN, BAD = "ok", "warn", "bad"
SHOWN = 5


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, what was found, and how to mend it."""

    name: str
    state: str
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Looked:
    """What the checks look at, and the time."""

    config: Config
    ask: Looking
    now_ms: int
    holder: str
    """The processes that have the database; empty where the bus is stopped."""
    backups: Path
    progress: Progress


@dataclass(frozen=True)
class Seen:
    """How it stands and what was found; how to mend it where the row cannot say that."""

    state: str
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Row:
    """A check: its name, what looks, and how to mend what it finds."""

    name: str
    look: Callable[[Looked], Seen]
    mend: str = ""


def make_check(row: Row, look: Looked) -> Check:
    """Make a check; one that a broken database or a wrong right hinders does not hide the rest."""
    try:
        seen = row.look(look)
    except (sqlite3.DatabaseError, OSError, StorageFailedError) as error:
        return Check(row.name, BAD, f"could not be looked at: {error}")
    return Check(
        row.name, seen.state, seen.found, "" if seen.state == OK else seen.mend or row.mend
    )


def age(ms: int) -> str:
    """Write a length of time for a person."""
    for unit, name in ((DAY_MS, "days"), (HOUR_MS, "hours"), (MINUTE_MS, "minutes")):
        if ms >= 2 * unit:
            return f"{ms // unit} {name}"
    return f"{max(ms, 0) // 1000} s"


def some(names: list[str]) -> str:
    """Name a few of many."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
