"""The tutorial of background runs: each command of it is typed as it stands there."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from upping import up

from tests.conftest import BIN, clean_environment, until

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-dispatch-and-forget.md"
STANDS_ALREADY = ("git clone", "make up", "export PATH")
"""What the test has seen to by itself: it needs no clone."""
STAYS = "bus-watcher run"
SEEN = {
    "bus-watcher agents": ["counter", "lister", "program"],
    "bus run start counter": ["counter", "queued"],
    "bus run show": ["queued", "completed", "exit code 0"],
    "bus inbox": ["RESULT count: completed", "I counted for three seconds", "subagent-count.md"],
    "cat ~/yard-work": ["counted "],
    "curl": ['"status":"accepted"', '"group":"g_'],
    "cat ~/.local": ["2 of 2 runs completed", "I counted for three seconds", "count.sh"],
    "bus wakes": ["ping", "closed"],
    "bus brief": ["failed runs (1), finished runs (3)"],
}
"""What a command that begins so has shown, soon if not at once."""
RUN = re.compile(r"r_[0-9A-Z]{26}")
CODE = re.compile(r"enrol \S+ (\S+)")


def commands() -> list[str]:
    """Give the page's commands in their order; one over several lines is one."""
    found: list[str] = []
    for line in re.findall(r"^ {4}(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        begun = found[-1] if found else ""
        if ("<<'EOF'" in begun and "\nEOF" not in begun) or begun.count("'") % 2:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return [one for one in found if not one.startswith(STANDS_ALREADY)]


class Reader:
    """Types what the page says, and puts in what was printed where the page says so."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.url = f"http://127.0.0.1:{environment['BUS_PORT']}"
        self.code = self.run_id = ""
        self.staying: list[subprocess.Popen[str]] = []

    def type(self, command: str, exit_code: int = 0) -> None:
        text = command.replace("http://127.0.0.1:8091", self.url)
        text = text.replace("CODE", self.code).replace("RUN_ID", self.run_id)
        words = ["bash", "-c", text]
        if command.startswith(STAYS):
            words[-1] = f"exec {text}"
            self.staying.append(subprocess.Popen(words, env=self.environment, text=True))
            return

        def look() -> str:
            done = subprocess.run(
                words, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == exit_code, (text, done.stdout, done.stderr)
            return done.stdout if all(part in done.stdout for part in wanted) else ""

        wanted = next((SEEN[word] for word in SEEN if command.startswith(word)), [])
        said = until(look, 30, f"{text}: {wanted}") if wanted and not exit_code else look()
        self.code = found[1] if (found := CODE.search(said)) else self.code
        if "run start" in command or "/api/runs" in command:
            self.run_id = RUN.findall(said)[0]


@pytest.fixture
def reader(tmp_path):
    """A reader at a home where nothing is there yet."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    one = Reader(clean_environment(HOME=str(tmp_path), BUS_PORT=str(port), PATH=path))
    yield one
    for watcher in one.staying:
        watcher.terminate()
        watcher.wait(20)


def test_the_tutorial_of_background_runs_does_what_it_says(reader):
    said = commands()
    follows = [at for at, command in enumerate(said) if "--follow" in command]
    assert len(follows) == 3
    with up(reader.environment):
        for at, command in enumerate(said):
            reader.type(command, exit_code=int(at == follows[-1]))
