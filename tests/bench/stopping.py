"""How long a bus with open streams takes to stop."""

from __future__ import annotations

import os
import selectors
import signal
import time
from typing import TYPE_CHECKING

from asking import address_of, open_stream
from measure import OURS
from rig import add_agent, running_bus

if TYPE_CHECKING:
    import socket

    from measure import Table
    from rig import Plan

STOPPED_WITH = 50
LIVES = 3
LAST_CHUNK = b"0\r\n\r\n"


def run(plan: Plan, table: Table) -> None:
    what = f"SIGTERM with {STOPPED_WITH} open streams"
    bye = table.add(f"{what}: until the last bye", OURS, "ms")
    ended = table.add(f"{what}: until exit", OURS, "ms")
    for number in range(min(LIVES, plan.rounds)):
        with running_bus(plan.folder / f"stop-{number}") as bus:
            address = address_of(bus.url)
            tokens = [add_agent(bus, f"agent-{at}") for at in range(STOPPED_WITH)]
            streams = [open_stream(address, token) for token in tokens]
            begun_s = time.perf_counter()
            os.killpg(bus.process.pid, signal.SIGTERM)
            read_to_the_end(streams)
            bye.samples.append((time.perf_counter() - begun_s) * 1000)
            assert bus.process.wait(30) == 0
            ended.samples.append((time.perf_counter() - begun_s) * 1000)


def read_to_the_end(streams: list[socket.socket]) -> None:
    """Read each stream to its end and close it, as a client does."""
    with selectors.DefaultSelector() as ready:
        tails = dict.fromkeys(streams, b"")
        for stream in streams:
            ready.register(stream, selectors.EVENT_READ)
        while tails:
            for key, _ in ready.select():
                stream = key.fileobj
                more = stream.recv(65536)
                tails[stream] = (tails[stream] + more)[-1000:]
                if not more or tails[stream].endswith(LAST_CHUNK):
                    assert b"event: bye" in tails.pop(stream)
                    ready.unregister(stream)
                    stream.close()
