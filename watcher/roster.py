"""Which agents this node has and what their tokens are, as the bus says it: learnt while running.

A renamed agent keeps its token: what was printed with its old name goes on working, because the old
header file becomes a link to the new one. A token is renewed where the bus asks: made here, on the
disk before its hash goes out, in its file once the bus has taken it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from watcher import address, inuse, log, plainjson, privatefile, settingsfile
from watcher.bus import Bus, BusError
from watcher.persist import persist
from watcher.settings import BEARER, SettingsError, is_name

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator
    from pathlib import Path

    from watcher.clock import Clock
    from watcher.settings import AgentSettings, Settings

ROSTER = "/api/nodes/self/roster"
NOBODY, UNKNOWN = 401, 404
FAULTS = (BusError, SettingsError, OSError, ValueError)


class Agents(Mapping[str, "AgentSettings"]):
    """The agents' settings, replaced as a whole, so that who looks through them sees one state."""

    def __init__(self, agents: Mapping[str, AgentSettings]) -> None:
        self._now = dict(agents)

    def __getitem__(self, name: str) -> AgentSettings:
        return self._now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def items(self) -> ItemsView[str, AgentSettings]:
        return self._now.items()

    def replace(self, agents: Mapping[str, AgentSettings]) -> None:
        """Put others in their place."""
        self._now = dict(agents)


class Roster:
    """Keeps the agents, their files and the tokens as the bus says."""

    def __init__(
        self, settings: Settings, agents: Agents, bus: Bus, clock: Clock, stop: threading.Event
    ) -> None:
        """Take `agents`, the live mapping that the rest of the watcher looks into."""
        self._settings = settings
        self._folder = settings.folder
        self._agents = agents
        self._bus = bus
        self._clock = clock
        self._stop = stop
        self._asked = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> threading.Thread:
        """Look whenever that is asked for, until the stop."""
        thread = threading.Thread(target=self._run, name="roster", daemon=True)
        thread.start()
        return thread

    def ask(self) -> None:
        """Have it look soon; never waits."""
        self._asked.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._asked.wait()
            self._asked.clear()
            self.look()

    def look(self) -> None:
        """Do now what the bus says; what fails is tried again at the next occasion."""
        with self._lock:
            try:
                said = persist(lambda: self._bus.get(ROSTER), self._clock, self._stop)
                self._follow(said)
                self._renew(said.get("renew"))
            except (*FAULTS, privatefile.LooseFileError) as error:
                if isinstance(error, BusError) and error.status == UNKNOWN:
                    return  # an older bus knows no roster
                log.warn("roster_not_followed", reason=error)

    def _follow(self, said: Mapping[str, Any]) -> None:
        given = said.get("agents")
        if not isinstance(given, list):
            return
        there = {one.get("name") for one in given if isinstance(one, dict)}
        links: dict[str, str] = {}
        with settingsfile.changing(self._folder):
            raw = settingsfile.read_raw(self._folder) or {}
            known = raw.get("agents", {})
            for name in [name for name in known if name not in there]:
                self._settle_absent(name, there, known, links)
            if is_name(said.get("node")):
                raw["node"] = said["node"]
            is_pending = inuse.is_outdated(self._folder)  # a person's change, not taken as a whole
            self._agents.replace(settingsfile.save(self._folder, raw).agents)
            if not is_pending:
                inuse.note(self._folder)
        for old, new in links.items():
            link(self._folder.header_file(old), self._folder.header_file(new))

    def _settle_absent(
        self, name: str, there: set[Any], known: dict[str, Any], links: dict[str, str]
    ) -> None:
        """Find out whether an agent that the bus does not name was renamed, or has left."""
        where = address.parse(self._settings.url, self._settings.ca_file)
        with Bus(where, lambda: self._folder.read_agent_token(name)) as bus:
            try:
                new = str(bus.get("/api/whoami").get("name"))
            except BusError as error:
                if error.status != NOBODY or error.code != "unauthorized":
                    raise
                del known[name]
                self._folder.header_file(name).unlink(missing_ok=True)
                log.say("agent_left", agent=name)
                return
        if is_name(new) and new in there and new not in known:
            token = self._folder.read_agent_token(name)
            privatefile.write(self._folder.header_file(new), f"{BEARER}{token}\n")
            known[new] = known.pop(name)
            links[name] = new
            log.say("agent_renamed", was=name, agent=new)

    def _renew(self, asked: Any) -> None:
        """Renew what is asked for, and what a lost answer left open."""
        asked = asked if isinstance(asked, dict) else {}
        path = self._folder.state / "renewal.json"
        made = _read_made(path)
        wanted = [name for name in asked.get("agents") or [] if name in self._agents]
        for name in [*wanted, *([""] if asked.get("node") is True else [])]:
            kind = "agent" if name else "node"
            made.setdefault(name, f"wb_{kind}_{self._clock.new_id('t')[2:]}")
        if not made:
            return
        privatefile.write(path, json.dumps(made) + "\n")
        hashes = {name: hashlib.sha256(each.encode()).hexdigest() for name, each in made.items()}
        body = {"node": hashes.pop("", ""), "agents": hashes}
        try:
            persist(lambda: self._bus.post("/api/nodes/self/tokens", body), self._clock, self._stop)
        except BusError as error:
            if not error.is_passing:
                path.unlink(missing_ok=True)  # nobody asks for them any more
            raise
        for name, token in made.items():
            if name:
                privatefile.write(self._folder.header_file(name), f"{BEARER}{token}\n")
            else:
                privatefile.write(self._folder.node_token_file, f"{token}\n")
            log.say("token_renewed", whose=name or "the node")
        path.unlink(missing_ok=True)


def link(old: Path, new: Path) -> None:
    """Have an old name lead to the new file, at no time to none."""
    fresh = old.with_name(f".{old.name}.{os.getpid()}.link")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(new.name)
    fresh.replace(old)


def _read_made(path: Path) -> dict[str, str]:
    """Read the tokens that were made and perhaps not taken yet."""
    try:
        raw = plainjson.read(privatefile.read_secret(path))
    except (OSError, ValueError):
        return {}
    found = raw if isinstance(raw, dict) else {}
    return {name: token for name, token in found.items() if isinstance(token, str)}
