"""One thing that was looked at: how it stands, what was seen, how to mend it.

It must not know what is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]
NAME_WIDTH = 20


@dataclass(frozen=True)
class Finding:
    """`warn` is for what works and may not for long, or not as it should."""

    name: str
    state: State
    seen: str
    mend: str = ""

    def write(self) -> list[str]:
        """Write it for a person."""
        lines = [f"{self.state:<5} {self.name:<{NAME_WIDTH}} {self.seen}"]
        return [*lines, f"{'':<5} {'':<{NAME_WIDTH}} mend: {self.mend}"] if self.mend else lines


def ok(name: str, seen: str) -> Finding:
    """Say that something is well."""
    return Finding(name, "ok", seen)


def warn(name: str, seen: str, mend: str = "") -> Finding:
    """Say that something may not be well."""
    return Finding(name, "warn", seen, mend)


def bad(name: str, seen: str, mend: str = "") -> Finding:
    """Say that something is not well."""
    return Finding(name, "bad", seen, mend)
