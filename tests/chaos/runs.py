"""Runs at random through a house in which everything breaks; then what became of each.

After everything is mended and quiet, every accepted run has ended once and was executed once at
most, and its parent has one result of it; `run_runs` gives the verdict and prints the counts.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.fates import ENDS, count_met, judge_runs
from tests.chaos.faults import Breaker, make_plan, read_counts
from tests.chaos.house import NODES, OPEN_RUNS, running_house
from tests.chaos.ledger import Ledger
from tests.chaos.parents import PERSON, reading_person, write_tasks
from tests.chaos.senders import say, send_all
from tests.chaos.speed import quantile
from tests.chaos.storm import QUIET_WITHIN_S, Outcome, show
from tests.conftest import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tests.chaos.fates import Fates
    from tests.chaos.house import House
    from tests.chaos.ledger import Verdict
    from tests.chaos.parents import Task

NAME = "chaosruns"
PARENTS = WORKERS = NODES
CLEAN_WITHIN_S = 60
MARK = re.compile(rb"\0WAKEBUS_RUN_ID=(r_\w+)")


@dataclass(frozen=True)
class Shift:
    """How much is dispatched and broken."""

    seed: int
    runs: int
    per_s: float
    slowest_s: float
    faults: Mapping[str, int]
    longest_s: float
    boxed: list[str]
    within_s: float
    buses: int = 1


SHORT = Shift(
    seed=1,
    runs=36,
    per_s=5,
    slowest_s=5,
    faults=read_counts(
        "bus killed 2, bus power cut 1, cut 2, blackholed 1, frozen 1, rebooted 1, power cut 1,"
        " watcher killed 3"
    ),
    longest_s=4,
    boxed=["node3"],
    within_s=60,
)
LONG = Shift(
    seed=0,
    runs=200,
    per_s=1,
    slowest_s=40,
    faults=read_counts(
        "bus killed 8, bus power cut 1, bus blackholed 2, cut 8, blackholed 6, deafened 3, muted 3,"
        " lossy 3, frozen 6, rebooted 5, power cut 4, watcher killed 10, watcher stopped 4"
    ),
    longest_s=45,
    boxed=["node3", "node6", "node9"],
    within_s=1200,
)


def run_runs(shift: Shift, folder: Path) -> Outcome:
    """Run it all; whatever happens, hosts and machines are gone afterwards."""
    say(f"seed {shift.seed}: {shift.runs} runs, {sum(shift.faults.values())} faults")
    with running_house(folder, NAME, shift.boxed, PARENTS, WORKERS, shift.buses) as house:
        say(f"{len(house.nodes)} nodes with a parent and a worker each are there, and a person")
        parents = [agent for node in house.nodes for agent in node.agents]
        workers = [worker for node in house.nodes for worker in node.workers]
        tasks = write_tasks(
            *(random.Random(shift.seed), [*parents, PERSON], workers),
            *(shift.runs, shift.slowest_s),
        )
        ledger = Ledger()
        plan = make_plan(
            *(shift.seed, shift.faults, shift.runs, house.fleet.hosts, shift.boxed),
            *(shift.longest_s, house.fleet.others),
        )
        breaker = Breaker(house.fleet, house.bus, house.nodes, ledger, say)
        with reading_person(house):
            breaker.start(plan)
            try:
                dispatch_all(house, shift, tasks, ledger)
                breaker.join()
            finally:
                breaker.stop()
            say("everything is dispatched and mended")
            house.wait_quiet(QUIET_WITHIN_S, OPEN_RUNS)
            house.fleet.on("bus", wake_all, house, parents)
            house.wait_quiet(QUIET_WITHIN_S)
        wait_clean(house, set(ledger.accepted.values()))
        house.bus.stop()
        house.bus.box.run("sync")
        taken = house.bus.take_database(folder / "taken")
        verdict, fates = judge_runs(taken, ledger.accepted, tasks, house.executions())
        lines = report(house, tasks, ledger, breaker, verdict, fates)
    return Outcome(verdict, lines)


def dispatch_all(house: House, shift: Shift, tasks: list[Task], ledger: Ledger) -> None:
    """Have every parent dispatch its runs from where it is, and wait until all are accepted."""
    parents, stop = sorted({task.parent for task in tasks}), threading.Event()
    hosts = {parent: house.home.get(parent, "bus") for parent in parents}
    pools = {parent: house.fleet.threads_on(hosts[parent], 1) for parent in parents}
    begun_s = time.monotonic()
    given: list[Future[None]] = []
    try:
        for parent in parents:
            mine = [task for task in tasks if task.parent == parent]
            client = house.bus.client(house.tokens[parent])
            rng, rate = random.Random(f"{shift.seed} {parent}"), shift.per_s / len(parents)
            given.append(pools[parent].submit(send_all, client, mine, ledger, rng, stop, rate))
        for one in given:
            one.result(max(0.1, shift.within_s - (time.monotonic() - begun_s)))
    finally:
        stop.set()
        for pool in pools.values():
            pool.shutdown()


def wake_all(house: House, parents: list[str]) -> None:
    """Have every parent read its mail: nobody is woken for a run that it took back itself."""
    with house.bus.client(house.tokens[PERSON]) as client:
        for parent in parents:
            client.send({"to": parent, "body": "all is done", "reply_expected": False})


def wait_clean(house: House, run_ids: set[str]) -> None:
    """Wait until no program of a run lives and no watcher has one in its book."""
    until(lambda: not find_alive(run_ids), CLEAN_WITHIN_S, "no program of a run is left")
    for node in house.nodes:
        until(lambda one=node: not one.runs_in_hand(), CLEAN_WITHIN_S, f"{node.name} owes nothing")


def find_alive(run_ids: set[str]) -> list[str]:
    """Find the programs of these runs on all nodes, which are hosts and boxes of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            mark = MARK.search(b"\0" + file.read_bytes())
        except OSError:  # it has just ended
            continue
        if mark and mark[1].decode() in run_ids:
            found.append(f"{mark[1].decode()} is process {file.parent.name}")
    return found


def report(
    house: House,
    tasks: list[Task],
    ledger: Ledger,
    breaker: Breaker,
    verdict: Verdict,
    fates: Fates,
) -> list[str]:
    """Put the counts into words."""
    what = {task.key: task.what for task in tasks}
    by_what = {
        one: Counter(run.state for run in fates.runs if what[run.key] == one)
        for one in dict.fromkeys(what.values())
    }
    home = {worker: node.name for node in house.nodes for worker in node.workers}
    met = count_met(breaker.windows, fates.runs, home)
    times = {
        state: sorted(run.took_s for run in fates.runs if run.state == state) for state in ENDS
    }
    times["all"] = sorted(run.took_s for run in fates.runs if run.ended_ms is not None)
    return [
        f"counts: {show(verdict.counts)}",
        *(f"{one}: {show(states)}" for one, states in sorted(by_what.items())),
        f"faults done: {show(breaker.done)}",
        *(f"at work where it was {kind}: {show(states)}" for kind, states in sorted(met.items())),
        f"parents: {ledger.repeated} heard only at a repetition; repeated after "
        + show(ledger.refusals),
        *(f"dispatch to end, {name}: {describe(taken)}" for name, taken in times.items() if taken),
        *(f"{count} ended as {why}" for why, count in count_reasons(fates).most_common()),
    ]


def describe(taken: list[float]) -> str:
    """Give the middle, the slow ones and the slowest."""
    points = ", ".join(
        f"p{round(share * 100)} {quantile(taken, share):.1f} s" for share in (0.5, 0.95)
    )
    return f"{len(taken)} runs, {points}, most {taken[-1]:.1f} s"


def count_reasons(fates: Fates) -> Counter[str]:
    """Count why runs did not complete."""
    return Counter(
        f"{run.state}: {run.reason.splitlines()[0][:100]}"
        for run in fates.runs
        if run.state != "completed"
    )
