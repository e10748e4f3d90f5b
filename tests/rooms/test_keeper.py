"""The keeper: a bad row holds up no other, notes have an end, a clock that is set harms nobody."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bus.live.hub import Hub
from bus.mail import keeping
from bus.store.schema import deliveries
from bus.wakes.keeper import Keeper

YEAR_S = 366 * 86_400


@pytest.fixture
def keeper(house):
    one = Keeper(house.store, Hub())
    one.aside = house.aside
    return one


def break_row(monkeypatch, message_id):
    """Have the keeper fail on one message, whatever is to be done with it."""
    real = keeping.do_one

    def do_one(tx, row):
        real(tx, row)
        if row.message_id == message_id:
            raise ValueError("an odd row")

    monkeypatch.setattr(keeping, "do_one", do_one)


def test_one_row_that_cannot_be_processed_holds_up_no_other(house, monkeypatch):
    soon = house.clock.now_ms() + 1000
    odd, good = (house.send("alice", "bob", expires_ms=soon)["id"] for _ in range(2))
    break_row(monkeypatch, odd)
    house.pass_time(2)
    assert house.trace("alice", good)["state"] == "expired"
    assert house.trace("alice", odd)["state"] == "queued", "undone, and nobody was told"
    assert len(house.aside) == 1
    assert len(house.read("alice")) == 1


def test_a_row_that_was_set_aside_is_tried_again_after_a_pause(house, monkeypatch):
    odd = house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)["id"]
    with monkeypatch.context() as patch:
        break_row(patch, odd)
        house.pass_time(2)
        house.pass_time(1)
    assert house.trace("alice", odd)["state"] == "queued", "not before its pause is over"
    house.pass_time(10)
    assert house.trace("alice", odd)["state"] == "expired"
    assert len(house.aside) == 0


def test_a_keeper_with_a_bad_row_sleeps(house, keeper, monkeypatch):
    odd = house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)["id"]
    break_row(monkeypatch, odd)
    house.pass_time(2)
    assert keeper._pause_s() > 0


def test_notes_that_nobody_reads_end_with_what_they_tell_of(house):
    house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)
    house.pass_time(2)
    retention_s = house.store.config.retention_s
    house.pass_time(retention_s + 1)
    assert house.read("alice") == []
    house.pass_time(retention_s + 1)
    while house.store.write(keeping.prune):
        pass
    with house.store.read() as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar() == 0


def test_notes_that_nobody_reads_fill_no_more_than_an_inbox(house):
    for _ in range(9):
        house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)
        house.pass_time(2)
    notes = house.read("alice", limit=100)
    assert len(notes) == house.store.config.max_inbox
    assert notes[-1].row.in_reply_to == house.log("message")[-2].data["id"]
