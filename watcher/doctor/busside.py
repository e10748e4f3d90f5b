"""The bus's side: can it be reached, whose are the tokens, what does it know of this node.

It must not know how a turn is started.
"""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import ssl
from typing import TYPE_CHECKING, Any

from watcher import address, neighbours, plainjson, program, settingsfile
from watcher.bus import AWAY, Bus, BusError, authorize, parse_problem
from watcher.doctor.finding import bad, ok, warn
from watcher.events import EventReader
from watcher.privatefile import LooseFileError
from watcher.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.clock import Clock
    from watcher.doctor.finding import Finding
    from watcher.settings import Folder, Settings

LIMIT_S = 10.0
HELLO_S = 10.0
CLOCK_OFF_S = 30.0
CERTIFICATE_SOON_S = 14 * 86_400
MAX_LINES = 200
MAX_PROBLEM_BYTES = 64 << 10


class BusSide:
    """What is asked of the bus, each once; `compartments` are those of this node's agents."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.compartments: dict[str, frozenset[str]] = {}
        self._settings = settings
        self._clock = clock
        self._where = address.parse(settings.url, settings.ca_file)

    def call_as(self, agent: str) -> Bus:
        """Give the bus as this agent calls it."""
        folder = self._settings.folder
        return Bus(self._where, lambda: folder.read_agent_token(agent), timeout_s=LIMIT_S)

    def look(self) -> Iterator[Finding]:
        """Look at all of it; where the bus is away, that is all there is to say."""
        found = self._reach()
        yield found
        if found.state == "bad":
            return
        yield from self._look_at_transport()
        yield from self._look_at_node()
        for name in self._settings.agents:
            yield from self._look_at_agent(name)
        yield from self._look_at_stream()

    def _reach(self) -> Finding:
        url = self._settings.url
        try:
            with Bus(self._where, None, timeout_s=LIMIT_S) as bus:
                answer = bus.get("/healthz")
                bus.get("/readyz")
        except BusError as error:
            if error.status == AWAY:
                mend = f"does the bus run, and is {url} its address as this machine reaches it?"
                return bad("bus", error.detail, mend)
            mend = f"look at the bus's log; is {url} the bus?"
            return bad("bus", f"it answers, and is not ready: {error}", mend)
        return ok("bus", f"{url} answers, version {answer.get('version')}")

    def _look_at_transport(self) -> Iterator[Finding]:
        if self._where.scheme == "http":
            if not _is_here(self._where.host):
                mend = "fine in a network that you trust; else docs/howto/tls.md"
                yield warn("TLS", "off: tokens cross the network in the clear", mend)
            return
        try:
            connection = self._where.connect(LIMIT_S)
            certificate: Any = connection.sock
            until = str(certificate.getpeercert()["notAfter"])
            connection.close()
        except (OSError, KeyError, TypeError) as error:
            yield bad("TLS", str(error), "docs/howto/tls.md")
            return
        left_s = ssl.cert_time_to_seconds(until) - self._clock.now_s()
        if left_s < CERTIFICATE_SOON_S:
            yield warn("TLS", f"its certificate ends on {until}", "renew it: docs/howto/tls.md")
        else:
            yield ok("TLS", f"its certificate is trusted and holds until {until}")

    def _look_at_node(self) -> Iterator[Finding]:
        settings = self._settings
        enrol = f"bus node code {settings.node}, then {program()} enrol here"
        read_token = settings.folder.read_node_token
        try:
            with Bus(self._where, read_token, timeout_s=LIMIT_S) as bus:
                me = bus.get("/api/whoami")
        except BusError as error:
            yield bad("node's token", str(error), enrol)
            return
        if me.get("kind") != "node":
            yield bad("node's token", f"it is a token of kind {me.get('kind')}", enrol)
            return
        renamed = "" if me.get("name") == settings.node else f", renamed from {settings.node}"
        yield ok("node's token", f"works; this is node {me.get('name')}{renamed}")
        there, here = set(me.get("agents") or []), set(settings.agents)
        if there - here:
            seen = f"the bus has more for this node: {', '.join(sorted(map(str, there - here)))}"
            yield bad("agents", seen, f"{enrol}, and restart the watcher")
        if here - there:
            seen = f"no agents of this node any more: {', '.join(sorted(here - there))}"
            yield warn("agents", seen, f"bus agent move NAME {settings.node}, or {enrol}")

    def _look_at_agent(self, name: str) -> Iterator[Finding]:
        enrol = f"bus node code {self._settings.node}, then {program()} enrol here"
        label = f"token of {name}"
        try:
            with self.call_as(name) as bus:
                me = bus.get("/api/whoami")
                if (me.get("kind"), me.get("name")) != ("agent", name):
                    yield bad(label, f"it belongs to {me.get('kind')} {me.get('name')}", enrol)
                    return
                shown = bus.get(f"/api/agents/{name}")
        except BusError as error:
            yield bad(label, str(error), enrol)
            return
        self.compartments[name] = frozenset(map(str, me.get("compartments") or []))
        waits = shown.get("pending")
        pending = f"; {waits} waiting" if isinstance(waits, int) and waits else ""
        yield ok(label, f"works{pending}")
        if shown.get("paused"):
            yield warn(f"mail of {name}", "paused: it waits", f"bus agent resume {name}")
        if not shown.get("node_online"):
            mend = "does it run, and can it hold a stream? its log says stream_lost, and why"
            yield bad(f"watcher of {name}", "the bus has no stream of this node's watcher", mend)

    def _look_at_stream(self) -> Iterator[Finding]:
        try:
            hello = self._listen()
        except BusError as error:
            yield bad("stream", str(error), "the same as for the bus and the node's token")
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            seen = f"no first event came in {HELLO_S:g} s: {str(error) or type(error).__name__}"
            mend = "a proxy on the way keeps the stream back: docs/howto/behind-a-proxy.md"
            yield bad("stream", seen, mend)
            return
        yield ok("stream", "a new stream gives its first event at once")
        yield from self._compare_clocks(hello.get("server_time"))

    def _listen(self) -> dict[str, Any]:
        """Open a stream that only listens, and give its first event."""
        connection = self._where.connect(LIMIT_S)
        address.limit_answer(connection, HELLO_S)
        try:
            target = self._where.target("/api/stream", {"last_event_id": "now"})
            token = authorize(self._settings.folder.read_node_token)
            connection.request("GET", target, headers={"Authorization": token})
            with connection.getresponse() as response:
                return _read_hello(response)
        finally:
            connection.close()

    def _compare_clocks(self, server_time: Any) -> Iterator[Finding]:
        try:
            theirs = dt.datetime.strptime(str(server_time), "%Y-%m-%dT%H:%M:%S.%f%z")
        except ValueError:
            yield warn("clock", "the bus did not say what time it has")
            return
        off_s = self._clock.now_s() - theirs.timestamp()
        if abs(off_s) > CLOCK_OFF_S:
            seen = f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} the bus"
            mend = (
                "timedatectl set-ntp true; the bus goes by its own, but logs and signatures do not"
            )
            yield warn("clock", seen, mend)
        else:
            yield ok("clock", f"{abs(off_s):.1f} s off the bus's")

    def look_at_neighbours(self, environ: Mapping[str, str]) -> Iterator[Finding]:
        """Look whether other nodes of this Unix user have agents of other compartments."""
        mine = frozenset(self.compartments.values())
        dark: list[tuple[Folder, Exception]] = []
        for folder in neighbours.find(self._settings.folder, environ):
            try:
                theirs = _read_compartments(folder)
            except (SettingsError, BusError, LooseFileError, ValueError) as error:
                dark.append((folder, error))
                continue
            yield _compare(mine, theirs, folder)
        if dark:
            yield _not_looked_at(dark)
        if len(mine) > 1:
            yield _mixed(f"this node's agents are in {_list(mine)}")


def _compare(
    mine: frozenset[frozenset[str]], theirs: frozenset[frozenset[str]], folder: Folder
) -> Finding:
    if mine and theirs and mine != theirs:
        return _mixed(f"agents here are in {_list(mine)}, those of {folder.path} {_list(theirs)}")
    return ok("compartments", f"{folder.path}, of the same Unix user, is in the same ones")


def _not_looked_at(dark: list[tuple[Folder, Exception]]) -> Finding:
    """Tell of the other nodes' folders whose bus does not say what their agents are in."""
    folder, error = dark[0]
    more = f"; nor were {len(dark) - 1} more" if len(dark) > 1 else ""
    mend = f"where a node is no more: bus-watcher uninstall --purge --dir '{folder.path}'"
    return warn("compartments", f"{folder.path} was not looked at: {error}{more}", mend)


def _read_hello(response: http.client.HTTPResponse) -> dict[str, Any]:
    if response.status != 200:
        raise parse_problem(response.status, response.read(MAX_PROBLEM_BYTES), None)
    reader = EventReader("")
    for _ in range(MAX_LINES):
        for event in reader.feed(response.readline()):
            data = plainjson.read(event.data)
            return data if isinstance(data, dict) else {}
    raise ValueError("what came is not the bus's stream")


def _read_compartments(folder: Folder) -> frozenset[frozenset[str]]:
    settings = settingsfile.load(folder)
    where = address.parse(settings.url, settings.ca_file)
    found = set()
    for name in settings.agents:
        with Bus(where, lambda name=name: folder.read_agent_token(name), timeout_s=LIMIT_S) as bus:  # type: ignore[misc]
            found.add(frozenset(map(str, bus.get("/api/whoami").get("compartments") or [])))
    return frozenset(found)


def _mixed(seen: str) -> Finding:
    mend = "under one Unix user each can read the other's token: give each its own user and node"
    return bad("compartments", seen, mend)


def _list(compartments: frozenset[frozenset[str]]) -> str:
    return " and ".join(sorted("+".join(sorted(one)) for one in compartments))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
