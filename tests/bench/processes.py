"""What processes take: processor time by their own clocks, and memory that is theirs alone.

Those of a process group, or whichever are given.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def members(group: int) -> list[int]:
    """List the processes of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group:
                found.append(int(entry.name))
    return found


def family(pid: int) -> list[int]:
    """List a process and all that descend from it, in whichever groups."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":  # one that has ended and is not buried takes nothing
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, more = [], [pid]
    while more:
        one = more.pop()
        found.append(one)
        more += children.get(one, [])
    return found


def processor_s(group: int) -> float:
    """Add up the processor time of a group's processes, or of one that leads none."""
    return processor_s_of(members(group) or [group])


def processor_s_of(pids: Iterable[int]) -> float:
    used_s = 0.0
    for pid in pids:
        with suppress(OSError):
            # The kernel's number for another process's processor clock.
            used_s += time.clock_gettime((~pid << 3) | 2)
    return used_s


def unshared_kib(group: int) -> int:
    """Add up the memory that a group's processes share with nobody."""
    return unshared_kib_of(members(group) or [group])


def unshared_kib_of(pids: Iterable[int]) -> int:
    kib = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_"):
                    kib += int(line.split()[1])
    return kib
