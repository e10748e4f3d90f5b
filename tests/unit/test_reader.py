"""A reader that is far behind in a log that is mostly others', without a connection."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from keptlog import Kept

from bus.access.model import Principal
from bus.live.hub import Hub
from bus.live.reader import STRETCH, Reader
from bus.live.tail import Tail
from bus.store import schema

MINE, OTHERS = 1, 2


@pytest.fixture
def kept():
    return Kept()


def fill(kept, *parts, first=1):
    """Write a log of parts, (how many rows, whose); gives the places of mine."""
    facts = {"at_ms": 0, "kind": "message", "sender_id": None, "node_id": None, "data": "{}"}
    whose = [who for count, who in parts for _ in range(count)]
    rows = [{"seq": seq, "participant_id": who, **facts} for seq, who in enumerate(whose, first)]
    kept.put(schema.log, rows)
    return [row["seq"] for row in rows if row["participant_id"] == MINE]


def read_all(kept):
    """Look until the log's end; gives what came by each look that came before it."""
    run = SimpleNamespace(store=kept, tail=Tail(kept, Hub()))
    me = Principal("agent", "ann", "", MINE)
    reader = Reader(run, me, None, 0, "e", 0.0, sees=lambda row: row.participant_id == MINE)
    looks, cursor = [], -1
    while reader.cursor > cursor:
        cursor = reader.cursor
        looks.append(
            [int(seq) for seq in re.findall(rb"^id: e-(\d+)$", reader.look(), re.MULTILINE)]
        )
    return looks


def test_what_is_others_is_passed_over_in_few_looks(kept):
    mine = fill(kept, (200_000, OTHERS), (3, MINE))
    looks = read_all(kept)
    assert [seq for each in looks for seq in each] == mine
    assert len(looks) < 10


@pytest.mark.parametrize("first", [1, 10**15])
def test_nothing_is_lost_or_doubled_where_much_follows_a_long_silence(kept, first):
    parts = (30_000, OTHERS), (2_500, MINE), (100, OTHERS), (10, MINE), (9_000, OTHERS), (1, MINE)
    mine = fill(kept, *parts, first=first)
    looks = read_all(kept)
    assert [seq for each in looks for seq in each] == mine
    assert max(map(len, looks)) <= STRETCH
