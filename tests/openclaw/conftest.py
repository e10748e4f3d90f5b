"""The real OpenClaw of the lab: two gateways for all tests, with models that do as told.

One is enough for the tests of single methods, both are the machines of the whole path: the second
is started where both are asked for, and tests/conftest.py has these tests run apart. A test has
agents of its own there, whose sessions no other test leaves in a state that it did not expect.

The lab is found by WAKEBUS_LAB. Where that is not set these tests skip and say so; where it is,
whatever goes wrong is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from realopenclaw import OpenClaw, find_port, instance_name
from wholepath import Household, Machine

from tests.conftest import BIN, Bus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WARM = "warm"  # for `warm_hooks` alone
SLEEPERS = (
    *("beta", "by-gateway", "by-hook", "by-wake-hook", "by-command", "by-program", "by-auto"),
    *("by-fallback", "busy", "crowded", "waiting", "killed", "failing", "deaf", "deaf-by-hook"),
    *("afar", "farther"),
    WARM,
)
ON_THE_FIRST = (
    *(
        "alpha",
        "steady",
        "probed",
        "broken",
        "silent",
        "followed",
        "asking",
        "patient",
        "late",
        "stopped",
    ),
    *(
        "killed",
        "hooked",
        "heard",
        "commanded",
        "skilled",
        "unskilled",
        "worker",
        "mortal",
        "other",
        "speaker",
        "broken-off",
        "gone-on",
        WARM,
    ),
)


@pytest.fixture(scope="session")
def start_openclaw() -> Iterator[Callable[..., OpenClaw]]:
    """Start a gateway: `start_openclaw("one", "alpha", "beta")`; all are stopped at the end."""
    if not os.environ.get("WAKEBUS_LAB"):
        pytest.skip("WAKEBUS_LAB is not set: the real OpenClaw of the lab is needed")
    started: list[OpenClaw] = []

    def start(name: str, *agents: str) -> OpenClaw:
        instance = OpenClaw(instance_name(name), find_port(), agents)
        started.append(instance)
        instance.fresh()
        return instance

    yield start
    for instance in started:
        instance.down()


@pytest.fixture(scope="session")
def openclaw(start_openclaw: Callable[..., OpenClaw]) -> OpenClaw:
    """The first gateway."""
    return start_openclaw("here", *ON_THE_FIRST)


@pytest.fixture(scope="session")
def machine(openclaw: OpenClaw) -> Machine:
    """The first gateway, with a script for each of its agents."""
    return Machine(openclaw)


@pytest.fixture(scope="session")
def machines(machine: Machine, start_openclaw: Callable[..., OpenClaw]) -> tuple[Machine, Machine]:
    """Both gateways; each test has a sleeper of its own on the second."""
    return machine, Machine(start_openclaw("there", *SLEEPERS))


@pytest.fixture(scope="module")
def household(
    openclaw: OpenClaw,  # where there is none nothing else is started
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Household]:
    """One bus for the module, with the module's BUS_SETTINGS; its nodes are added by the module."""
    settings = getattr(request.module, "BUS_SETTINGS", {})
    bus = Bus(tmp_path_factory.mktemp("household") / "data", settings=settings)
    subprocess.run([str(BIN / "bus"), "init"], env=bus.environment, check=True)
    bus.admin = (bus.data_dir / "admin.token").read_text().strip()
    bus.start()
    yield Household(bus, f".{request.module.__name__.rpartition('.')[2]}")
    for watcher in bus.watchers:
        watcher.terminate()
        watcher.wait(10)
    bus.stop()
