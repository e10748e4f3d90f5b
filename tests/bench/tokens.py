"""How long an append to a durable stream takes to all who follow it, and what one that never reads
does to the others.

Every reader must have every byte, in order: what each got is held against the stream itself.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import filler
from asking import Program, address_of
from measure import OURS
from processes import processor_s, unshared_kib
from rig import make_bus, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from measure import Table
    from rig import BenchBus, Plan

READERS, PER_S, LANES = 200, 100, 4
"""So many connections append in turn: one alone would wait for its answers on a slow disk."""
WHAT = f"{READERS} readers of {PER_S} appends/s"
STUCK = f"{OURS}, and one reads nothing"
OLD_BYTES = 1_000_000
OLD_APPENDS = 4
"""What the one that reads nothing asks for: more than lies in any buffer on the way."""


def run(plan: Plan, table: Table) -> None:
    bus = make_bus(plan.folder / "tokens")
    token = filler.add_agents(bus.database, ["writer"])["writer"]
    with running(bus):
        memory = table.add(f"{WHAT}: the bus's memory before", OURS, "MiB")
        memory.samples.append(unshared_kib(bus.process.pid) / 1024)
        measure(plan, table, bus, token, OURS)
        with reading_nothing(bus, token):
            measure(plan, table, bus, token, STUCK)


def measure(plan: Plan, table: Table, bus: BenchBus, token: str, system: str) -> None:
    name, count = f"tokens-{system.count(',')}", round(plan.token_s * PER_S)
    call(bus, token, "PUT", name)
    asked = {"address": address_of(bus.url), "token": token, "tokens": count, "readers": READERS}
    asked["lanes"] = LANES
    asked["path"] = f"/streams/{name}?offset=-1&live=sse"
    with Program("tokenreaders.py", asked, "-I", "-S") as readers:
        assert readers.hear() == {"open": READERS}
        before_s, begun_s = processor_s(bus.process.pid), time.monotonic()
        with ThreadPoolExecutor(LANES) as lanes:
            how = [(bus, token, name, begun_s, range(lane, count, LANES)) for lane in range(LANES)]
            answered_ms = [
                ms for each in lanes.map(append_all, *zip(*how, strict=True)) for ms in each
            ]
        took_s = time.monotonic() - begun_s
        table.add(f"{WHAT}: appended", system, "appends/s").samples.append(count / took_s)
        heard = readers.hear()
        memory = table.add(f"{WHAT}: the bus's memory after", system, "MiB")
        memory.samples.append(unshared_kib(bus.process.pid) / 1024)
        used = table.add(f"{WHAT}: processor", system, "% of one")
        used.samples.append(100 * (processor_s(bus.process.pid) - before_s) / took_s)
    whole = call(bus, token, "GET", name, pages=True)
    assert heard["hashes"] == [hashlib.sha256(whole).hexdigest()], "a reader has other bytes"
    table.add(f"{WHAT}: append to reader", system, "ms").samples += [
        ns / 1e6 for ns in heard["late_ns"]
    ]
    table.add(f"{WHAT}: append to answer", system, "ms").samples += answered_ms


def append_all(bus: BenchBus, token: str, name: str, begun_s: float, numbers: range) -> list[float]:
    """Append tokens, each at its time; gives how long each took to be answered."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    answered_ms = []
    with closing(http.client.HTTPConnection(*address_of(bus.url), timeout=60)) as link:
        for number in numbers:
            time.sleep(max(0.0, begun_s + number / PER_S - time.monotonic()))
            sent_ns = time.monotonic_ns()
            link.request("POST", f"/streams/{name}", f"{number} {sent_ns} token\n", headers)
            answer = link.getresponse()
            answer.read()
            assert answer.status == 204, answer.status
            answered_ms.append((time.monotonic_ns() - sent_ns) / 1e6)
    return answered_ms


@contextmanager
def reading_nothing(bus: BenchBus, token: str) -> Iterator[None]:
    """Have one reader that asks for much and takes none of it."""
    for _ in range(OLD_APPENDS):
        call(bus, token, "POST", "tokens-0", b"." * OLD_BYTES)
    with closing(socket.socket()) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.connect(address_of(bus.url))
        who = f"Authorization: Bearer {token}"
        path = "/streams/tokens-0?offset=-1&live=sse"
        stuck.sendall(f"GET {path} HTTP/1.1\r\nHost: bus\r\n{who}\r\n\r\n".encode())
        yield


def call(
    bus: BenchBus, token: str, method: str, name: str, body: bytes = b"", *, pages: bool = False
) -> bytes:
    """Make one request, or read a stream page by page."""
    headers, whole, at = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}, b"", ""
    with closing(http.client.HTTPConnection(*address_of(bus.url), timeout=60)) as link:
        while True:
            link.request(method, f"/streams/{name}{at}", body, headers)
            answer = link.getresponse()
            whole += answer.read()
            assert answer.status < 300, whole
            if not pages or answer.headers["Stream-Up-To-Date"]:
                return whole
            at = f"?offset={answer.headers['Stream-Next-Offset']}"
