"""Measures `bus move` of a bus with many messages, killed once with -9 in the midst.

    python -m tests.bench.move [MESSAGES] [--fsync]

It is no part of `make bench`: a million messages take minutes and several gigabytes. It prints what
each step took, beside what was there.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bus.config import Config
from bus.store import connecting, moving
from tests.bench import filler
from tests.postgres import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = 1
KILL_AT = 0.6
"""The share of the rows that have gone over when it is killed."""


class Steps:
    """When each step began; and the end of this process, where that is asked for."""

    def __init__(self, kill_at: float) -> None:
        self.begun = [("preparing", time.monotonic())]
        self._kill_at = kill_at

    def tell(self, step: str, done: int, whole: int) -> None:
        """Note a new step; be killed at a share of the copying."""
        if step != self.begun[-1][0]:
            self.begun.append((step, time.monotonic()))
        if step == "copying" and self._kill_at and done > self._kill_at * whole:
            print(f"killed with -9 after {done} of {whole} rows", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def spans(self) -> Iterator[tuple[str, float]]:
        """Give each step and how long it took."""
        ends = [at for _, at in self.begun[1:]] + [time.monotonic()]
        for (step, begun), end in zip(self.begun, ends, strict=True):
            yield step, end - begun


def carry(folder: Path, url: str, kill_at: float) -> None:
    """Move the bus of a folder, and say what that took."""
    steps = Steps(kill_at)
    config = Config(data_dir=folder)
    moved = moving.move(config, connecting.find_place(url), NOW_MS, progress=steps.tell)
    rows = sum(moved.rows.values())
    print(f"{moved.rows['messages']} messages, {rows} rows; went on: {moved.went_on}")
    for step, span in steps.spans():
        print(f"{step:<10} {span:7.1f} s")


def main() -> None:
    """Fill a bus, move it, kill that, and move it on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--fsync", action="store_true", help="let PostgreSQL sync, as in earnest")
    parser.add_argument("--carry", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.carry:
        carry(Path(asked.carry[0]), asked.carry[1], float(asked.carry[2]))
        return
    with tempfile.TemporaryDirectory(prefix="wakebus-move-") as made:
        folder = Path(made) / "data"
        bus = str(Path(sys.executable).with_name("bus"))
        environ = {**os.environ, "BUS_DATA_DIR": str(folder)}
        subprocess.run([bus, "init"], env=environ, check=True, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        filler.add_old(folder / "bus.db", asked.messages)
        size = (folder / "bus.db").stat().st_size / 1e6
        print(f"filled in {time.monotonic() - begun:.0f} s: {size:.0f} MB", flush=True)
        with serving(fsync=asked.fsync) as server:
            url = server.create("moved")
            for kill_at, expected in ((KILL_AT, -signal.SIGKILL), (0, 0)):
                begun = time.monotonic()
                argv = [
                    sys.executable,
                    "-m",
                    "tests.bench.move",
                    "--carry",
                    str(folder),
                    url,
                    str(kill_at),
                ]
                done = subprocess.run(argv, check=False)
                assert done.returncode == expected, done
                print(f"that took {time.monotonic() - begun:.1f} s", flush=True)
            found = server.execute("SELECT pg_database_size('moved')")[0][0] / 1e6
            print(f"the copy has {found:.0f} MB")


if __name__ == "__main__":
    main()
