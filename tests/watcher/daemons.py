"""Whole watchers as processes: started, waited for, stopped, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(folder, **env):
    """Start `bus-watcher run` on a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "watcher", "run", "--dir", str(folder.path)],
        cwd=ROOT,
        env={**os.environ, **env},
        stderr=subprocess.PIPE,
        text=True,
    )


def stop(process, number=signal.SIGTERM):
    """Stop one; gives its log. Whatever it might wait for in vain lasts longer than we do."""
    process.send_signal(number)
    _, log = process.communicate(timeout=60)
    return log
