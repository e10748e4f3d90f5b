"""A real bus on a free port, and real watchers, each a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent


def clean_environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BUS_")}
    return kept | more


@dataclass
class Bus:
    data_dir: Path
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    admin: str = ""
    watchers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        port = self.url.rpartition(":")[2] or "0"
        return clean_environment(BUS_DATA_DIR=str(self.data_dir), BUS_PORT=port)

    def start(self) -> None:
        self.data_dir.mkdir(exist_ok=True)
        log = self.data_dir / "bus.log"
        with log.open("w") as file:
            command = [str(BIN / "bus"), "serve"]
            self.process = subprocess.Popen(
                command, env=self.environment, stderr=file, start_new_session=True
            )
        while not (found := re.search(r"listens on (http://\S+),", log.read_text())):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                raise AssertionError(log.read_text())
        self.url = found[1]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the whole bus: both its processes, as the service manager would."""
        assert self.process is not None
        os.killpg(self.process.pid, how)
        return self.process.wait(10)

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
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, read(answer)
        except urllib.error.HTTPError as error:
            return error.code, read(error)

    def add_node(
        self, name: str, directory: Path, programs: dict[str, list[str]]
    ) -> dict[str, str]:
        """Enrol a node whose agents are programs, start its watcher; gives the agents' tokens."""
        agents = list(programs)
        status, answer = self.call(
            self.admin, "POST", "/api/nodes", {"name": name, "agents": agents}
        )
        assert status == 201, answer
        watcher = [str(BIN / "bus-watcher")]
        at = ["--dir", str(directory)]
        environment = clean_environment(HOME=str(directory.parent))
        enrol = [*watcher, "enrol", self.url, answer["code"], *at]
        subprocess.run(enrol, env=environment, check=True)
        for agent, argv in programs.items():
            setting = [*watcher, "set", agent, *at, "method=program", f"argv={json.dumps(argv)}"]
            subprocess.run(setting, env=environment, check=True)
        self.watchers.append(subprocess.Popen([*watcher, "run", *at], env=environment))
        headers = {agent: (directory / f"{agent}.header").read_text() for agent in agents}
        return {agent: text.strip().rpartition(" ")[2] for agent, text in headers.items()}


def read(answer: Any) -> Any:
    text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers["Content-Type"] else text


@pytest.fixture
def bus(tmp_path):
    one = Bus(tmp_path / "data")
    subprocess.run([str(BIN / "bus"), "init"], env=one.environment, check=True)
    one.admin = (one.data_dir / "admin.token").read_text().strip()
    one.start()
    yield one
    for watcher in one.watchers:
        watcher.terminate()
        watcher.wait(10)
    if one.process is not None and one.process.poll() is None:
        one.stop()
