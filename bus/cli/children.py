"""The programs that `bus up` runs: started, waited for, ended in order.

Each gets a session of its own, so that Ctrl-C reaches `bus up` alone and the order of the end is
its own to choose. It must not know what they are.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.cli.failing import REFUSED, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

END_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05
LAST_LINES = 5
LOG_BYTES = 5_000_000
"""A longer log goes to `.1`, in the place of the one before: two of them are kept at most."""


@dataclass(frozen=True)
class Child:
    """One running program; what it says is in its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, within_s: float | None = None) -> bool:
        """Wait for its end, and say whether it came; meanwhile its log stays bounded."""
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            bound_log(self.log)
            return False
        return True

    def await_ready(self, is_ready: Callable[[], bool], within_s: float) -> None:
        """Wait until it is ready.

        Raises:
            Failure: it ended, or was not ready in time.
        """
        for _ in range(round(within_s / LOOK_EVERY_S)):
            if is_ready():
                return
            if self.wait(LOOK_EVERY_S):
                raise self.ended()
        raise Failure(f"{self.name} is not ready after {within_s:g} s; see {self.log}", REFUSED)

    def ended(self) -> Failure:
        """Say that it is gone, in its own last words."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = "\n".join(lines[-LAST_LINES:])
        return Failure(f"{self.name} ended by itself:\n{last}", REFUSED, mend=f"More: {self.log}")


@contextmanager
def running(
    name: str, argv: Sequence[str], log: Path, environ: Mapping[str, str]
) -> Iterator[Child]:
    """Run a program until the block is left, then end its whole group."""
    bound_log(log)
    with log.open("ab") as file:
        process = subprocess.Popen(
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Child(name, process, log)
    finally:
        end(process)


def bound_log(log: Path) -> None:
    """Begin a log again that has become long.

    It is copied and emptied, since its program goes on writing at the end of this very file.
    """
    if log.exists() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end; where it does not in time, end its group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
