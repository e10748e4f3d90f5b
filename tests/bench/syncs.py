"""Sees when running processes ask the disk to keep something, by strace; not who they are."""

from __future__ import annotations

import re
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
LINE = re.compile(r"\d+ +(?P<at>\d+\.\d+) (?P<call>.*) = 0 <(?P<took>\d+\.\d+)>$")


def count(group: int, work: Callable[[], object]) -> int | str:
    """Do the work while a process group is traced; gives its syncs, or why they are unknown."""
    found = watch(members(group), work)
    return found if isinstance(found, str) else len(found)


def watch(pids: list[int], work: Callable[[], object]) -> list[tuple[float, float]] | str:
    """Do the work while these are traced; gives when each sync began and ended (`time.time()`)."""
    program = shutil.which("strace")
    if program is None:
        return "there is no strace"
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        argv = [program, "-f", "-ttt", "-T", "-e", f"trace={CALLS}", "-o", str(lines)]
        argv += [word for pid in pids for word in ("-p", str(pid))]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as tracer:
            try:
                refused = await_attached(tracer, len(pids))
                if not refused:
                    work()
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.communicate()
        return refused or [sync for line in lines.read_text().splitlines() for sync in read(line)]


def await_attached(tracer: subprocess.Popen[str], wanted: int) -> str:
    """Read what the tracer says until it has all processes; gives why it has not."""
    assert tracer.stderr is not None
    while wanted:
        line = tracer.stderr.readline()
        if " attached" not in line:
            return f"strace: {line.strip().rpartition(': ')[2] or 'it ended'}"
        wanted -= 1
    return ""


def read(line: str) -> list[tuple[float, float]]:
    """Read a line of strace: none where a call only began, since its end has a line of its own."""
    found = LINE.match(line)
    if found is None:
        return []
    at_s, took_s = float(found["at"]), float(found["took"])
    if " resumed>" in found["call"]:
        return [(at_s - took_s, at_s)]
    return [(at_s, at_s + took_s)]
