"""Asks programs of this machine a short question: systemctl, loginctl, openclaw; never by a shell.

It must not know what the answer means.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ASK_S = 60.0
NOT_THERE = 127
TOO_LATE = 124


class Said(NamedTuple):
    """How it ended and what it wrote, one stream after the other."""

    code: int
    output: str
    errors: str

    @property
    def is_good(self) -> bool:
        """Say whether it did what it was asked."""
        return self.code == 0

    @property
    def trouble(self) -> str:
        """Give its last line, which is where programs say what is wrong."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit status {self.code}"


def ask(
    argv: Sequence[str], environ: Mapping[str, str] | None = None, limit_s: float = ASK_S
) -> Said:
    """Run a program to its end, at most that long."""
    environ = {**(os.environ if environ is None else environ)}
    environ.pop("OPENCLAW_SHELL", None)  # with it, OpenClaw's own commands refuse
    try:
        done = subprocess.run(
            list(argv),
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Said(TOO_LATE, "", f"{argv[0]} gave no answer in {limit_s:g} s")
    except OSError as error:
        return Said(NOT_THERE, "", f"{argv[0]}: {error.strerror or error}")
    return Said(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
