"""A real bus with settings of its own, and the tools of the lab that break it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def restart(bus):
    """Start the bus again with more of an environment: `restart(BUS_X="1")`."""

    def again(**settings):
        bus.stop(signal.SIGKILL)  # nothing here asks how it ends; a stop in order takes its time
        bus.settings |= settings
        bus.start()
        return bus

    return again


@pytest.fixture(scope="session")
def clockjump(lab, tmp_path_factory):
    """The lab's library that moves a running program's wall clock, built once."""
    made = tmp_path_factory.mktemp("clock") / "clockjump.so"
    build = ["cc", "-O2", "-shared", "-fPIC", "-o", str(made), str(lab / "clockjump.c"), "-ldl"]
    subprocess.run(build, check=True, capture_output=True)
    return made


@pytest.fixture
def add(bus):
    """Make an agent or a person; gives its token."""
    return bus.add
