"""The tutorial of a phone and its agents: each command of it is typed as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from typing_along import Reader, at_home, commands, free_port
from upping import up

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-your-phone-and-your-agents.md"
STANDS_ALREADY = ("git clone", "make up", "export")
"""What the test has seen to by itself: it needs no clone."""
STAYS = ("bus-watcher run", "python3")
SEEN = {
    "bus session new": ["s_"],
    "bus session show": ["How is the garden?", "the tomatoes", "the dill", "half empty"],
    "bus notice list": ["phone", "ntfy"],
    "curl": ['"approval_id":"q_'],
    "cat ~/garden/bell.log": ["gardener asks for approval", "/sessions/s_"],
    "bus session approval": ["approve", "until Sunday"],
}
"""What a command that begins so has shown, soon if not at once."""
PRINTED = {
    "CODE": ("node code", r"enrol \S+ (\S+)"),
    "SESSION_ID": ("session new", r"s_[0-9A-Z]{26}"),
    "APPROVAL_ID": ("/approvals", r"q_[0-9A-Z]{26}"),
}


@pytest.fixture
def reader(tmp_path):
    """A reader at a home where nothing is there yet, in a network of this machine alone."""
    bus, bell = f"http://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    here = {
        "http://192.168.1.10:8091": bus,
        "192.168.1.10:8093": bell,
        '"192.168.1.10", 8093': f'"127.0.0.1", {bell.rpartition(":")[2]}',
    }
    told = {"BUS_HOST": "127.0.0.1", "BUS_PORT": bus.rpartition(":")[2], "BUS_URL": bus}
    told |= {"BUS_PUBLIC_URL": bus, "BUS_NOTICE_HOSTS": f"http://{bell}"}
    one = Reader(at_home(tmp_path, **told), here, SEEN | {"bus person link": [bus]}, STAYS, PRINTED)
    yield one
    one.end()


def test_the_tutorial_of_a_phone_does_what_it_says(reader):
    with up(reader.environment):
        for command in commands(PAGE, STANDS_ALREADY):
            reader.type(command)
