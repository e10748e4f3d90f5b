"""Sessions: pia and paul are people, ann and ben agents; cat and cora are elsewhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sessionhouse import Sessions
from steeringhouse import Steering


@pytest.fixture
def talk(house):
    house.store.writer._tools.config = replace(house.store.config, max_inbox=1000)
    sessions = Sessions(house)
    sessions.fill()
    return sessions


@pytest.fixture
def steering(talk):
    return Steering(talk)
