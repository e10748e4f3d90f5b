"""A real bus on a free port, and real watchers, each a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import settings

from tests import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A loaded machine takes as long as it takes: no test fails by the time of one example.
# On PostgreSQL each example makes a database: there it is the statements that are tried.
settings.register_profile(
    "unhurried", deadline=None, max_examples=25 if engine.IS_POSTGRESQL else 100
)
settings.load_profile("unhurried")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell begins what it runs aside, and what is begun from there would hear no Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
Made = TypeVar("Made")
LOOK_AGAIN_S = 0.05
BIN = Path(sys.executable).parent
WATCHER = str(BIN / "bus-watcher")
ONE_GATEWAY = "tests/openclaw with one gateway"
PROCESS = re.compile(r'process="\w+",?')
TOGETHER = {
    # Gateways take long to start: who needs one shares one, who needs two shares two.
    "tests/openclaw/test_approvals.py": ONE_GATEWAY,
    "tests/openclaw/test_doctor.py": ONE_GATEWAY,
    "tests/openclaw/test_live_output.py": ONE_GATEWAY,
    "tests/openclaw/test_methods.py": ONE_GATEWAY,
    "tests/openclaw/test_runs.py": ONE_GATEWAY,
    "tests/openclaw/test_skill.py": ONE_GATEWAY,
    "tests/openclaw/": "tests/openclaw with two gateways",
    "tests/browser/test_scenes": "tests/browser with a gateway",
    "tests/system/": "machines",  # boxes, networks and mounts: each sees the mounts of all
    "tests/chaos/": "machines",
    "tests/browser/test_blackhole.py": "machines",
    "tests/faults/test_disk.py": "machines",
}
"""Tests that run one after the other, in one process; others may run side by side, by file."""
SECONDS = {
    "tests/openclaw": 60,
    "tests/browser with a gateway": 60,
    "machines": 60,
    "tests/browser/": 3,
    "tests/property/": 20,
    "tests/faults/": 3,
    "tests/readers/": 2.5,
    "tests/bench/": 5,
    "tests/live/": 2,
    "tests/cli/": 2,
    "tests/attack/": 0.3,
    "tests/rooms/": 0.1,
    "tests/watcher/": 0.1,
}
"""About how long a test takes: what takes longest begins first, else all would wait for it."""


def clean_environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BUS_")}
    kept.pop("XDG_STATE_HOME", None)
    return kept | more


def until(is_true: Callable[[], Made], within_s: float, what: str) -> Made:
    """Look until something is true and give it; `what` names it where it never is."""
    pause, end_s = threading.Event(), time.monotonic() + within_s
    while not (found := is_true()):
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        pause.wait(LOOK_AGAIN_S)
    return found


def is_group(number: int) -> bool:
    """Say whether a group of processes has any."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass
class Bus:
    data_dir: Path
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    admin: str = ""
    watchers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ca_file: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    """More of its environment."""

    @property
    def environment(self) -> dict[str, str]:
        port = self.url.rpartition(":")[2] or "0"
        where = engine.settings_of(self.data_dir)
        usual = clean_environment(BUS_DATA_DIR=str(self.data_dir), BUS_PORT=port, **where)
        return usual | self.settings

    def start(self) -> None:
        """Start it, and wait until it takes what is written: before that it answers 503."""
        self.data_dir.mkdir(exist_ok=True)
        log = self.data_dir / "bus.log"
        with log.open("w") as file:
            command = [str(BIN / "bus"), "serve"]
            self.process = subprocess.Popen(
                command, env=self.environment, stderr=file, start_new_session=True
            )
        while not (found := re.search(r"listens on (https?://\S+),", log.read_text())):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                raise AssertionError(log.read_text())
        self.url = found[1]
        self.wait_ready()

    def is_ready(self) -> bool:
        return self.call("", "GET", "/readyz")[0] == 200

    def wait_ready(self, within_s: float = 30) -> None:
        """Wait until it can write, for the first time or again."""
        until(self.is_ready, within_s, "the bus is ready")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the whole bus: both its processes, as the service manager would."""
        assert self.process is not None
        group = self.process.pid
        os.killpg(group, how)
        code = self.process.wait(60)
        # Killed with it, but perhaps not yet gone: what it holds nobody else can have.
        until(lambda: not is_group(group), 60, "all its processes are gone")
        return code

    def call(
        self, token: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)
        request.add_header("Authorization", f"Bearer {token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            trusting = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
            with urllib.request.urlopen(request, timeout=40, context=trusting) as answer:
                return answer.status, read(answer)
        except urllib.error.HTTPError as error:
            return error.code, read(error)

    def add(self, name: str, kind: str = "named", **more: Any) -> str:
        """Make an agent or a person; gives a token of theirs."""
        made = {"name": name, "kind": kind, **more}
        status, answer = self.call(self.admin, "POST", "/api/agents", made)
        assert status == 201, answer
        return self.token(name, "person" if kind == "person" else "agent")

    def token(self, subject: str, kind: str = "agent") -> str:
        """Give somebody, or a node, one more token."""
        status, made = self.call(
            self.admin, "POST", "/api/tokens", {"kind": kind, "subject": subject}
        )
        assert status == 201, made
        return str(made["token"])

    def metrics(self) -> str:
        """Give the page of numbers, without which process tells them."""
        status, page = self.call(self.admin, "GET", "/metrics")
        assert status == 200, page
        return PROCESS.sub("", page).replace("{}", "")

    def enrol(
        self, name: str, directory: Path, agents: list[str], environment: dict[str, str]
    ) -> dict[str, str]:
        """Make a node and enrol it in a folder; gives the agents' tokens."""
        body = {"name": name, "agents": agents}
        status, answer = self.call(self.admin, "POST", "/api/nodes", body)
        assert status == 201, answer
        enrol = [WATCHER, "enrol", self.url, answer["code"], "--dir", str(directory)]
        subprocess.run(enrol, env=environment, check=True)
        headers = {agent: (directory / f"{agent}.header").read_text() for agent in agents}
        return {agent: text.strip().rpartition(" ")[2] for agent, text in headers.items()}

    def watch(self, directory: Path, environment: dict[str, str]) -> None:
        """Start the watcher of a folder."""
        run = [WATCHER, "run", "--dir", str(directory)]
        self.watchers.append(subprocess.Popen(run, env=environment))

    def add_node(
        self, name: str, directory: Path, programs: dict[str, list[str]]
    ) -> dict[str, str]:
        """Start a node whose agents are programs; gives the agents' tokens."""
        environment = clean_environment(HOME=str(directory.parent))
        tokens = self.enrol(name, directory, list(programs), environment)
        for agent, argv in programs.items():
            what = ["method=program", f"argv={json.dumps(argv)}"]
            setting = [WATCHER, "set", agent, "--dir", str(directory), *what]
            subprocess.run(setting, env=environment, check=True)
        self.watch(directory, environment)
        return tokens

    def follow_until(self, token: str, message_id: str, state: str, within_s: float) -> Any:
        """Give a message's ladder once it has come to a state: its sender's stream tells."""
        end_s = time.monotonic() + within_s
        request = urllib.request.Request(f"{self.url}/api/stream?last_event_id=now")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=40) as stream:
            for _ in (line for line in stream if line in {b"\n", b":\n"}):
                status, shown = self.call(token, "GET", f"/api/messages/{message_id}")
                assert status == 200, shown
                delivery = shown["deliveries"][0]
                if delivery["state"] == state:
                    return delivery
                assert time.monotonic() < end_s, delivery
        raise AssertionError("the stream ended")


def read(answer: Any) -> Any:
    text = answer.read().decode()
    is_json = answer.headers["Content-Type"].endswith(("/json", "+json"))
    return json.loads(text) if text and is_json else text


def pytest_configure(config: pytest.Config) -> None:
    """Start what all processes of a run share, in the one that starts the others."""
    if engine.IS_POSTGRESQL and not hasattr(config, "workerinput"):
        config.add_cleanup(engine.start().end)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is about SQLite itself where there is none: `sqlite_only(why)`."""
    only = item.get_closest_marker("sqlite_only")
    if only is not None and engine.IS_POSTGRESQL:
        pytest.skip(f"about SQLite itself: {only.args[0]}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread the tests over several processes by file: `--dist loadgroup` does not hold here.

    It marks the tests in a way that pytest 9.2 no longer passes on (pytest-xdist #1386).
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not where one process is all

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return next((name for start, name in TOGETHER.items() if path.startswith(start)), path)

        def _assign_work_unit(self, node: Any) -> None:
            self.workqueue.move_to_end(max(self.workqueue, key=self._estimate), last=False)
            super()._assign_work_unit(node)

        def _estimate(self, scope: str) -> float:
            each = next((long for start, long in SECONDS.items() if scope.startswith(start)), 0.01)
            return each * len(self.workqueue[scope])

    return ByFile(config, log)


@pytest.fixture(autouse=True)
def dropped_databases():
    """Have every database go that a test has made and nobody dropped."""
    before = set(engine.databases)
    yield
    for folder in set(engine.databases) - before:
        engine.drop(folder)


@pytest.fixture(scope="session")
def lab():
    """The folder of the lab; without it the test is skipped and says so."""
    place = os.environ.get("WAKEBUS_LAB")
    if not place:
        pytest.skip("WAKEBUS_LAB is not set: the lab is needed")
    return Path(place)


@pytest.fixture(scope="session")
def start_chromium():
    """Start Chromium, or by `start_chromium(elsewhere)` what that makes of its program's path."""
    from tests.chromium import driving  # noqa: PLC0415 - not where no browser is asked

    with driving() as start:
        yield start


@pytest.fixture(scope="session")
def made_data(tmp_path_factory):
    """A data folder as `bus init` makes it, once: every bus starts from a copy of it."""
    folder = tmp_path_factory.mktemp("made") / "data"
    subprocess.run([str(BIN / "bus"), "init"], env=Bus(folder).environment, check=True)
    return folder


@contextmanager
def serving(one: Bus, made_data: Path) -> Iterator[Bus]:
    """Have a bus serve on a copy of a data folder."""
    engine.copy_data(made_data, one.data_dir)
    one.admin = (one.data_dir / "admin.token").read_text().strip()
    one.start()
    try:
        yield one
    finally:
        for watcher in one.watchers:
            watcher.terminate()
            watcher.wait(60)
        if one.process is not None and one.process.poll() is None:
            one.stop(signal.SIGKILL)  # stopping in order has its own tests
        engine.drop(one.data_dir)


@pytest.fixture
def bus(tmp_path, made_data):
    with serving(Bus(tmp_path / "data"), made_data) as one:
        yield one


@pytest.fixture(scope="module")
def shared_bus(tmp_path_factory, made_data):
    """One bus for all tests of a module whose `bus` is this: each has names of its own on it."""
    with serving(Bus(tmp_path_factory.mktemp("shared") / "data"), made_data) as one:
        yield one
