"""Measures wakebus against a bus that polls every second, side by side, and prints the figures.

`python tests/bench/run.py [--quick] [--rounds N] [--seed N] [--json FILE] [--dir FOLDER]`
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).parents[1] / "openclaw"))
sys.path.insert(1, str(Path(__file__).parents[1]))

import accept
import machine
import openclawturn
import streams
import waking
from measure import Table
from rig import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Measurement = Callable[[Plan, Table], None]

WARNING = (
    "Machines are noisy and differ: the ratios count, not the milliseconds. Both buses ran in\n"
    "this one run, in turns, on this machine, asked by the same client over loopback.\n"
    "ratio: a row's median by that of its measurement's first row, which is wakebus's."
)


def main() -> int:
    asked = read_arguments()
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.dir) as folder:
        plan = make_plan(asked, Path(folder).resolve())
        facts = machine.describe(plan.folder)
        table, failures = Table(), []
        machine.time_syncs(table, plan.folder)
        with only_the_table_on_stdout():
            for measurement in (accept.run, waking.run, openclawturn.run, streams.run):
                at_s = time.monotonic() - begun_s
                print(f"{at_s:.0f} s: {measurement.__module__}", file=sys.stderr, flush=True)
                failures += attempt(measurement, plan, table)
    facts |= {
        "load average after": machine.load_after(),
        "rounds": str(plan.rounds),
        "seed": str(plan.seed),
        "took": f"{time.monotonic() - begun_s:.0f} s",
    }
    report(facts, table, failures)
    if asked.json:
        write_json(asked.json, facts, table, failures)
    return 1 if failures else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, without OpenClaw")
    parser.add_argument("--rounds", type=int, help="how often each system has its turn")
    parser.add_argument("--seed", type=int, help="of the random pauses between sends")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write facts and samples there")
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="the disk to measure on")
    return parser.parse_args()


def make_plan(asked: argparse.Namespace, folder: Path) -> Plan:
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    if asked.quick:
        return Plan(asked.rounds or 3, 20, 32, 4, 100, seed, folder)
    openclaw_rounds = 3 if os.environ.get("WAKEBUS_LAB") else 0
    return Plan(asked.rounds or 10, 50, 32, 8, 500, seed, folder, openclaw_rounds)


@contextmanager
def only_the_table_on_stdout() -> Iterator[None]:
    """Have what is started meanwhile say what it says on stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def attempt(measurement: Measurement, plan: Plan, table: Table) -> list[str]:
    """Measure; a failure is shown at the end and does not take the other figures with it."""
    try:
        measurement(plan, table)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other figures stand
        traceback.print_exc()
        return [f"{measurement.__module__}: {type(error).__name__}: {error}"]
    return []


def report(facts: dict[str, str], table: Table, failures: list[str]) -> None:
    for name, fact in facts.items():
        print(f"{name + ':':<22}{fact}")
    print(f"\n{WARNING}\n")
    print("\n".join(table.lines()))
    for failure in failures:
        print(f"FAILED {failure}")


def write_json(path: Path, facts: dict[str, str], table: Table, failures: list[str]) -> None:
    rows = [one.as_json() for one in table.series]
    text = json.dumps({"facts": facts, "rows": rows, "failures": failures}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
