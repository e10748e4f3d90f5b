"""The bus dies again and again under 32 senders: killed with -9, or its machine's power cut.

After each death the database is taken as the disk has it, before the bus may mend anything: it
must be sound, hold all that was accepted so far, and hold it once.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from tests.chaos.ledger import Ledger, judge_store
from tests.chaos.senders import Letter, say, send, send_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.chaos.victims import Victim

SENDERS = 32
SENT_BETWEEN = 64
"""How many messages are accepted, at least, between two deaths."""
LONGEST_S = 0.3
"""After them it dies at a moment at random within this time."""
WITHIN_S = 60
TOLD_EVERY = 10


@dataclass
class Deaths:
    """What came of it."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {number}" for name, number in self.counts.items())
        back = sorted(self.back_s)
        return (
            f"{counts}; back after {back[len(back) // 2]:.2f} s (median), {back[-1]:.2f} s (most)"
        )


def run_deaths(victim: Victim, times: int, seed: int, folder: Path) -> Deaths:
    """Send from 32 senders without a pause while the victim dies so many times."""
    ledger, stop, rng = Ledger(), threading.Event(), random.Random(seed)
    result = Deaths()
    with victim.threads(SENDERS) as pool:
        tokens = pool.submit(register, victim).result()
        sent = [
            pool.submit(
                *(send_all, victim.client(token), endless(name), ledger),
                *(random.Random(f"{seed} {name}"), stop),
            )
            for name, token in tokens.items()
        ]
        try:
            for number in range(1, times + 1):
                die_once(victim, ledger, rng, folder, result, sent)
                if result.wrong:  # the senders' own tokens may be among what was lost
                    return result
                if number % TOLD_EVERY == 0:
                    say(f"{number} of {times} deaths, {len(ledger.accepted)} accepted")
        finally:
            stop.set()
        for one in sent:
            one.result(WITHIN_S)
        repeated = pool.submit(repeat_last, victim, tokens, ledger).result()
    victim.die()
    judge(victim, ledger, folder, result)
    result.counts |= Counter(
        {"deaths": times, "heard only at a repetition": ledger.repeated - repeated}
    )
    result.counts["sent once more at the end, deduplicated"] = repeated
    return result


def register(victim: Victim) -> dict[str, str]:
    """Make the senders, and one who reads nothing."""
    with victim.client() as client:
        client.add_agent("sink")
        names = [f"s{number:02d}" for number in range(SENDERS)]
        for name in names:
            client.add_agent(name)
        return {name: client.new_token("agent", name)["token"] for name in names}


def endless(name: str) -> Iterator[Letter]:
    return (Letter(f"{name}-{number}", name, "sink", "silent", "-") for number in count())


def die_once(
    victim: Victim,
    ledger: Ledger,
    rng: random.Random,
    folder: Path,
    result: Deaths,
    sent: list[Future[None]],
) -> None:
    """Let some be accepted, kill at a moment at random, judge what is on the disk, come back."""
    wanted = len(ledger.accepted) + SENT_BETWEEN
    if not ledger.wait_for(wanted, WITHIN_S):
        for one in sent:
            if one.done():
                one.result()  # a sender that was refused for good says why
        raise AssertionError(f"nothing is accepted any more: {ledger.refusals}")
    threading.Event().wait(rng.uniform(0, LONGEST_S))
    victim.die()
    judge(victim, ledger, folder, result)
    begun_s = time.monotonic()
    victim.come_back()
    result.back_s.append(time.monotonic() - begun_s)


def judge(victim: Victim, ledger: Ledger, folder: Path, result: Deaths) -> None:
    """Hold a copy of the database, as death left it, against what the senders heard."""
    verdict = judge_store(victim.take_database(folder / "taken"), dict(ledger.accepted))
    result.counts["databases found sound"] += not any("integrity" in one for one in verdict.wrong)
    result.counts |= verdict.counts
    result.wrong += verdict.wrong


def repeat_last(victim: Victim, tokens: dict[str, str], ledger: Ledger) -> int:
    """Send each sender's last message once more; gives for how many the bus knew the key."""
    before, stop = ledger.repeated, threading.Event()
    for name, token in tokens.items():
        mine = [key for key in ledger.accepted if key.startswith(f"{name}-")]
        with victim.client(token) as client:
            last = Letter(mine[-1], name, "sink", "silent", "-")
            send(client, last, ledger, random.Random(name), stop)
    return ledger.repeated - before
