"""How long a sleeping agent takes to be woken, over the whole house and with nothing broken.

Measured by the sender's own clock: from before its send to the frame that says `woken`.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.house import House

WITHIN_S = 30


def measure_wakes(house: House, rounds: int) -> list[float]:
    """Wake every agent in turn, `rounds` times, each from sleep; gives the seconds, sorted."""
    return house.fleet.on("bus", wake_each, house, rounds)


def wake_each(house: House, rounds: int) -> list[float]:
    seen: queue.Queue[tuple[str, str, float]] = queue.Queue()
    follower = house.fleet.threads_on("bus", 1)
    over, ready = threading.Event(), threading.Event()
    following = follower.submit(follow, house, seen, ready, over)
    assert ready.wait(WITHIN_S), "the stream does not open"
    try:
        with house.bus.client(house.tokens["pat"]) as client:
            taken = []
            for agent in sorted(house.home) * rounds:
                body = {"to": agent, "body": "speed - silent -", "reply_expected": False}
                begun_s = time.monotonic()
                message_id = client.send(body)["id"]
                taken.append(wait_for(seen, message_id, "woken") - begun_s)
                wait_for(seen, message_id, "acked")
            over.set()
            client.send({"to": agent, "body": "the last", "reply_expected": False})
    finally:
        over.set()
        follower.shutdown(wait=False)
    following.result(WITHIN_S)
    return sorted(taken)


def follow(
    house: House,
    seen: queue.Queue[tuple[str, str, float]],
    ready: threading.Event,
    over: threading.Event,
) -> None:
    """Put each state on the queue with the moment when it was heard."""
    with house.bus.client(house.tokens["pat"]) as client:
        for event in client.tail("now", beats=True):
            at_s = time.monotonic()
            ready.set()
            if over.is_set():
                return
            if event.kind == "state":
                seen.put((event.data["id"], event.data["state"], at_s))


def wait_for(seen: queue.Queue[tuple[str, str, float]], message_id: str, state: str) -> float:
    """Give when a message was heard to be in a state."""
    while True:
        found_id, found_state, at_s = seen.get(timeout=WITHIN_S)
        if (found_id, found_state) == (message_id, state):
            return at_s


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(round(share * len(ordered)), len(ordered) - 1)]
