"""Compares the bus with its peers: one run, in turns, on this machine, with the same messages.

`python -m tests.bench.peers.run [--only NAMES] [--rounds N] [--write] [--quick] ...`
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import machine
from measure import Table
from run import only_the_table_on_stdout, raise_limits

from tests.bench.peers import comparing, page, turn
from tests.bench.peers.everyone import PEERS
from tests.bench.peers.peer import ALL, LOST, SYNCS

if TYPE_CHECKING:
    from tests.bench.peers.peer import Peer, Variant

    Contender = tuple[str, Peer, Variant]

ONCE = {SYNCS, LOST}
"""What does not differ from round to round as times do, and takes long; `--what` asks for more."""
QUICK = turn.Size(seconds=0.2, paced=10, readers=20, fan_outs=2, missed=200, fill_s=2.0, synced=4)
WARNING = (
    "Machines are noisy and differ: the ratios count, not the milliseconds. All ran in this one\n"
    "run, one at a time and in turns, on this machine, asked by the same client over loopback.\n"
    "ratio: a row's median by that of its measurement's first row, which is wakebus's."
)


def main() -> int:
    asked = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever runs is ended on the way out
    begun_s, table, failed = time.monotonic(), Table(), list[str]()
    there, missing = find(asked.only)
    with tempfile.TemporaryDirectory(prefix="peers-", dir=asked.dir) as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)  # a PostgreSQL runs as a user of its own
        facts = machine.describe(folder)
        raise_limits()
        machine.time_syncs(table, folder)
        with only_the_table_on_stdout():
            for number in range(asked.rounds):
                for contender in there[:: -1 if number % 2 else 1]:
                    say(begun_s, number, contender)
                    failed += attempt(asked, number, contender, folder, table)
    facts |= {
        "load average after": machine.load_after(),
        "rounds": str(asked.rounds),
        "took": f"{time.monotonic() - begun_s:.0f} s",
    }
    report(facts, table, missing, failed)
    if asked.json:
        write_json(asked.json, facts, table, missing, failed)
    if asked.write:
        page.write(facts, table, [(peer, variant) for _, peer, variant in there], missing, failed)
    return 1 if failed else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help=f"names, with commas: {','.join(PEERS)}")
    parser.add_argument("--what", help=f"measurements, with commas: {','.join(ALL)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each has its turn")
    parser.add_argument("--quick", action="store_true", help="so little that it shows nothing")
    parser.add_argument("--write", action="store_true", help="into docs/explanation/numbers.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write facts and samples there")
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="the disk to measure on")
    asked = parser.parse_args()
    asked.only = asked.only.split(",") if asked.only else list(PEERS)
    asked.what = asked.what.split(",") if asked.what else list(ALL)
    for given, known in ((asked.only, PEERS), (asked.what, ALL)):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"not known: {', '.join(unknown)}; there are {', '.join(known)}")
    return asked


def find(names: list[str]) -> tuple[list[Contender], dict[str, str]]:
    """List who is installed, in every variant, and how the others would be."""
    there: list[Contender] = []
    missing = {}
    for name in names:
        peer = PEERS[name]
        if peer.version() is None:
            missing[peer.name] = peer.install
        else:
            there += [(name, peer, variant) for variant in peer.variants]
    return there, missing


def say(begun_s: float, number: int, contender: Contender) -> None:
    _, peer, variant = contender
    at_s = time.monotonic() - begun_s
    words = f"{at_s:.0f} s: round {number + 1}: {comparing.name_of(peer, variant)}"
    print(words, file=sys.stderr, flush=True)


def attempt(
    asked: argparse.Namespace, number: int, contender: Contender, folder: Path, table: Table
) -> list[str]:
    """Have one its turn; a failure is shown at the end and does not take the other figures."""
    name, peer, variant = contender
    place = folder / f"{number}-{name}-{peer.variants.index(variant)}"
    what = [one for one in asked.what if number == 0 or one not in ONCE or asked.what != list(ALL)]
    try:
        return comparing.take(
            peer, variant, place, QUICK if asked.quick else turn.Size(), table, what
        )
    except Exception as error:  # noqa: BLE001 - likewise
        traceback.print_exc()
        system = comparing.name_of(peer, variant)
        return [f"{system}: its turn: {type(error).__name__}: {error}"[:500]]


def report(facts: dict[str, str], table: Table, missing: dict[str, str], failed: list[str]) -> None:
    for name, fact in facts.items():
        print(f"{name + ':':<22}{fact}")
    print(f"\n{WARNING}\n")
    print("\n".join(table.lines()))
    for name, how in missing.items():
        print(f"not installed: {name} ({how})")
    for failure in failed:
        print(f"FAILED {failure}")


def write_json(
    path: Path, facts: dict[str, str], table: Table, missing: dict[str, str], failed: list[str]
) -> None:
    rows = [one.as_json() for one in table.series]
    whole = {"facts": facts, "rows": rows, "missing": missing, "failed": failed}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
