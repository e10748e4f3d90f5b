"""How many sends several processes on one PostgreSQL take, by a model of what each has to wait for.

    python -m tests.bench.scale                          # as measured, and what would change it
    python -m tests.bench.scale --processes 1 2 4 8 --cores 2 8 32

A send is four pieces: what a process's one thread does for it outside of the lock that all writers
share (HTTP, who asks, the answer), what it does inside of it (the verb), what PostgreSQL does for
its statements, and its part in the commit of a group. A process is one thread; a core does one
thing at a time; PostgreSQL takes of the cores too where it is on the same machine. The parameters
are measured; docs/explanation/scale.md says how it is used.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import simpy

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP, GROUP_MS = 128, 40.0
"""What joins one commit at most, as in bus/store/writer.py."""
SENT = 6000


@dataclass(frozen=True)
class Machine:
    """What a send takes, in ms, as `door.py` saw it on 2026-11-22, and what there is for it."""

    outside_ms: float = 0.32
    inside_ms: float = 0.82
    server_ms: float = 0.73
    wire_ms: float = 0.0
    """Of the statements of a send, the time that nobody works: packets, threads that wake."""
    begin_ms: float = 0.84
    commit_ms: float = 0.70
    processes: int = 1
    cores: int = 2
    senders: int = 32
    locks: int = 1
    """Parts of the log with a lock each; the bus has one."""


class Fleet:
    """The processes, and those that send to them in turns, each one message at a time."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.env = simpy.Environment()
        self.cores = simpy.Resource(self.env, machine.cores)
        self.locks = [simpy.Resource(self.env) for _ in range(machine.locks)]
        self.threads = [simpy.Resource(self.env) for _ in range(machine.processes)]
        self.queues = [simpy.Store(self.env) for _ in range(machine.processes)]
        self.sent = 0
        self.done = self.env.event()

    def run(self) -> float:
        """Give the sends in a second."""
        for number in range(self.machine.senders):
            self.env.process(self.send(number % self.machine.processes))
        for number in range(self.machine.processes):
            self.env.process(self.write(number))
        self.env.run(self.done)
        return self.sent / self.env.now * 1000

    def work(self, ms: float, thread: int | None = None) -> Iterator[simpy.Event]:
        """Take a core for a while, and the process's one thread where it is a process's."""
        if thread is not None:
            with self.threads[thread].request() as own:
                yield own
                yield from self.work(ms)
            return
        with self.cores.request() as core:
            yield core
            yield self.env.timeout(ms)

    def send(self, at: int) -> Iterator[simpy.Event]:
        """Send one after another to one process."""
        while True:
            yield from self.work(self.machine.outside_ms, at)
            taken = self.env.event()
            yield self.queues[at].put(taken)
            yield taken
            self.sent += 1
            if self.sent == SENT:
                self.done.succeed()

    def write(self, at: int) -> Iterator[simpy.Event]:
        """Commit what waits, group by group."""
        of, queue, number = self.machine, self.queues[at], 0
        while True:
            group = [(yield queue.get())]
            number += 1
            with self.locks[number % of.locks].request() as lock:
                yield lock
                yield from self.work(of.begin_ms)
                until = self.env.now + GROUP_MS
                for taken in group:
                    yield from self.work(of.inside_ms, at)
                    yield from self.work(of.server_ms)
                    yield self.env.timeout(of.wire_ms)
                    is_open = len(group) < GROUP and self.env.now <= until
                    if taken is group[-1] and is_open and queue.items:
                        group.append((yield queue.get()))
                yield self.env.timeout(of.commit_ms)
            for taken in group:
                taken.succeed()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--cores", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--locks", type=int, nargs="+", default=[1, 4])
    for name in ("outside", "inside", "server", "wire", "begin", "commit"):
        usual = getattr(Machine, f"{name}_ms")
        parser.add_argument(f"--{name}-ms", type=float, default=usual, dest=f"{name}_ms")
    told = vars(parser.parse_args())
    several = [told.pop(name) for name in ("processes", "cores", "locks")]
    usual = replace(Machine(), **told)
    print("| processes | cores | locks | sends/s |\n|---|---|---|---|")
    for cores in several[1]:
        for locks in several[2]:
            for processes in several[0]:
                one = replace(usual, cores=cores, locks=locks, processes=processes)
                print(f"| {processes} | {cores} | {locks} | {Fleet(one).run():.0f} |")


if __name__ == "__main__":
    main()
