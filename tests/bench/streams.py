"""What open streams cost: memory and processor time while nothing happens, and the time to stop."""

from __future__ import annotations

import os
import selectors
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from measure import OURS
from rig import (
    POLLING,
    add_agent,
    address_of,
    open_stream,
    post,
    running_bus,
    running_polling_bus,
    write_post,
)
from syncs import members

if TYPE_CHECKING:
    import socket

    from measure import Table
    from rig import Plan

STOPPED_WITH = 50
EACH = 25
"""Streams of one agent; the bus allows 32."""
IDLE_S = 15.0
"""One heartbeat of each of our streams falls into this."""
LIVES = 3
LAST_CHUNK = b"0\r\n\r\n"


@dataclass
class Holder:
    """A bus, and the streams that are held open at it."""

    name: str
    group: int
    address: tuple[str, int]
    tokens: list[str]
    streams: list[socket.socket] = field(default_factory=list)

    def open(self) -> float:
        """Open the streams; gives the resident KiB that each adds."""
        # The first one brings in what all of them share.
        open_stream(self.address, self.tokens[0]).close()
        before_kib = resident_kib(self.group)
        self.streams = [open_stream(self.address, token) for token in self.tokens]
        return (resident_kib(self.group) - before_kib) / len(self.tokens)

    def close(self) -> None:
        for stream in self.streams:
            stream.close()


def run(plan: Plan, table: Table) -> None:
    ours, theirs = plan.folder / "idle-ours", plan.folder / "idle-theirs"
    with running_bus(ours) as bus, running_polling_bus(theirs) as polling:
        holders = [
            Holder(OURS, bus.process.pid, address_of(bus.url), make_tokens(bus, plan.streams)),
            Holder(POLLING, polling.process.pid, address_of(polling.url), [""] * plan.streams),
        ]
        first = write_post("reader", "sender", "so that each stream begins with an event")
        post(holders[1].address, first)
        try:
            weigh(table, holders, f"{plan.streams} idle streams")
        finally:
            for holder in holders:
                holder.close()
    stop(plan, table)


def make_tokens(bus, streams: int) -> list[str]:
    """Make agents for so many streams; gives the token of each stream."""
    tokens = [add_agent(bus, f"agent-{at}") for at in range(-(-streams // EACH))]
    return [tokens[at // EACH] for at in range(streams)]


def weigh(table: Table, holders: list[Holder], what: str) -> None:
    """Measure what idle streams take. Both buses hold theirs at the same time."""
    for holder in holders:
        table.add(f"{what}: memory each", holder.name, "KiB").samples.append(holder.open())
    used_s = [processor_s(holder.group) for holder in holders]
    begun_s = time.monotonic()
    time.sleep(IDLE_S)
    took_s = time.monotonic() - begun_s
    for holder, before_s in zip(holders, used_s, strict=True):
        percent = 100 * (processor_s(holder.group) - before_s) / took_s
        table.add(f"{what}: processor", holder.name, "% of one").samples.append(percent)


def resident_kib(group: int) -> int:
    """Add up the resident memory of a group's processes."""
    return sum(
        int(line.split()[1])
        for pid in members(group)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )


def processor_s(group: int) -> float:
    """Add up the processor time that a group's processes have had."""
    ticks = 0
    for pid in members(group):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def stop(plan: Plan, table: Table) -> None:
    what = f"SIGTERM with {STOPPED_WITH} open streams"
    bye = table.add(f"{what}: until the last bye", OURS, "ms")
    ended = table.add(f"{what}: until exit", OURS, "ms")
    for number in range(min(LIVES, plan.rounds)):
        with running_bus(plan.folder / f"stop-{number}") as bus:
            address = address_of(bus.url)
            streams = [open_stream(address, one) for one in make_tokens(bus, STOPPED_WITH)]
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
