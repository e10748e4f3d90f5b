"""What the watcher's tests share: a quick clock, a fake bus, a folder that is enrolled at it."""

from __future__ import annotations

import json
import logging
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import daemons
from fakebus import FakeBus, Inbox
from fakegateway import FakeGateway
from fakeoutputs import Outputs
from fakeruns import Runs
from fakesystem import FakeSystem
from scriptedserver import ScriptedServer

from watcher import address, gatewaylink, gatewaysession, gatewayturns, privatefile, settingsfile
from watcher.bus import Bus
from watcher.clock import SystemClock
from watcher.install import manager
from watcher.settings import BEARER, Folder


class QuickClock(SystemClock):
    """The machine's clock with waits a hundred times shorter, and dice that always show 0.5."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s / 100)

    def fraction(self) -> float:
        return 0.5


@pytest.fixture
def clock():
    return QuickClock()


@pytest.fixture
def bus():
    fake = FakeBus()
    yield fake
    fake.close()


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def client(bus):
    with Bus(address.parse(bus.url), lambda: "t", timeout_s=5) as made:
        yield made


@pytest.fixture
def inbox(bus):
    return Inbox(bus)


@pytest.fixture
def outputs(bus):
    return Outputs(bus)


@pytest.fixture
def runs(bus):
    return Runs(bus)


@pytest.fixture
def openclaw():
    fake = FakeGateway()
    yield fake
    fake.close()
    assert not fake.server.faults


@pytest.fixture
def quick_gateway(monkeypatch):
    """Have a gateway be followed in steps as short as a test's."""
    monkeypatch.setattr(gatewayturns, "SLICE_S", 0.1)
    monkeypatch.setattr(gatewayturns, "DOUBTFUL_SLICE_S", 0.05)
    monkeypatch.setattr(gatewayturns, "PAUSE_S", 0.02)
    monkeypatch.setattr(gatewaysession, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(gatewaylink, "HOLD_BASE_S", 0.02)


@pytest.fixture
def workspace(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def system(tmp_path, monkeypatch):
    made = FakeSystem(tmp_path)
    monkeypatch.setattr(manager, "LINGER", made.state / "linger")
    return made


@pytest.fixture
def play():
    """Start a scripted server: `play(script, script, ...)`."""
    servers = []

    def start(*scripts):
        servers.append(ScriptedServer(scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def log_as_it_was():
    """Take back what a command did to the log: its stream ends with its test."""
    yield
    logger = logging.getLogger("watcher")
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Keep the user's list of the watcher's folders as it is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user-state"))


@pytest.fixture
def start(folder):
    """Start `bus-watcher run` as a process."""
    running = []

    def run(**env):
        running.append(daemons.start(folder, **env))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "wakebus")


@pytest.fixture
def enrolled(folder, bus):
    """Write an enrolled folder: `enrolled(beta={"argv": [...]})` gives its settings."""

    def write(url=None, agents=None, **top):
        privatefile.make_folder(folder.path)
        privatefile.make_folder(folder.state)
        agents = {"beta": {}} if agents is None else agents
        raw = {"url": url or bus.url, "node": "pi", "agents": agents, **top}
        folder.settings_file.write_text(json.dumps(raw))
        privatefile.write(folder.node_token_file, "wb_node_secret\n")
        for name in agents:
            privatefile.write(folder.header_file(name), f"{BEARER}wb_agent_{name}\n")
        return settingsfile.load(folder)

    return write
