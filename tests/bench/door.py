"""Measures the pieces of a send on PostgreSQL, for the model of several processes (scale.py).

    python -m tests.bench.door [--seconds 3]

One process, a PostgreSQL that syncs, 32 senders: first in this process, without HTTP, where each
step at the one lock is timed; then over HTTP, for all that is done outside of it. It prints what
scale.py takes as its parameters, and the rate that was seen beside the one that the model gives.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402 - what waits is patched first
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from dataclasses import asdict, replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import gevent  # noqa: E402

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from processes import family, processor_s_of  # noqa: E402
from rig import SETTINGS  # noqa: E402

from bus.access.model import Principal  # noqa: E402
from bus.clock import SystemClock  # noqa: E402
from bus.config import Config  # noqa: E402
from bus.directory import service as directory  # noqa: E402
from bus.ids import RandomIds  # noqa: E402
from bus.mail import service as mail  # noqa: E402
from bus.mail.model import Draft  # noqa: E402
from bus.store.migrate import migrate  # noqa: E402
from bus.store.store import Store  # noqa: E402
from tests.bench.peers import asked, comparing, postgresql  # noqa: E402
from tests.bench.peers.turn import SENDERS, bodies  # noqa: E402
from tests.bench.scale import Fleet, Machine  # noqa: E402
from tests.postgres import Cluster  # noqa: E402
from tests.rooms.conftest import ROOMS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = {name.removeprefix("BUS_").lower(): int(value) for name, value in SETTINGS.items()}
EACH = 100
"""Sends of each sender, without HTTP."""
BODY = bodies(1)[0].decode()


class Door:
    """A store on a PostgreSQL, and how long each group took for what."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster.start(folder / "pg", fsync=True)
        config = Config(data_dir=folder, database_url=self.cluster.create("bus"), **LIMITS)
        migrate(config)
        self.store = Store(config, SystemClock(), RandomIds(), lambda _topics: None)
        for room in ROOMS:
            room.register(self.store.hooks)
        self.spans: dict[str, list[float]] = {"_begin": [], "_do": []}
        self.commits: list[float] = []
        for name, spans in self.spans.items():
            timed(self.store.writer, name, spans)
        engine = self.store.writer._engine
        wait = engine.wait

        def waited(do: Callable[[], Any]) -> None:
            begun_s = time.perf_counter()
            wait(do)
            if getattr(do, "__name__", "") == "commit":
                self.commits.append(time.perf_counter() - begun_s)

        engine.wait = waited  # type: ignore[method-assign]

    def add(self, name: str) -> Principal:
        one = self.store.write(lambda tx: directory.add(tx, {"name": name}))
        return Principal("agent", name, "", one.id, None, one.compartments, "peer")

    def send(self, who: Principal, to: str) -> None:
        drafts = [Draft(to=(to,), body=BODY)]
        self.store.write(lambda tx: mail.send(tx, who, drafts, batch=False, key=None))

    def close(self) -> None:
        self.store.close()
        self.cluster.end()


def timed(of: object, name: str, spans: list[float]) -> None:
    """Have a method of an object say how long it took."""
    call = getattr(of, name)

    def do(*given: Any) -> Any:
        begun_s = time.perf_counter()
        try:
            return call(*given)
        finally:
            spans.append(time.perf_counter() - begun_s)

    setattr(of, name, do)


def measure_inside(folder: Path) -> dict[str, float]:
    """Say what a send takes at the lock, in ms: of this process, of the server, and of nobody."""
    door = Door(folder)
    try:
        senders = [door.add(f"sender-{at}") for at in range(SENDERS)]
        for at in range(SENDERS):
            door.add(f"to-{at}")
        server = family(door.cluster.process.pid) if door.cluster.process else []

        def push(at: int, count: int) -> None:
            for _ in range(count):
                door.send(senders[at], f"to-{at}")

        for count in (5, EACH):
            for spans in (*door.spans.values(), door.commits):
                spans.clear()
            own_s, server_s = time.process_time(), processor_s_of(server)
            gevent.joinall(
                [gevent.spawn(push, at, count) for at in range(SENDERS)], raise_error=True
            )
            own_s, server_s = time.process_time() - own_s, processor_s_of(server) - server_s
        many = SENDERS * EACH / 1000
        groups, begins = door.spans["_do"], door.spans["_begin"]
        whole_ms = (sum(groups) - sum(begins) - sum(door.commits)) / many
        inside_ms, server_ms = own_s / many, server_s / many
        print(f"{len(groups)} groups of {SENDERS * EACH / len(groups):.1f} sends")
        return {
            "inside_ms": inside_ms,
            "server_ms": server_ms,
            "wire_ms": max(0.0, whole_ms - inside_ms - server_ms),
            "begin_ms": statistics.median(begins) * 1000,
            "commit_ms": statistics.median(door.commits) * 1000,
        }
    finally:
        door.close()


def measure_whole(folder: Path, workers: str, seconds: float) -> tuple[float, float]:
    """Say how many sends a second processes take over HTTP, and their processor for one, in ms."""
    peer = postgresql.PEER
    variant = next(one for one in peer.variants if one.settings["workers"] == workers)
    with comparing.running(peer, variant, folder) as server:
        lines = [server.sends(at, f"to-{at}", bodies(50)) for at in range(SENDERS)]
        asked.send(server, lines, seconds=1)
        pids = family(server.process.pid) if server.process else []
        own_s = processor_s_of(pids)
        answer = asked.send(server, lines, seconds=seconds)
        sent = sum(answer["done"])
        return sent / answer["took_s"], (processor_s_of(pids) - own_s) / sent * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement over HTTP")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="door-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)  # a PostgreSQL runs as a user of its own
        (folder / "inside").mkdir(mode=0o711)
        machine = Machine(outside_ms=0.0, **measure_inside(folder / "inside"))
        seen = {count: measure_whole(folder / count, count, seconds) for count in ("1", "2", "4")}
    machine = replace(machine, outside_ms=max(0.0, seen["1"][1] - machine.inside_ms))
    print("what a send takes:")
    for name, value in asdict(machine).items():
        if name.endswith("_ms"):
            print(f"    --{name.replace('_', '-')} {value:.2f}")
    print("| processes | seen, sends/s | by the model | processor of the bus, ms |")
    print("|---|---|---|---|")
    for count, (rate, used_ms) in seen.items():
        told = Fleet(replace(machine, processes=int(count))).run()
        print(f"| {count} | {rate:.0f} | {told:.0f} | {used_ms:.2f} |")


if __name__ == "__main__":
    main()
