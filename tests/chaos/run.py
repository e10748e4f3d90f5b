"""Breaks a whole house on purpose, at length, and prints what became of every message and run.

`python -m tests.chaos.run [--seed N] [--only storm|runs|kills|cuts|trio] [--messages N] [--runs N]
[--times N] [--buses N]`

Needs root and the lab (WAKEBUS_LAB). The same seed gives the same plan.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.chaos import runs as shifts
from tests.chaos import trio as servers
from tests.chaos.deaths import run_deaths
from tests.chaos.faults import scale
from tests.chaos.senders import say
from tests.chaos.storm import LONG, Outcome, run_storm, share
from tests.chaos.victims import killable_machine, killable_process
from tests.lab import lab

KILLS, CUTS = 100, 20
MORE = 3
"""How often what several buses share breaks, at length, of the short run's."""


def main() -> int:
    """Run what was asked for; 0 where nothing was lost, doubled or left."""
    asked = read_arguments()
    if lab() is None or os.geteuid() != 0:
        print("run it as root, with WAKEBUS_LAB naming the lab's folder", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # machines and networks are taken down
    say(f"seed {asked.seed}; the same again: make chaos SEED={asked.seed}")
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        for name in [asked.only] if asked.only else PARTS:
            place = Path(folder).resolve() / name
            place.mkdir()
            wrong += PARTS[name](asked, place)
    for one in wrong[:50]:
        say(f"WRONG: {one}")
    say(f"{len(wrong)} things are wrong" if wrong else "nothing is lost, doubled or left")
    return 1 if wrong else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--only", choices=list(PARTS))
    parser.add_argument(
        "--messages", type=int, default=LONG.messages, help="of the storm: with fewer, less breaks"
    )
    parser.add_argument("--runs", type=int, default=shifts.LONG.runs, help="likewise")
    parser.add_argument("--times", type=int, help="of kills, power cuts or rounds")
    parser.add_argument(
        "--buses",
        type=int,
        default=1,
        help="processes of the bus in the storm and the runs; several are on a PostgreSQL",
    )
    return parser.parse_args()


def storm(asked: argparse.Namespace, folder: Path) -> list[str]:
    plan = share(replace(LONG, seed=asked.seed), asked.buses, MORE)
    part = asked.messages / plan.messages
    faults, rounds = scale(plan.faults, part), math.ceil(plan.rounds * part)
    plan = replace(plan, messages=asked.messages, faults=faults, rounds=rounds)
    return tell(run_storm(plan, folder))


def runs(asked: argparse.Namespace, folder: Path) -> list[str]:
    shift = share(replace(shifts.LONG, seed=asked.seed), asked.buses, MORE)
    faults = scale(shift.faults, asked.runs / shift.runs)
    return tell(shifts.run_runs(replace(shift, runs=asked.runs, faults=faults), folder))


def tell(outcome: Outcome) -> list[str]:
    """Print the counts; gives what is wrong."""
    for line in outcome.lines:
        say(line)
    return outcome.verdict.wrong


def kills(asked: argparse.Namespace, folder: Path) -> list[str]:
    with killable_process(folder) as victim:
        result = run_deaths(victim, asked.times or KILLS, asked.seed, folder)
    say(f"kill -9 of the bus under 32 senders: {result}")
    return result.wrong


def cuts(asked: argparse.Namespace, folder: Path) -> list[str]:
    with killable_machine(folder) as victim:
        result = run_deaths(victim, asked.times or CUTS, asked.seed, folder)
    say(f"power cuts of the bus's machine under 32 senders: {result}")
    return result.wrong


def trio(asked: argparse.Namespace, folder: Path) -> list[str]:
    plan = replace(servers.LONG, seed=asked.seed, rounds=asked.times or servers.LONG.rounds)
    verdict, lines = servers.run_trio(plan, folder)
    for line in lines:
        say(line)
    return verdict.wrong


PARTS = {"storm": storm, "runs": runs, "kills": kills, "cuts": cuts, "trio": trio}

if __name__ == "__main__":
    sys.exit(main())
