"""What an acknowledgement is worth: seen in the server's syncs, and after a kill with -9."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import syncs

from tests.bench.peers.asked import reading, send
from tests.bench.peers.peer import write_body
from tests.bench.peers.turn import KILL_EACH, KILL_SENDERS, QUIET_S, SENDERS, bodies

if TYPE_CHECKING:
    from tests.bench.peers.peer import Sends, Server
    from tests.bench.peers.turn import Turn


def count_syncs(turn: Turn) -> None:
    """See, traced, how often it syncs, and whether before it acknowledges."""
    server, count = turn.server, turn.size.synced
    line = server.sends(4, "alone", bodies(count))
    answers: list[dict[str, Any]] = []
    lines = [server.sends(at, f"to-{at}", bodies(4)) for at in range(SENDERS)]
    for words, asked, each in (("one sender", [line], count), ("32 senders", lines, 4)):
        work = partial(send_into, answers, server, asked, each)
        found = syncs.watch(server.pids(), work)
        what = f"syncs: a message, {words}"
        if isinstance(found, str):
            turn.table.skip(what, turn.system, f"unknown ({found})")
            continue
        turn.note(what, "syncs/message", len(found) / (each * len(asked)))
        if asked is not lines:
            turn.note("syncs: before the answer", "%", 100 * share_before(found, answers[-1]))


def send_into(answers: list[dict[str, Any]], server: Server, lines: list[Sends], each: int) -> None:
    answers.append(send(server, lines, each=each))


def share_before(found: list[tuple[float, float]], answer: dict[str, Any]) -> float:
    """Say of how many messages a sync began after they were sent and ended before the answer."""
    from_monotonic_s = time.time() - time.monotonic()
    sent = [at / 1e9 + from_monotonic_s for at in answer["begun"]]
    answered = [at + wait / 1e3 for at, wait in zip(sent, answer["waits_ms"], strict=True)]
    synced = [
        any(at <= begun and ended <= until for begun, ended in found)
        for at, until in zip(sent, answered, strict=True)
    ]
    return sum(synced) / len(synced)


def kill(turn: Turn) -> None:
    """Kill it in the middle of sends, start it again, and look for all that it acknowledged."""
    server = turn.server
    texts = [
        [write_body(at * 1_000_000 + number) for number in range(KILL_EACH)]
        for at in range(KILL_SENDERS)
    ]
    lines = [server.sends(at, "killed", texts[at]) for at in range(KILL_SENDERS)]

    def act() -> None:
        time.sleep(random.uniform(0.1, 0.4))
        server.stop(signal.SIGKILL)

    answer = send(server, lines, meanwhile=act, each=KILL_EACH, may_die=True)
    assert answer["died"], "it was not killed in the middle"
    acked = {
        text[1:9].decode()
        for sent, done in zip(texts, answer["done"], strict=True)
        for text in sent[:done]
    }
    server.start()
    with reading(server, [server.left("killed")]) as readers:
        missing = set(acked)
        while missing:  # what was kept though nobody was told comes in between
            seen = readers.await_messages(len(missing), marks=True, quiet_s=QUIET_S)
            found = missing & set(seen["marks"])
            missing -= found
            if not found:
                break
    turn.note("lost: acknowledged", "messages", len(acked))
    turn.note("lost: of them", "messages", len(missing))
