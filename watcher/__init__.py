"""The watcher: one small daemon a node, standard library alone, that turns wakes into turns.

It must not know how the bus stores anything: it meets the bus over HTTP only.
"""

from __future__ import annotations

import shlex
import sys

__version__ = "0.1.0"


def program() -> str:
    """Give the words that start the watcher as it was started now, for commands that are shown."""
    if sys.argv[0].endswith(".pyz"):
        return f"python3 {shlex.quote(sys.argv[0])}"
    is_module = sys.argv[0].replace("\\", "/").endswith("/watcher/__main__.py")
    return "python3 -m watcher" if is_module else "bus-watcher"
