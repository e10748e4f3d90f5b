"""What a process group takes: processor time by its own clock, and memory that is its alone."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path


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


def processor_s(group: int) -> float:
    """Add up the processor time of a group's processes, or of one that leads none."""
    used_s = 0.0
    for pid in members(group) or [group]:
        with suppress(OSError):
            # The kernel's number for another process's processor clock.
            used_s += time.clock_gettime((~pid << 3) | 2)
    return used_s


def unshared_kib(group: int) -> int:
    """Add up the memory that these processes share with nobody."""
    kib = 0
    for pid in members(group) or [group]:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_"):
                    kib += int(line.split()[1])
    return kib
