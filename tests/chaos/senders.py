"""Good clients: each message under a key of its own, tried again until the bus has taken it.

It knows the project's own client and the ledger; not who receives, nor what is broken meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.client import ClientError

if TYPE_CHECKING:
    import random
    import threading
    from collections.abc import Iterable

    from bus.client import BusClient
    from tests.chaos.ledger import Ledger

LONGEST_PAUSE_S = 2.0
WHAT = {"answer": 10, "silent": 4, "ask": 3, "stumble": 2, "fail": 1}
"""What a recipient is asked to do, and how often of the sum."""


@dataclass(frozen=True)
class Letter:
    """One message to be sent; its key is in its body, so that the database can be asked for it."""

    key: str
    sender: str
    to: str
    what: str
    third: str

    def as_message(self) -> dict[str, str]:
        body = f"chaos {self.key} {self.what} {self.third}"
        return {"to": self.to, "body": body, "type": "TASK"}


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def write_letters(rng: random.Random, agents: list[str], count: int) -> list[Letter]:
    """Throw who writes to whom, and what that one is to do."""
    letters = []
    for number in range(count):
        sender, to, third = rng.sample(agents, 3)
        (what,) = rng.choices(list(WHAT), list(WHAT.values()))
        letters.append(Letter(f"{number:05d}", sender, to, what, third))
    return letters


def send(
    client: BusClient, letter: Letter, ledger: Ledger, rng: random.Random, stop: threading.Event
) -> None:
    """Send a letter until the bus says 202; gives up where it is refused for good, or stopped."""
    failures = 0
    while not stop.is_set():
        try:
            answer = client.send(letter.as_message(), key=letter.key)
        except ClientError as error:
            if not (error.unreachable or error.more.get("retryable")):
                raise
            ledger.note_refusal(error.code)
            failures += 1
            longest_s = min(LONGEST_PAUSE_S, 0.05 * 2**failures)
            stop.wait((error.retry_after or 0.0) + rng.uniform(0, longest_s))
        else:
            ledger.note(letter.key, answer["id"], repeated=answer["deduplicated"])
            return


def send_all(
    client: BusClient,
    letters: Iterable[Letter],
    ledger: Ledger,
    rng: random.Random,
    stop: threading.Event,
    per_s: float = 0.0,
) -> None:
    """Send letters one after the other, at random times where `per_s` names a mean rate."""
    with client:
        for letter in letters:
            if stop.wait(rng.expovariate(per_s) if per_s else 0):
                return
            send(client, letter, ledger, rng, stop)
