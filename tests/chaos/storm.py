"""Messages at random through a house in which everything breaks; then what became of each.

After everything is mended and quiet, every accepted message is acked exactly once, or dead and its
sender told; `run_storm` gives the verdict and prints the counts.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from tests.chaos.faults import Breaker, add_server, make_plan, read_counts
from tests.chaos.house import LAST_MOVE, running_house
from tests.chaos.ledger import Ledger, Verdict, judge_fates
from tests.chaos.senders import say, send_all, write_letters
from tests.chaos.speed import measure_wakes, quantile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from tests.chaos.house import House
    from tests.chaos.runs import Shift

Planned = TypeVar("Planned", "Storm", "Shift")
NAME = "chaos"
QUIET_WITHIN_S = 240
IDLE_S = 5.0


@dataclass(frozen=True)
class Storm:
    """How much is sent and broken."""

    seed: int
    messages: int
    per_s: float
    faults: Mapping[str, int]
    longest_s: float
    boxed: list[str]
    rounds: int
    within_s: float
    buses: int = 1


@dataclass
class Outcome:
    """The verdict, and the figures beside it."""

    verdict: Verdict
    lines: list[str] = field(default_factory=list)


SHORT = Storm(
    seed=1,
    messages=240,
    per_s=12,
    faults=read_counts(
        "bus killed 3, bus power cut 1, cut 2, blackholed 2, muted 1, lossy 1, frozen 1,"
        " rebooted 1, power cut 1, watcher killed 2"
    ),
    longest_s=5,
    boxed=["node3", "node6"],
    rounds=3,
    within_s=180,
)
LONG = Storm(
    seed=0,
    messages=2000,
    per_s=8,
    faults=read_counts(
        "bus killed 10, bus power cut 2, bus blackholed 2, cut 8, blackholed 8, deafened 3,"
        " muted 3, lossy 3, frozen 6, rebooted 4, power cut 3, watcher killed 6, watcher stopped 3"
    ),
    longest_s=40,
    boxed=["node3", "node6", "node9"],
    rounds=20,
    within_s=1200,
)


def share(plan: Planned, buses: int, times: int = 1) -> Planned:
    """Have so many buses; what several share breaks, too."""
    if buses == 1:
        return plan
    return replace(plan, buses=buses, faults=add_server(plan.faults, times))


def run_storm(storm: Storm, folder: Path) -> Outcome:
    """Run it all; whatever happens, hosts and machines are gone afterwards."""
    say(f"seed {storm.seed}: {storm.messages} messages, {sum(storm.faults.values())} faults")
    with running_house(folder, NAME, storm.boxed, buses=storm.buses) as house:
        say(f"{len(house.nodes)} nodes and {len(house.home)} agents are there")
        lines = report_speed(house, storm.rounds)
        ledger = Ledger()
        plan = make_plan(
            storm.seed,
            storm.faults,
            storm.messages,
            house.fleet.hosts,
            storm.boxed,
            storm.longest_s,
            house.fleet.others,
        )
        breaker = Breaker(house.fleet, house.bus, house.nodes, ledger, say)
        breaker.start(plan)
        try:
            send_through(house, storm, ledger)
            breaker.join()
        finally:
            breaker.stop()
        say("everything is sent and mended")
        house.wait_quiet(QUIET_WITHIN_S)
        lines += report_quiet(house, breaker)
        house.bus.stop()
        house.bus.box.run("sync")
        verdict = judge_fates(house.bus.take_database(folder / "taken"), ledger.accepted)
        lines += report_counts(house, ledger, breaker, verdict)
    return Outcome(verdict, lines)


def send_through(house: House, storm: Storm, ledger: Ledger) -> None:
    """Have every agent's letters sent from its own node, and wait until all are accepted."""
    agents, stop = sorted(house.home), threading.Event()
    letters = write_letters(random.Random(storm.seed), agents, storm.messages)
    pools = {host: house.fleet.threads_on(host, 3) for host in house.fleet.hosts}
    begun_s = time.monotonic()
    sent: list[Future[None]] = []
    try:
        for number, agent in enumerate(agents):
            mine = [letter for letter in letters if letter.sender == agent]
            client = house.bus.client(house.tokens[agent])
            rng = random.Random(storm.seed * 100 + number)
            pool, rate = pools[house.home[agent]], storm.per_s / len(agents)
            sent.append(pool.submit(send_all, client, mine, ledger, rng, stop, rate))
        for one in sent:
            one.result(max(0.1, storm.within_s - (time.monotonic() - begun_s)))
    finally:
        stop.set()
        for pool in pools.values():
            pool.shutdown()


def report_speed(house: House, rounds: int) -> list[str]:
    """Measure the waking of everyone while nothing is broken."""
    before_s = house.bus.box.cpu_s()
    taken = measure_wakes(house, rounds)
    used_ms = (house.bus.box.cpu_s() - before_s) * 1000 / len(taken)
    points = {f"p{round(share * 100)}": quantile(taken, share) for share in (0.5, 0.95, 0.99)}
    figures = ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in points.items())
    line = f"send to woken, {len(taken)} wakes of {len(house.home)} agents: {figures}"
    say(line)
    return [line, f"bus host's processor: {used_ms:.1f} ms a message while nothing is broken"]


def report_quiet(house: House, breaker: Breaker) -> list[str]:
    """Say how long it took until all was quiet, and what the bus does then."""
    last_s = house.bus.count(LAST_MOVE) / 1000
    after_s = last_s - (time.time() - (time.monotonic() - breaker.mended_s))
    before_s = house.bus.box.cpu_s()
    threading.Event().wait(IDLE_S)
    idle = (house.bus.box.cpu_s() - before_s) / IDLE_S
    return [
        f"the last move was {after_s:.1f} s after the last fault was mended",
        f"bus host's processor when quiet: {idle:.2%} of one core (systemd included)",
    ]


def report_counts(house: House, ledger: Ledger, breaker: Breaker, verdict: Verdict) -> list[str]:
    """Put the counts into words."""
    executed = house.executions()
    verdict.counts["programs executed"] = executed.total()
    verdict.counts["beyond a message's first"] = executed.total() - len(executed)
    logs = {"the bus's": house.bus.log_lines(), "the watchers'": house.log_lines()}
    return [
        f"faults done: {show(breaker.done)}",
        f"senders: {ledger.repeated} heard only at a repetition; repeated after "
        + show(ledger.refusals),
        f"counts: {show(verdict.counts)}",
        *(
            f"lines of {whose} log: {found.total()}: {show(Counter(dict(found.most_common(8))))}"
            for whose, found in logs.items()
        ),
    ]


def show(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
