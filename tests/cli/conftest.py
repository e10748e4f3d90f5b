"""A command line for the administration, and one for each agent or person that a test names."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from commandline import CommandLine

from tests.postgres import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def as_admin(bus) -> CommandLine:
    return CommandLine(bus.environment | {"BUS_URL": bus.url})


@pytest.fixture
def act_as(bus, as_admin, tmp_path) -> Callable[..., CommandLine]:
    """Make an agent or a person and give the command line with its token."""

    def make(name: str, kind: str = "named") -> CommandLine:
        file = tmp_path / f"{name}.token"
        file.write_text(bus.add(name, kind))
        return CommandLine(as_admin.environment | {"BUS_TOKEN_FILE": str(file)})

    return make


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL for the tests of what a command does to one."""
    with serving() as one:
        yield one


@pytest.fixture
def database(server, request) -> Iterator[str]:
    """Give the URL of an empty database that goes with the test."""
    name = f"of_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    yield server.create(name)
    server.drop(name)
