"""Parents that dispatch runs and go on, and a person who reads what came of hers.

It knows the project's own client; not what is broken meanwhile, nor how a run should end.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.client import ClientError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from bus.client import BusClient
    from tests.chaos.house import House

PERSON = "pat"
LIMIT_S = {"hang": 4}
ELSE_S = 60
WHAT = {"answer": 8, "slow": 6, "fail": 2, "hang": 2, "recall": 2}
"""What a worker does, and how often of the sum; `recall` is slow and taken back by its parent."""
LOOK_S, PAUSE_S = 5, 0.3


@dataclass(frozen=True)
class Task:
    """One run to be dispatched; its key is in its brief, so that both ends can be asked for it."""

    key: str
    parent: str
    worker: str
    what: str
    for_s: float
    cleanup: str

    def hand_in(self, client: BusClient) -> tuple[str, dict[str, Any]]:
        """Dispatch it, and take it back a moment later where that is to be."""
        does = "slow" if self.what == "recall" else self.what
        run = {
            "worker": self.worker,
            "task": f"chaos {self.key} {does} {self.for_s:.1f}",
            "label": f"task-{self.key}",
            "run_timeout_seconds": LIMIT_S.get(self.what, ELSE_S),
            "cleanup": self.cleanup,
        }
        answer = client.start_run(run, key=self.key)
        if self.what == "recall":
            threading.Event().wait(PAUSE_S)  # so that some are being worked on
            take_back(client, answer["run_id"])
        return answer["run_id"], answer


def take_back(client: BusClient, run_id: str) -> None:
    """Cancel a run; one that is over already stays as it is."""
    try:
        client.cancel_run(run_id, "changed my mind")
    except ClientError as error:
        if error.code != "run_over":
            raise


def write_tasks(
    rng: random.Random, parents: list[str], workers: list[str], count: int, slowest_s: float
) -> list[Task]:
    """Throw who has whom do what, and how long it takes."""
    seconds = {"slow": (slowest_s / 8, slowest_s), "hang": (600.0, 600.0), "recall": (30.0, 30.0)}
    tasks = []
    for number in range(count):
        (what,) = rng.choices(list(WHAT), list(WHAT.values()))
        for_s = rng.uniform(*seconds.get(what, (0.0, 0.0)))
        whose, by = rng.choice(parents), rng.choice(workers)
        cleanup = rng.choice(["keep", "delete"])
        tasks.append(Task(f"{number:05d}", whose, by, what, for_s, cleanup))
    return tasks


@contextmanager
def reading_person(house: House) -> Iterator[None]:
    """Have the person read and settle her mail meanwhile, as her page does; no wake reaches her."""
    over = threading.Event()
    with house.fleet.threads_on("bus", 1) as pool:
        reading = pool.submit(read_on, house, over)
        try:
            yield
        finally:
            over.set()
        reading.result()


def read_on(house: House, over: threading.Event) -> None:
    with house.bus.client(house.tokens[PERSON]) as client:
        while not over.is_set():
            try:
                items = client.inbox(wait_s=LOOK_S)["items"]
                if items:
                    client.ack([item["handle"] for item in items])
            except ClientError as error:
                if not (error.unreachable or error.more.get("retryable")):
                    raise
                over.wait(error.retry_after or PAUSE_S)
