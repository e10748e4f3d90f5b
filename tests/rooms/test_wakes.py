"""The wake ledger at the level of its verbs, on a real database."""

from __future__ import annotations

import pytest

from bus.errors import FencedError


def test_a_burst_of_mail_is_one_wake(house):
    for _ in range(3):
        house.send("alice", "bob")
    assert [wake["to_agent"] for wake in house.open_wakes()] == ["bob"]


def test_mail_during_a_turn_is_exactly_one_more_wake(house):
    house.send("alice", "bob")
    first = house.open_wakes()[0]["wake_id"]
    assert house.report(first, "received")["pending"] == {"total": 1, "urgent": 0}
    house.report(first, "admitted", turn_id="r")
    house.ack("bob", house.read("bob")[0].handle)
    house.send("alice", "bob")
    house.send("alice", "bob")
    assert [wake["wake_id"] for wake in house.open_wakes()] == [first]
    assert house.report(first, "ended")["next_wake"]
    (second,) = house.open_wakes()
    assert second["wake_id"] != first
    assert second["generation"] == 2


def test_a_read_without_a_wake_closes_the_pending_one(house):
    house.send("alice", "bob")
    wake = house.open_wakes()[0]["wake_id"]
    house.read("bob")
    assert house.open_wakes() == []
    with pytest.raises(FencedError):
        house.report(wake, "received")


def test_a_gateway_that_is_down_counts_no_attempt_and_is_asked_again_later(house):
    sent = house.send("alice", "bob")
    for _ in range(8):
        (wake,) = house.open_wakes()
        house.report(wake["wake_id"], "received")
        house.report(wake["wake_id"], "no_turn", reason="ECONNREFUSED")
        assert house.open_wakes() == []
        house.pass_time(61)
    told = house.trace("alice", sent["id"])
    assert told["failed_attempts"] == 0
    assert "ECONNREFUSED" in told["reason"]


def test_an_agent_that_its_gateway_does_not_know_is_dead_at_once_and_the_sender_told(house):
    sent = house.send("alice", "bob")
    (wake,) = house.open_wakes()
    house.report(wake["wake_id"], "received")
    house.report(wake["wake_id"], "no_turn", reason="unknown agent", permanent=True)
    assert house.trace("alice", sent["id"])["state"] == "dead"
    assert house.read("alice")[0].row.type == "FAILURE"


@pytest.mark.parametrize("end", ["failed", "ended"])
def test_five_turns_that_fail_or_ignore_their_mail_end_it_and_the_sender_is_told(house, end):
    sent = house.send("alice", "bob")
    for _ in range(5):
        (wake,) = [one for one in house.open_wakes() if one["to_agent"] == "bob"]
        house.report(wake["wake_id"], "received")
        house.report(wake["wake_id"], "admitted", turn_id="r")
        house.report(wake["wake_id"], end, reason="no words")
        house.pass_time(61)
    assert house.trace("alice", sent["id"])["state"] == "dead"
    assert house.read("alice")[0].row.type == "FAILURE"


def test_a_blind_wake_is_shown_as_not_seen_and_asked_again_when_nobody_reads(house):
    sent = house.send("alice", "bob")
    (wake,) = house.open_wakes()
    house.report(wake["wake_id"], "received")
    house.report(wake["wake_id"], "requested")
    told = house.trace("alice", sent["id"])
    assert (told["state"], told["seen"]) == ("woken", False)
    house.pass_time(121)
    house.pass_time(2)
    assert house.open_wakes()[0]["generation"] == 2


def test_a_blind_wake_closes_when_all_it_asked_for_is_acked(house):
    house.send("alice", "bob")
    (wake,) = house.open_wakes()
    house.report(wake["wake_id"], "received")
    house.report(wake["wake_id"], "requested")
    house.ack("bob", house.read("bob")[0].handle)
    assert house.open_wakes() == []


def test_a_turn_that_was_admitted_and_ends_unseen_is_one_rung(house):
    sent = house.send("alice", "bob")
    wake = house.open_wakes()[0]["wake_id"]
    house.report(wake, "received")
    house.report(wake, "admitted", turn_id="r")
    house.report(wake, "requested")
    rungs = house.trace("alice", sent["id"])["ladder"]
    assert [(rung["state"], rung["seen"]) for rung in rungs][-2:] == [
        ("notified", True),
        ("woken", True),
    ]


def test_a_message_that_died_shows_every_attempt_that_failed(house):
    sent = house.send("alice", "bob")
    for _ in range(5):
        wake = house.open_wakes()[0]["wake_id"]
        house.report(wake, "received")
        house.report(wake, "admitted", turn_id="r")
        house.report(wake, "failed", reason="no model")
        house.pass_time(61)
    told = house.trace("alice", sent["id"])
    assert (told["state"], told["failed_attempts"]) == ("dead", 5)
    assert "5 attempts without an ack" in told["reason"]
