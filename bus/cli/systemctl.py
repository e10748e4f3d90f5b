"""systemd's own command, where systemd runs this machine. It must not know which unit is which."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

RUNS_HERE = Path("/run/systemd/system")


def is_here() -> bool:
    """Say whether systemd runs this machine and can be asked."""
    return RUNS_HERE.is_dir() and shutil.which("systemctl") is not None


def run(*words: str, within_s: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run systemctl and keep what it says.

    Raises:
        OSError, subprocess.SubprocessError: it could not be run, or took too long.
    """
    argv = [shutil.which("systemctl") or "systemctl", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=within_s, check=False)
