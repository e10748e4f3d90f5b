"""What this machine is, and what its disk takes for one sync: without it no figure means much."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measure import show

if TYPE_CHECKING:
    from measure import Table

SYNCS = 60
PAGE = b"\0" * 4096


def describe(folder: Path) -> dict[str, str]:
    """List the facts that figures depend on; none of them names the machine."""
    usable = len(os.sched_getaffinity(0))
    return {
        "CPUs": f"{os.cpu_count()} ({usable} usable), {processor()}",
        "load average before": f"{os.getloadavg()[0]:.2f}",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "file system": file_system(folder),
    }


def processor() -> str:
    """Give the processor's name, where the kernel says it."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else "unknown processor"


def file_system(folder: Path) -> str:
    """Give the kind of the file system that holds the folder: on tmpfs a sync costs nothing."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, point, name, *_ = line.split()
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return f"{kind} (a sync costs nothing here: see --dir)" if kind == "tmpfs" else kind


def time_syncs(table: Table, folder: Path) -> None:
    """Measure what it costs to append a page and have it on disk."""
    series = table.add("disk: append 4 KiB and fdatasync", "this machine", "ms")
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            begun_s = time.perf_counter()
            file.write(PAGE)
            os.fdatasync(file.fileno())
            series.samples.append((time.perf_counter() - begun_s) * 1000)


def load_after() -> str:
    return show(os.getloadavg()[0])
