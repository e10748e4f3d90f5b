"""Measures wakebus against a bus that polls every second, side by side, and prints the figures.

`python tests/bench/run.py [--quick|--full] [--million] [--only NAME] [--rounds N] [--write] ...`
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
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
import aims
import arrive
import board
import catchup
import cpu
import dispatch
import fanout
import filler
import idle
import machine
import numbers_page
import openclawturn
import sessions
import stopping
import tokens
import waking
from measure import Table
from rig import Plan, make_bus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Measurement = Callable[[Plan, Table], None]

MEASUREMENTS = {
    "accept": accept.run,
    "cpu": cpu.run,
    "dispatch": dispatch.run,
    "arrive": arrive.run,
    "waking": waking.run,
    "catchup": catchup.run,
    "fanout": fanout.run,
    "tokens": tokens.run,
    "board": board.run,
    "sessions": sessions.run,
    "idle": idle.run,
    "stopping": stopping.run,
    "openclaw": openclawturn.run,
}
MILLION = 1_000_000
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
        raise_limits()
        machine.time_syncs(table, plan.folder)
        with only_the_table_on_stdout():
            if asked.million:
                plan.filled = fill(plan, table)
            for name in asked.only or MEASUREMENTS:
                at_s = time.monotonic() - begun_s
                print(f"{at_s:.0f} s: {name}", file=sys.stderr, flush=True)
                failures += attempt(MEASUREMENTS[name], plan, table)
    facts |= {
        "load average after": machine.load_after(),
        "rounds": str(plan.rounds),
        "seed": str(plan.seed),
        "took": f"{time.monotonic() - begun_s:.0f} s",
    }
    report(facts, table, failures)
    if asked.write:
        numbers_page.write(facts, table)
    if asked.json:
        write_json(asked.json, facts, table, failures)
    return 1 if failures else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a look that takes a minute")
    size.add_argument("--full", action="store_true", help="all of it, most of twelve minutes")
    parser.add_argument("--million", action="store_true", help="also after 1,000,000 messages")
    names = list(MEASUREMENTS)
    parser.add_argument("--only", action="append", choices=names, help="may be repeated")
    parser.add_argument("--rounds", type=int, help="how often each system has its turn")
    parser.add_argument("--seed", type=int, help="of the random pauses between sends")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write facts and samples there")
    parser.add_argument("--write", action="store_true", help="into docs/explanation/numbers.md")
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="the disk to measure on")
    asked = parser.parse_args()
    asked.million = asked.million or asked.full
    return asked


def make_plan(asked: argparse.Namespace, folder: Path) -> Plan:
    plan = Plan(
        rounds=asked.rounds or (1 if asked.quick else 5),
        seconds=0.5 if asked.quick else 1.5,
        senders=32,
        streams=[100] if asked.quick else [1000, 10_000] if asked.full else [1000],
        missed=1000 if asked.quick else 10_000,
        listeners=100 if asked.quick else 1000,
        token_s=60 if asked.full else 5 if not asked.quick else 1,
        tasks=1000 if asked.quick else 100_000,
        sessions=10 if asked.quick else 100,
        entries=1000 if asked.quick else 10_000,
        seed=random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed,
        folder=folder,
    )
    if os.environ.get("WAKEBUS_LAB") and not asked.quick:
        plan.openclaw_rounds = 5 if asked.full else 3
    return plan


def raise_limits() -> None:
    """Allow as many open files as this user may have; what is started here inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def fill(plan: Plan, table: Table) -> Path:
    """Make a bus that has had a million messages."""
    bus, begun_s = make_bus(plan.folder / "filled"), time.monotonic()
    filler.add_old(bus.database, MILLION)
    took = table.add(f"filling a database with {MILLION:,} messages", "this machine", "s")
    took.samples.append(time.monotonic() - begun_s)
    return bus.data_dir


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
    print("\n".join(["", "Aims:", *aims.lines(table)]))
    for failure in failures:
        print(f"FAILED {failure}")


def write_json(path: Path, facts: dict[str, str], table: Table, failures: list[str]) -> None:
    rows = [one.as_json() for one in table.series]
    judged = [one.as_json() for one in aims.judge(table)]
    whole = {"facts": facts, "rows": rows, "aims": judged, "failures": failures}
    text = json.dumps(whole, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
