"""The tutorial of background runs: each command of it is typed as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from typing_along import Reader, at_home, commands, free_port
from upping import up

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-dispatch-and-forget.md"
STANDS_ALREADY = ("git clone", "make up", "export PATH")
"""What the test has seen to by itself: it needs no clone."""
STAYS = ("bus-watcher run",)
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
PRINTED = {
    "CODE": ("node code", r"enrol \S+ (\S+)"),
    "RUN_ID": ("run start|/api/runs", r"r_[0-9A-Z]{26}"),
}


@pytest.fixture
def reader(tmp_path):
    """A reader at a home where nothing is there yet."""
    port = free_port()
    here = {"http://127.0.0.1:8091": f"http://127.0.0.1:{port}"}
    one = Reader(at_home(tmp_path, BUS_PORT=str(port)), here, SEEN, STAYS, PRINTED)
    yield one
    one.end()


def test_the_tutorial_of_background_runs_does_what_it_says(reader):
    said = commands(PAGE, STANDS_ALREADY)
    follows = [at for at, command in enumerate(said) if "--follow" in command]
    assert len(follows) == 3
    with up(reader.environment):
        for at, command in enumerate(said):
            reader.type(command, exit_code=int(at == follows[-1]))
