"""A real bus for a whole module, with one of every kind of principal on it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from cast import OpenBus, World

from tests import engine


@pytest.fixture(scope="module")
def world(tmp_path_factory, made_data):
    folder = tmp_path_factory.mktemp("attacked")
    engine.copy_data(made_data, folder / "data")
    bus = OpenBus(folder / "data")
    bus.admin = (bus.data_dir / "admin.token").read_text().strip()
    bus.start()
    try:
        yield World(bus)
        said = (bus.data_dir / "bus.log").read_text()
        assert "fault_met" not in said, said[said.index("fault_met") - 300 :][:900]
    finally:
        bus.stop(signal.SIGKILL)
        engine.drop(bus.data_dir)
