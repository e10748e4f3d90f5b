"""The bus itself, as `bus serve` runs it: an agent of each mailbox, its stream or its inbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

import filler
from asking import address_of, message_to
from measure import OURS
from rig import BenchBus, make_bus

from tests.bench.peers.peer import (
    ALL,
    BATCH,
    CATCHING_UP,
    DELIVERY,
    EARLIEST,
    HTTP_ANSWER,
    Reads,
    Sends,
    Server,
    Step,
    Variant,
    write_http,
)

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SENDERS = 40
EVENT = rb"event: message\n"
A_HANDLE = "m_" + "x" * 26 + ".1"
ANSWERS = (
    rb'(?:HTTP/1\.1 200 [^{]*\{"results".*?\}\]\}\n?)?'
    rb"HTTP/1\.1 200 [^{]*?Content-Length: (?P<length>\d+)\r\n[^{]*?\r\n\r\n(?=\{\"agent\"%s)"
)
"""That the last ones are acknowledged, if any were, and then a page of the inbox."""


@dataclass
class Wakebus(Server):
    bus: BenchBus = None  # type: ignore[assignment]
    tokens: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self.bus.start()
        self.address = address_of(self.bus.url)
        self.process = self.bus.process

    def stop(self, how: signal.Signals) -> None:
        self.bus.stop(how)
        self.process = None

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        requests = [self.post(sender, message_to(mailbox, body.decode())) for body in bodies]
        return Sends(requests, HTTP_ANSWER)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        many = [message_to(mailbox, body.decode()) for body in bodies]
        return Sends([self.post(sender, many)], HTTP_ANSWER)

    def post(self, sender: int, asked: object) -> bytes:
        data = json.dumps(asked).encode()
        return write_http("POST", "/api/send", data, headers=self.bearer(f"sender-{sender}"))

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        """Read an agent's stream: it says what is there; the bodies are in the inbox."""
        cursor = "?last_event_id=earliest" if since == EARLIEST else ""
        request = write_http("GET", f"/api/stream{cursor}", headers=self.bearer(mailbox))
        begun = rb"HTTP/1\.1 200 .*?\r\n\r\n" if cursor else rb"HTTP/1\.1 200 .*?event: ready\n"
        return Reads([Step(request, begun)], EVENT)

    def left(self, mailbox: str) -> Reads:
        return self.inbox(mailbox, 1)

    def inbox(self, mailbox: str, page: int) -> Reads:
        """Wait for what is in the inbox, so many at a time, with bodies; and acknowledge it."""
        headers = self.bearer(mailbox)
        wait = write_http("GET", f"/api/inbox?limit={page}&wait=30", headers=headers)
        handles = json.dumps({"handles": [A_HANDLE] * page}).encode()
        acked = write_http("POST", "/api/ack", handles, headers=headers)
        first, *rest = acked.split(A_HANDLE.encode())
        reply = first + b"".join(b"\\g<h%d>%s" % (at, part) for at, part in enumerate(rest))
        there = b"".join(b'(?>.*?"handle":"(?P<h%d>m_[^"]+)")' % at for at in range(page))
        return Reads([Step(wait, b"")], answer=ANSWERS % there, reply=reply + wait)


class WakebusInbox(Wakebus):
    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        """Read one at a time; of what was missed, a page at a time."""
        return self.inbox(mailbox, BATCH if since == EARLIEST else 1)


def names_of(mailboxes: Sequence[str]) -> list[str]:
    """List the agents that there must be."""
    return [*mailboxes, *(f"sender-{at}" for at in range(SENDERS))]


class Bus:
    """The bus on SQLite; of a subclass, its other ways."""

    name = OURS
    install = "pip install wakebus"
    speaks = "HTTP"
    variants = (Variant("", "after COMMIT, synced once for all that waited"),)
    lacks: Mapping[str, str] = {}
    server = Wakebus

    def version(self) -> str | None:
        return version("wakebus")

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Wakebus:
        bus = make_bus(folder / "data")
        tokens = filler.add_agents(bus.database, names_of(mailboxes))
        return self.server(folder, variant, mailboxes, bus=bus, tokens=tokens)


class Inbox(Bus):
    name = f"{OURS}, inbox"
    variants = (Variant("", "the same; each message read with its body, leased and acknowledged"),)
    lacks: Mapping[str, str] = {
        what: "as the row above" for what in ALL if what not in {DELIVERY, CATCHING_UP}
    }
    server = WakebusInbox


PEER = Bus()
INBOX = Inbox()
