"""What the scenes of a session are played on: a bus, a real OpenClaw on it, and a bad network."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "openclaw"))

from browsing import House
from realopenclaw import WAIT_S, OpenClaw, find_port, instance_name
from wholepath import ACK_LAST, READ, Household, Machine

from tests.conftest import Bus, serving, until
from tests.receivers import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wholepath import Step

PEOPLE = ("alice", "bob", "charlie", "dora", "emil")
AGENTS = ("night", "reviewer", "teller", "crew")
BY_CURL = tuple(f"{agent}-two" for agent in AGENTS)
CHUNK = 65_536


@dataclass
class StageBus(Bus):
    """A bus that tells who is away, soon, and sees soon that nobody hears it."""

    hosts: str = ""

    @property
    def environment(self) -> dict[str, str]:
        quick = {"BUS_NOTICE_GRACE_S": "0.5", "BUS_HEARTBEAT_S": "1"}
        return super().environment | quick | {"BUS_NOTICE_HOSTS": self.hosts}


class Relay:
    """A network on the way to the bus that may swallow everything; it never says so."""

    def __init__(self, url: str) -> None:
        self._to = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._passes = threading.Event()
        self._passes.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def swallow(self) -> None:
        """Let nothing through in either direction, not even that somebody hung up."""
        self._passes.clear()

    def mend(self) -> None:
        """Let everything through again, what was held up first, as TCP does."""
        self._passes.set()

    def end(self) -> None:
        self.mend()
        self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join(10)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._passes.wait()
        with near, suppress(OSError), socket.create_connection(self._to) as far:
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                self._passes.wait()
                sink.sendall(data)
        self._passes.wait()
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@dataclass
class Stage:
    """Five people and some agents of a real OpenClaw, on a bus; a webhook, and a bad network."""

    house: House
    machine: Machine
    household: Household
    receiver: Receiver
    relay: Relay

    def begin(self, title: str, *others: Any, by: str = "alice") -> str:
        """Have somebody begin a session; gives its id."""
        made = {"title": title, "participants": list(others)}
        return str(self.house.call(by, "POST", "/api/sessions", made)["session_id"])

    def behave(self, agent: str, says: Step, *, then: Step | None = None) -> None:
        """Have an agent's model, woken, read its mail, do something, ack, and say something."""
        self.machine.behave(agent, READ, *([then] if then else []), ACK_LAST, says)

    def command(self, agent: str, path: str, body: dict[str, Any]) -> str:
        """Give the curl by which an agent itself does something, in a turn of its own."""
        where = f"{self.household.bus.url}{path}"
        return f"curl -sS -H @{self.household.headers[agent]} {where} --json '{json.dumps(body)}'"

    def entries(self, session: str, who: str = "alice") -> list[dict[str, Any]]:
        """Give what is in a session, as the bus has it."""
        path = f"/api/sessions/{session}/entries?limit=200"
        return list(self.house.call(who, "GET", path)["entries"])

    def await_said(self, session: str, body: str, who: str = "alice") -> dict[str, Any]:
        """Wait until somebody has said this in whole; gives the entry."""

        def look() -> dict[str, Any] | None:
            found = (one for one in self.entries(session, who) if one["body"] == body)
            return next((one for one in found if one["data"].get("state") != "open"), None)

        return until(look, WAIT_S, f"somebody says {body[:60]!r}") or {}

    def await_acked(self, message_id: str) -> None:
        """Wait until a message was acked; its sender needs no connection for that."""
        path = f"/api/messages/{message_id}"

        def look() -> bool:
            return bool(self.house.admin("GET", path)["deliveries"][0]["state"] == "acked")

        until(look, WAIT_S, f"{message_id} is acked")

    def is_away(self, who: str) -> bool:
        return bool(self.house.call(who, "GET", "/api/people/self/notices")["away"])

    def kill_bus(self) -> None:
        """Kill the bus, and start it on what it had on the disk."""
        self.household.bus.stop(signal.SIGKILL)
        self.household.bus.start()


@contextmanager
def staged(folder: Path, made_data: Path) -> Iterator[Stage]:
    """Have all of it run."""
    openclaw = OpenClaw(instance_name("scenes"), find_port(), (*AGENTS, *BY_CURL))
    with (
        receiving() as receiver,
        serving(StageBus(folder / "data", hosts=receiver.url), made_data) as bus,
    ):
        try:
            openclaw.fresh()
            house, household = House(bus), Household(bus, ".scenes")
            for name in PEOPLE:
                house.add(name, kind="person")
            machine, how = Machine(openclaw), ["method=gateway"]
            household.add_node("here", machine, dict.fromkeys(openclaw.agents, how))
            house.tokens |= household.tokens
            relay = Relay(bus.url)
            yield Stage(house, machine, household, receiver, relay)
            relay.end()
        finally:
            openclaw.down()
            shutil.rmtree(openclaw.home / ".scenes", ignore_errors=True)
