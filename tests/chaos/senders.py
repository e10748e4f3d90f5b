"""Good clients: each message under a key of its own, tried again until the bus has taken it.

It knows the project's own client and the ledger; not who receives, nor what is broken meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

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


class Errand(Protocol):
    """What is handed to the bus under a key of its own: a message, or a run."""

    @property
    def key(self) -> str: ...

    def hand_in(self, client: BusClient) -> tuple[str, dict[str, Any]]:
        """Give it to the bus; gives the id it got, and the answer."""


@dataclass(frozen=True)
class Letter:
    """One message to be sent; its key is in its body, so that the database can be asked for it."""

    key: str
    sender: str
    to: str
    what: str
    third: str

    def hand_in(self, client: BusClient) -> tuple[str, dict[str, Any]]:
        body = f"chaos {self.key} {self.what} {self.third}"
        message = {"to": self.to, "body": body, "type": "TASK"}
        answer = client.send(message, key=self.key)
        return answer["id"], answer


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}\n", end="", flush=True)  # at once, of many threads


def write_letters(rng: random.Random, agents: list[str], count: int) -> list[Letter]:
    """Throw who writes to whom, and what that one is to do."""
    letters = []
    for number in range(count):
        sender, to, third = rng.sample(agents, 3)
        (what,) = rng.choices(list(WHAT), list(WHAT.values()))
        letters.append(Letter(f"{number:05d}", sender, to, what, third))
    return letters


def send(
    client: BusClient, errand: Errand, ledger: Ledger, rng: random.Random, stop: threading.Event
) -> None:
    """Hand one in until the bus says 202; gives up where it is refused for good, or stopped."""
    failures = 0
    while not stop.is_set():
        try:
            its_id, answer = errand.hand_in(client)
        except ClientError as error:
            if not (error.unreachable or error.passes or error.more.get("retryable")):
                raise
            ledger.note_refusal(error.code)
            failures += 1
            longest_s = min(LONGEST_PAUSE_S, 0.05 * 2**failures)
            stop.wait((error.retry_after or 0.0) + rng.uniform(0, longest_s))
        else:
            ledger.note(errand.key, its_id, repeated=answer["deduplicated"])
            return


def send_all(
    client: BusClient,
    errands: Iterable[Errand],
    ledger: Ledger,
    rng: random.Random,
    stop: threading.Event,
    per_s: float = 0.0,
) -> None:
    """Hand them in one after the other, at random times where `per_s` names a mean rate."""
    with client:
        for errand in errands:
            if stop.wait(rng.expovariate(per_s) if per_s else 0):
                return
            send(client, errand, ledger, rng, stop)
