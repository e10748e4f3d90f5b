"""A board: ann holds, ben and dan are her peers, lea leads, pia is a person; cat is elsewhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from boardhouse import Board

from bus.directory import service as directory


@pytest.fixture
def board(house):
    for name, fields in (
        *((name, {}) for name in ("ann", "ben", "dan")),
        ("lea", {"lead": True}),
        ("pia", {"kind": "person"}),
        ("wim", {"kind": "worker"}),
        ("cat", {"compartments": ["apart"], "lead": True}),
    ):
        house.store.write(
            lambda tx, one=(name, fields): directory.add(tx, {"name": one[0], **one[1]})
        )
    house.store.writer._tools.config = replace(house.store.config, max_inbox=1000)
    return Board(house)
