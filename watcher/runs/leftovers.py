"""Ends what a run's program left alive: found by a mark in the environment, which children inherit.

A process group is left by any child that starts a session of its own, and a watcher that was killed
ended nothing. Where the machine has no /proc, nothing is found. It must not know runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import log

if TYPE_CHECKING:
    from watcher.clock import Clock

MARK = "WAKEBUS_RUN_ID"
PROCESSES = Path("/proc")
LOOKS = 100  # a program that forks faster than it is ended is given up after so many
PAUSE_S = 0.02


def end(run_id: str, clock: Clock) -> int:
    """Kill every process of this user that carries the run's mark; say how many it found."""
    ended: set[int] = set()
    never = threading.Event()
    for _ in range(LOOKS):
        found = _find(f"{MARK}={run_id}".encode())
        if not found:
            break
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        ended.update(found)
        clock.wait(never, PAUSE_S)
    if ended:
        log.say("leftovers_ended", run=run_id, count=len(ended))
    return len(ended)


def _find(mark: bytes) -> list[int]:
    return [
        int(path.name)
        for path in PROCESSES.glob("[0-9]*")
        if int(path.name) != os.getpid() and _carries(path / "environ", mark)
    ]


def _carries(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes().split(b"\0")  # that of a dead one is empty
    except OSError:  # it is another user's, or gone
        return False
