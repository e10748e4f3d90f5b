"""What `bus tail` writes of an event: a line that a person reads, and no bare fields."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bus.cli.tail import LINES, QUIET, draw
from bus.client import Event

EVENTS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "events.md"
FOR_NODES = {"roster"}
SAID_APART = {"gap", "bus-error"}


@pytest.mark.parametrize("kind", re.findall(r"^## ([a-z-]+)$", EVENTS.read_text(), re.MULTILINE))
def test_each_event_of_the_reference_has_its_line(kind):
    assert kind in {*LINES, *QUIET, *SAID_APART, *FOR_NODES}


def test_an_alert_says_whose_it_is_and_who_was_told():
    data = {"to_agent": "ann", "id": "a_1", "severity": "critical", "state": "told", "told": "pia"}
    line = draw(Event("alert", "e-1", json.dumps(data | {"at": "2026-11-21T10:00:00.000Z"})))
    assert line.endswith("alert    ann  critical  told pia  a_1")
