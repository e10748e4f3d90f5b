"""The wake ledger at the level of its verbs, on a real database."""

from __future__ import annotations

import pytest

from bus.clock import from_text
from bus.directory import nodes
from bus.directory import service as directory
from bus.errors import FencedError
from bus.mail import service as mail
from bus.wakes import service as wakes


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


def test_a_gateway_that_lost_its_own_state_after_the_admission_costs_the_mail_no_attempt(house):
    sent = house.send("alice", "bob")
    wake = taken(house, "received", "admitted")
    house.report(wake, "no_turn", reason="OpenClaw lost its own state")
    told = house.trace("alice", sent["id"])
    assert (told["state"], told["failed_attempts"]) == ("queued", 0)
    assert "OpenClaw lost its own state" in told["reason"]


def test_a_turn_that_read_its_inbox_did_begin_whatever_its_runtime_says(house):
    sent = house.send("alice", "bob")
    wake = taken(house, "received", "admitted")
    house.read("bob")
    house.report(wake, "no_turn", reason="OpenClaw lost its own state")
    assert house.trace("alice", sent["id"])["failed_attempts"] == 1


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


def taken(house, *states):
    """Send to bob and have his watcher say what it does of the wake; gives the wake's id."""
    house.send("alice", "bob")
    wake = house.open_wakes()[0]["wake_id"]
    for state in states:
        house.report(wake, state, turn_id="r")
    return wake


def test_a_blind_call_whose_agent_was_faster_does_not_hold_up_the_next_wake(house):
    wake = taken(house, "received")
    house.ack("bob", house.read("bob")[0].handle)
    house.report(wake, "requested")
    house.send("alice", "bob")
    (second,) = house.open_wakes()
    assert second["wake_id"] != wake


def test_a_blind_wake_that_was_read_early_lasts_as_long_as_its_lease(house):
    wake = taken(house, "received")
    house.read("bob")
    house.report(wake, "requested")
    house.pass_time(500)
    assert [one["wake_id"] for one in house.open_wakes()] == [wake]


def test_a_blind_wake_goes_on_while_its_reader_asks_for_time(house):
    wake = taken(house, "received", "requested")
    item = house.read("bob")[0]
    who = house.principal("bob")
    house.store.write(lambda tx: mail.extend(tx, who, [item.handle], 3600))
    house.pass_time(700)
    assert [one["wake_id"] for one in house.open_wakes()] == [wake]


def test_a_call_that_was_made_is_not_made_again_for_a_watcher_that_forgot(house):
    wake = taken(house, "received", "requested")
    assert house.report(wake, "received")["go"] is False


def test_a_turn_outlives_an_absence_of_the_bus(house):
    wake = taken(house, "received", "admitted")
    item = house.read("bob")[0]
    house.clock.advance(700)
    house.store.write(wakes.spare)
    house.pass_time(0)
    house.report(wake, "alive")
    assert house.ack("bob", item.handle) == "acked"


def take_a_turn(house):
    """Have bob's watcher take his open wake as a turn that reads one item and settles nothing."""
    wake = house.open_wakes()[0]["wake_id"]
    house.report(wake, "received")
    house.report(wake, "admitted", turn_id="r")
    items = house.read("bob", limit=1)
    house.report(wake, "ended")
    return items


def test_turns_that_read_the_same_item_again_come_to_an_end(house):
    first = house.send("alice", "bob")
    house.read("bob")
    house.send("alice", "bob")
    for _ in range(6):
        take_a_turn(house)
    told = house.trace("alice", first["id"])
    assert (told["state"], told["failed_attempts"]) == ("dead", 5)


def test_mail_behind_a_page_of_leased_items_is_not_given_up(house):
    for _ in range(3):
        house.send("alice", "bob")
    wake = house.open_wakes()[0]["wake_id"]
    house.report(wake, "received")
    house.report(wake, "requested")
    house.read("bob", limit=3)
    behind = house.send("alice", "bob")
    for _ in range(8):
        house.read("bob", limit=3)
        house.pass_time(300)
    assert house.trace("alice", behind["id"])["failed_attempts"] == 0
    assert [one["wake_id"] for one in house.open_wakes()] == [wake]


def test_a_blind_wake_outlives_an_absence_of_the_bus(house):
    wake = taken(house, "received", "requested")
    house.clock.advance(600)
    house.store.write(wakes.spare)
    house.pass_time(0)
    assert [one["wake_id"] for one in house.open_wakes()] == [wake]


def test_what_a_moved_agent_had_read_wakes_it_at_its_new_node(house):
    taken(house, "received", "requested")
    item = house.read("bob")[0]
    house.store.write(lambda tx: nodes.add_node(tx, "two", [], ""))
    house.store.write(lambda tx: directory.change(tx, "bob", {"node": "two"}))
    told = house.trace("alice", item.row.message_id)
    assert (told["state"], told["failed_attempts"]) == ("queued", 0)


def test_the_machine_that_an_agent_left_has_no_say_in_its_new_mail(house):
    wake = taken(house, "received", "admitted")
    house.store.write(lambda tx: nodes.add_node(tx, "two", [], ""))
    house.store.write(lambda tx: directory.change(tx, "bob", {"node": "two"}))
    sent = house.send("alice", "bob")
    with pytest.raises(FencedError):
        house.report(wake, "no_turn", permanent=True)
    assert house.trace("alice", sent["id"])["state"] == "queued"


def fail_often(house):
    """Have bob's gateway be down for a while."""
    house.send("alice", "bob")
    for _ in range(7):
        (wake,) = house.open_wakes()
        house.report(wake["wake_id"], "received")
        house.report(wake["wake_id"], "no_turn", reason="ECONNREFUSED")
        if house.open_wakes() == []:
            house.clock.advance(61)
            house.pass_time(0)
    (wake,) = house.open_wakes()
    house.report(wake["wake_id"], "received")
    house.report(wake["wake_id"], "no_turn", reason="ECONNREFUSED")


def test_what_waits_for_a_pause_says_until_when_and_why(house):
    fail_often(house)
    reason = house.trace("alice", house.send("alice", "bob")["id"])["reason"]
    assert reason.startswith("waiting until ")
    assert "ECONNREFUSED" in reason
    house.pass_time(61)
    assert house.trace("alice", house.log("message")[-1].data["id"])["reason"].startswith("tried")


def test_a_pause_begins_with_the_last_failure_and_not_with_the_next_message(house):
    fail_often(house)
    house.store.write(lambda tx: directory.change(tx, "bob", {"paused": True}))
    house.clock.advance(61)
    house.store.write(lambda tx: directory.change(tx, "bob", {"paused": False}))
    assert len(house.open_wakes()) == 1


def test_a_read_that_no_wake_caused_is_no_measure_of_the_wakes(house):
    house.send("alice", "bob")
    house.clock.advance(45)
    house.read("bob")
    with house.store.read() as conn:
        me = house.principal("bob").participant_id
        assert wakes.describe(conn, [me])[me]["wake_p50_ms"] is None


def test_each_agent_is_shown_with_its_own_mail_and_the_speed_of_its_own_wakes(house):
    taken(house, "received", "admitted")
    house.clock.advance(3)
    house.read("bob")
    house.send("bob", "alice")
    bob, alice = (house.principal(name).participant_id for name in ("bob", "alice"))
    with house.store.read() as conn:
        assert wakes.describe(conn, [alice, bob]) == {
            alice: {"pending": 1, "wake_p50_ms": None},
            bob: {"pending": 0, "wake_p50_ms": 3000},
        }


def test_what_a_node_says_is_one_line_on_the_ladder(house):
    wake = taken(house, "received", "admitted")
    house.report(wake, "failed", reason="Traceback\n\x1b[2J  wakebus: all is well\u202e")
    reason = house.trace("alice", house.log("message")[-1].data["id"])["reason"]
    assert "Traceback wakebus: all is well" in reason.replace("[2J ", "")
    assert reason.isprintable()


def test_a_node_that_was_away_for_a_day_is_asked_again_within_the_hour(house):
    house.send("alice", "bob")
    for _ in range(24):
        house.pass_time(3600)
    asked = len(house.log("wake"))
    for _ in range(7):
        house.pass_time(600)
    assert len(house.log("wake")) > asked
    assert asked < 40, "an offline node's log fills up"


def test_a_ladder_s_wake_tells_when_its_turn_began_and_ended(house):
    house.send("alice", "bob")
    wake_id = house.open_wakes()[0]["wake_id"]
    house.report(wake_id, "received")
    house.report(wake_id, "admitted", turn_id="turn-7")
    began = house.clock.now_ms()
    house.ack("bob", house.read("bob")[0].handle)
    house.clock.advance(12)
    house.report(wake_id, "ended")
    with house.store.read() as conn:
        turn = wakes.turns_of(conn, [wake_id, "w_none"])[wake_id]
    assert turn["turn_id"] == "turn-7"
    assert from_text(turn["admitted_at"]) == began
    assert from_text(turn["closed_at"]) == began + 12_000
