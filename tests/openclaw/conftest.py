"""The real OpenClaw of the lab, one gateway per test module, with a model that does as told.

The lab is found by WAKEBUS_LAB. Where that is not set these tests skip and say so; where it is,
whatever goes wrong is a failure.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from realopenclaw import OpenClaw, find_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def start_openclaw() -> Iterator[Callable[..., OpenClaw]]:
    """Start a gateway: `start_openclaw("one", "alpha", "beta")`; all are stopped at the end."""
    if not os.environ.get("WAKEBUS_LAB"):
        pytest.skip("WAKEBUS_LAB is not set: the real OpenClaw of the lab is needed")
    started: list[OpenClaw] = []

    def start(name: str, *agents: str) -> OpenClaw:
        instance = OpenClaw(f"test-{name}", find_port(), agents or ("alpha", "beta"))
        started.append(instance)
        instance.fresh()
        return instance

    yield start
    for instance in started:
        instance.down()


@pytest.fixture(scope="module")
def openclaw(start_openclaw: Callable[..., OpenClaw], request: pytest.FixtureRequest) -> OpenClaw:
    """One gateway for the module, with the agents alpha and beta."""
    return start_openclaw(request.module.__name__.rpartition(".")[2].replace("_", "-"))
