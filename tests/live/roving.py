"""Senders at every process of a fleet, and readers that change process at random and keep order.

As a test for seconds; for as long as one likes: `python -m tests.live.roving --seconds 300`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.rover import Rover
from tests.conftest import until
from tests.live.fleetrig import fleet_on
from tests.postgres import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.fleetrig import FleetOf

LIMITS = {"BUS_RATE_PER_S": "100000", "BUS_RATE_BURST": "100000", "BUS_MAX_INBOX": "1000000"}
LIMITS |= {"BUS_GUARD_BURST": "0", "BUS_GUARD_MESSAGES": "0", "BUS_GUARD_WAKES": "0"}
PARTIES = 10
EACH = 3
"""Readers of one message."""
PAUSE_S = 0.02
CATCH_UP_S = 120


@dataclass
class Sent:
    """What was accepted for each reader, and what was refused."""

    accepted: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def send_on(
    token: str, readers: list[str], choose: Callable[[], str], sent: Sent, until_s: float
) -> None:
    """Send to some readers at a time, by one process for a while and then by another."""
    chance = random.Random(token)
    while time.monotonic() < until_s:
        where = choose().removeprefix("http://")
        try:
            with closing(HTTPConnection(where, timeout=30)) as link:
                for _ in range(chance.randint(1, 20)):
                    send(link, token, chance.sample(readers, EACH), sent)
                    time.sleep(PAUSE_S)
        except (OSError, HTTPException) as error:
            sent.answers[type(error).__name__] += 1


def send(link: HTTPConnection, token: str, to: list[str], sent: Sent) -> None:
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    link.request("POST", "/api/send", json.dumps({"to": to, "body": "x" * 200}), head)
    answer = link.getresponse()
    said = json.loads(answer.read())
    with sent.lock:
        sent.answers[str(answer.status)] += 1
        if answer.status == 202:
            for name in to:
                sent.accepted[name].add(said["id"])


def rove(fleet: FleetOf, seconds: float, seed: int) -> dict[str, Any]:
    """Have them send and read for so long; gives the figures, where every reader's order held."""
    urls = [machine.url for machine in fleet.machines]
    chance = random.Random(seed)

    def choose() -> str:
        return chance.choice(urls)

    names = [f"reader{number}" for number in range(PARTIES)]
    rovers = [Rover(name, fleet.agent(name), choose, seed) for name in names]
    sent, end_s = Sent(), time.monotonic() + seconds
    senders = [
        threading.Thread(
            target=send_on,
            args=(fleet.agent(f"sender{number}"), names, choose, sent, end_s),
            daemon=True,
        )
        for number in range(PARTIES)
    ]
    for one in senders:
        one.start()
    for one in senders:
        one.join(seconds + CATCH_UP_S)
        assert not one.is_alive(), "a sender hangs"
    for rover in rovers:
        wanted = sent.accepted[rover.name]
        until(lambda r=rover, w=wanted: r.wrong or len(r.ids) >= len(w), CATCH_UP_S, "all is heard")
    for rover in rovers:
        rover.end()
        assert not rover.wrong, rover.wrong
        assert len(rover.ids) == len(set(rover.ids)), f"{rover.name} heard something twice"
        assert set(rover.ids) == sent.accepted[rover.name], f"{rover.name} did not hear all"
    return {
        "accepted": len(set().union(*sent.accepted.values())),
        "heard": sum(len(rover.ids) for rover in rovers),
        "changes of process": sum(rover.counts["answer 200"] for rover in rovers),
        "answers": dict(sent.answers),
    }


def main() -> None:
    """Run it for as long as is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--machines", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    with (
        serving() as cluster,
        tempfile.TemporaryDirectory() as folder,
        fleet_on(cluster, Path(folder), asked.machines, **LIMITS) as fleet,
    ):
        print(json.dumps(rove(fleet, asked.seconds, asked.seed), indent=1))


if __name__ == "__main__":
    main()
