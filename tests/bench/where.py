"""Where the processor's time of one request goes, as samples of a running bus's stacks tell.

`python tests/bench/where.py [--of sends|lists|inbox|frames] [--seconds 10] [--of-part WORDS]`; it
needs py-spy (`pip install py-spy`) and the right to look into another process. Each sample counts
for the first part, from the innermost call outwards, that knows one of its calls; the share of a
part times the processor's time of a request are its microseconds.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(1, str(Path(__file__).parents[1]))

import filler
from accept import BATCH, requests_for
from asking import Holder, ask_client, message_to, write_get, write_json
from processes import members, processor_s
from rig import Plan, make_bus, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RATE = 500
WAITING = 10
READERS = 50
PARTS = (
    ("a statement: {}", r"\(bus/store/statement\.py|\(sqlalchemy/"),
    ("gunicorn: the request's head", r"\(gunicorn/http/(message|parser|unreader)\.py"),
    ("gunicorn: the body", r"\(gunicorn/http/body\.py"),
    ("gunicorn: environ, the answer's head", r"\(gunicorn/(http/wsgi|util)\.py"),
    ("routing", r"\(werkzeug/routing/"),
    ("Flask and Werkzeug", r"\((flask|werkzeug)/"),
    ("sockets", r"\(gevent/(_socket|socket|ssl)"),
    ("lines of the log", r"\((logging/|bus/logs\.py)"),
    ("JSON", r"\((json/|bus/web/json)"),
    ("greenlets, the thread of COMMIT", r"\((gevent/|bus/store/writer\.py)"),
    ("gunicorn: the rest", r"\(gunicorn/"),
    ("connections, places", r"\(bus/serving/"),
    ("streams", r"\(bus/live/"),
    ("the verb: {}", r"\(bus/(mail|wakes|guard|directory|notices|sessions|access|store)/(?!api)"),
    ("the front: papers, limits, the body", r"\(bus/"),
)
"""What a call belongs to; `{}` is filled with the first call of a room outside of it."""
ROOM = re.compile(r"(\w+) \(bus/(\w+)/(?!statement)(\w+)\.py")


def main() -> int:
    asked = read_arguments()
    if shutil.which("py-spy", path=str(Path(sys.executable).parent)) is None:
        print("this needs py-spy: .venv/bin/pip install py-spy", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="where-") as folder, ExitStack() as held:
        bus, requests, each = prepare(asked.of, Path(folder), held)
        connections = {"lists": 4, "frames": 1}.get(asked.of, 32)
        how = {"connections": connections}
        ask_client(bus, requests, **how, each=20)
        before_s, stacks = processor_s(bus.process.pid), Path(folder) / "stacks"
        with sampled(bus.process.pid, asked.seconds, stacks):
            answer = ask_client(bus, requests, **how, seconds=asked.seconds)
        used_s = processor_s(bus.process.pid) - before_s
        report(read(stacks), used_s * 1e6 / len(answer["waits_ms"]) / each, asked.least)
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ("sends", "lists", "inbox", "frames")
    parser.add_argument("--of", choices=kinds, default="sends", help="what is asked")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--least", type=float, default=0.5, help="per cent of what is shown")
    return parser.parse_args()


def prepare(of: str, folder: Path, held: ExitStack) -> tuple[Any, list[str], int]:
    """Start a bus and write what it is asked; gives how many of them are one request, too."""
    bus = make_bus(folder / "bus")
    plan = Plan(1, 1, 32, [], 0, 0, 0, 0, 0, 0, 0, folder)
    _, kept, lists = requests_for(plan, bus.database)
    tokens = filler.add_agents(bus.database, ["feeder", "crowd"])
    filler.add_missed(bus.database, "feeder", "crowd", WAITING)
    held.enter_context(running(bus))
    if of == "sends":
        return bus, kept, 1
    if of == "lists":
        return bus, lists, BATCH
    if of == "inbox":
        return bus, [write_get("/api/inbox", tokens["crowd"])], 1
    held.enter_context(Holder(bus, [write_get("/api/stream", tokens["crowd"])] * READERS))
    send = write_json("/api/send", message_to("crowd", filler.BODY), tokens["feeder"])
    return bus, [send], READERS


class sampled:  # noqa: N801 - a context, as a function would be
    """Have py-spy look at a bus's worker for a while."""

    def __init__(self, group: int, seconds: float, to: Path) -> None:
        worker = max(pid for pid in members(group))
        spy = Path(sys.executable).with_name("py-spy")
        how = ["--gil", "--rate", str(RATE), "--format", "raw", "--duration", str(int(seconds))]
        self._argv = [str(spy), "record", "--pid", str(worker), *how, "--output", str(to)]

    def __enter__(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._argv, stdout=quiet, stderr=subprocess.PIPE)

    def __exit__(self, *failed: object) -> None:
        _, said = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, said.decode()


def read(stacks: Path) -> Counter[str]:
    """Count the samples of each part."""
    parts: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        calls, _, count = line.rpartition(" ")
        parts[part_of(calls.split(";")[::-1])] += int(count)
    return parts


def part_of(calls: list[str]) -> str:
    """Find to which part a stack belongs, the innermost call first."""
    for at, call in enumerate(calls):
        for words, pattern in PARTS:
            if re.search(pattern, call):
                return words.format(next(rooms(calls[at:]), "others"))
    return "Python itself"


def rooms(calls: Iterable[str]) -> Iterator[str]:
    for call in calls:
        found = ROOM.search(call)
        if found:
            yield f"{found[2]}/{found[3]}.{found[1]}"


def report(parts: Counter[str], each_us: float, least: float) -> None:
    total = parts.total()
    print(f"{each_us:.0f} us of the processor each, {total} samples")
    for part, count in parts.most_common():
        if 100 * count / total >= least:
            print(f"{count / total * each_us:8.1f} us {100 * count / total:5.1f} %  {part}")


if __name__ == "__main__":
    sys.exit(main())
