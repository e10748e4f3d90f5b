"""Counts what a running process asks the disk to keep, by strace. It must not know who it is."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from processes import members

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = "fsync,fdatasync,sync_file_range,msync"


def count(group: int, work: Callable[[], object]) -> int | str:
    """Do the work while a process group is traced; gives its syncs, or why they are unknown."""
    program = shutil.which("strace")
    if program is None:
        return "there is no strace"
    pids = members(group)
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary"
        argv = [program, "-f", "-c", "-e", f"trace={CALLS}", "-o", str(summary)]
        argv += [word for pid in pids for word in ("-p", str(pid))]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as tracer:
            refused = await_attached(tracer, len(pids))
            if not refused:
                work()
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=30)
        return refused or add_up(summary.read_text())


def await_attached(tracer: subprocess.Popen[str], wanted: int) -> str:
    """Read what the tracer says until it has all processes; gives why it has not."""
    assert tracer.stderr is not None
    while wanted:
        line = tracer.stderr.readline()
        if " attached" not in line:
            return f"strace: {line.strip().rpartition(': ')[2] or 'it ended'}"
        wanted -= 1
    return ""


def add_up(summary: str) -> int:
    """Add the calls of strace's table: the fourth column, where the last is a call's name."""
    rows = [line.split() for line in summary.splitlines()]
    return sum(int(row[3]) for row in rows if row and row[-1] in CALLS.split(","))
