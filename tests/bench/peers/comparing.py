"""One turn of one peer: a fresh server, everything measured on it, one thing after the other.

Nothing else runs meanwhile. It must not know which peer it is.
"""

from __future__ import annotations

import signal
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from processes import processor_s_of, unshared_kib_of

from tests.bench.peers import wire
from tests.bench.peers.asked import reading, send
from tests.bench.peers.peer import (
    ACCEPT,
    BATCH,
    BATCHES,
    CATCHING_UP,
    CROWD,
    DELIVERY,
    EARLIEST,
    FAN_OUT,
    IDLE,
    LOST,
    NOW,
    SYNCS,
)
from tests.bench.peers.promises import count_syncs, kill
from tests.bench.peers.turn import BATCHERS, MAILBOXES, SENDERS, Size, Turn, bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from measure import Table

    from tests.bench.peers.peer import Peer, Sends, Server, Variant


def take(
    peer: Peer, variant: Variant, folder: Path, size: Size, table: Table, what: Iterable[str]
) -> list[str]:
    """Measure once what is asked for, as far as the peer has it; gives what failed."""
    system, failed = name_of(peer, variant), []
    with running(peer, variant, folder) as server:
        turn = Turn(peer, server, size, table, system)
        for name in what:
            if name not in MEASUREMENTS or name in peer.lacks:
                continue
            try:
                MEASUREMENTS[name](turn)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other figures stand
                traceback.print_exc()
                failed.append(f"{system}: {name}: {type(error).__name__}: {error}"[:500])
    return failed


def name_of(peer: Peer, variant: Variant) -> str:
    return f"{peer.name}, {variant.name}" if variant.name else peer.name


@contextmanager
def running(peer: Peer, variant: Variant, folder: Path) -> Iterator[Server]:
    folder.mkdir(parents=True)
    server = peer.make(folder, variant, MAILBOXES)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGKILL)
        server.close()


def accept(turn: Turn) -> None:
    """One sender, one message after the other on one connection."""
    line = turn.server.sends(0, "alone", bodies(50))
    send(turn.server, [line], seconds=turn.size.seconds / 5)
    answer = send(turn.server, [line], seconds=turn.size.seconds)
    turn.note("accept", "ms", *answer["waits_ms"])


def crowd(turn: Turn) -> None:
    """Many senders at once, each to a mailbox of its own."""
    texts = bodies(50)
    lines = [turn.server.sends(at, f"to-{at}", texts) for at in range(SENDERS)]
    push(turn, "32 senders", lines, 1)


def batches(turn: Turn) -> None:
    texts = bodies(BATCH)
    lines = [turn.server.batches(at, f"to-{at}", texts) for at in range(BATCHERS)]
    push(turn, "batches", [line for line in lines if line], BATCH)


def push(turn: Turn, words: str, lines: list[Sends], each: int) -> None:
    before_s = processor_s_of(turn.server.pids())
    answer = send(turn.server, lines, seconds=turn.size.seconds)
    used_s = processor_s_of(turn.server.pids()) - before_s
    sent = sum(answer["done"]) * each
    turn.note(f"{words}: rate", "messages/s", sent / answer["took_s"])
    turn.note(f"{words}: processor for 10,000", "s", used_s / sent * 10_000)
    turn.note(f"{words}: the client's share", "%", 100 * answer["cpu_s"] / answer["took_s"])
    turn.note(f"{words}: the client's processor", "us/message", answer["cpu_s"] / sent * 1e6)


def delivery(turn: Turn) -> None:
    """A steady sender, and one reader who is there."""
    server, count = turn.server, turn.size.paced
    line = server.sends(1, "paced", bodies(count))
    with reading(server, [server.reads("paced", 0, NOW)]) as readers:
        begun: list[int] = []

        def act() -> None:
            begun.extend(send(server, [line], rate=turn.size.rate, each=count)["begun"])

        stamps = readers.await_messages(count, act, stamps=True)["stamps"]
    waits_ms = [(came - at) / 1e6 for came, at in zip(stamps, begun, strict=True)]
    turn.note("delivery", "ms", *waits_ms)


def fan_out(turn: Turn) -> None:
    """What so many readers of one mailbox weigh, and when the last of them has a message."""
    server, count = turn.server, turn.size.readers
    weighed = unshared_kib_of(server.pids())
    with reading(server, [server.reads("crowd", at, NOW) for at in range(count)]) as readers:
        time.sleep(0.3)  # what opening them left to be done is not theirs
        if IDLE not in turn.peer.lacks:
            kib = unshared_kib_of(server.pids()) - weighed
            turn.note("idle: memory each", "KiB", kib / count)
        line = server.sends(2, "crowd", bodies(turn.size.fan_outs))
        sock, _ = wire.connect(
            list(server.address),
            [[step.send.decode("latin-1"), step.answer.decode("latin-1")] for step in line.steps],
        )
        for request in line.requests:
            begun_ns = time.monotonic_ns()
            seen = readers.await_messages(count, lambda one=request: sock.sendall(one))
            assert seen["count"] == count, f"{seen['count']} of {count} readers had the message"
            took_ms = (seen["last_ns"] - begun_ns) / 1e6
            turn.note("fan-out", "ms", took_ms)
            turn.note("fan-out: the client's processor", "ms", seen["cpu_s"] * 1000)
        sock.close()


def catch_up(turn: Turn) -> None:
    """One reader comes for what it has missed."""
    server, size = turn.server, turn.size
    line = server.batches(3, "missed", bodies(BATCH))
    each = BATCH if line else 1
    line = line or server.sends(3, "missed", bodies(BATCH))
    answer = send(server, [line], seconds=size.fill_s, each=size.missed // each)
    missed = sum(answer["done"]) * each // BATCH * BATCH
    with reading(server, [server.reads("missed", 0, EARLIEST)]) as readers:
        seen = readers.await_messages(missed, quiet_s=30)
        assert seen["count"] >= missed, f"{seen['count']} of {missed} missed messages came"
        took_s = (seen["last_ns"] - readers.opened["begun_ns"]) / 1e9
    turn.note("catching up: rate", "messages/s", missed / took_s)
    turn.note("catching up: messages", "messages", missed)


MEASUREMENTS: dict[str, Callable[[Turn], None]] = {
    ACCEPT: accept,
    CROWD: crowd,
    BATCHES: batches,
    DELIVERY: delivery,
    FAN_OUT: fan_out,
    CATCHING_UP: catch_up,
    SYNCS: count_syncs,
    LOST: kill,
}
