"""Which processes of a group live; a dead one that nobody has taken away yet does not count."""

from __future__ import annotations

import threading
import time
from pathlib import Path


def find_living(group):
    living = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            living.append(int(stat.parent.name))
    return living


def is_gone(group, timeout_s=30):
    """Wait until nobody of the group lives; a killed process takes a moment to die."""
    until_s = time.monotonic() + timeout_s
    while find_living(group):
        if time.monotonic() > until_s:
            return False
        threading.Event().wait(0.01)
    return True
