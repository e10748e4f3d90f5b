"""Mail at the level of its verbs, on a real database."""

from __future__ import annotations

import pytest

from bus.errors import InboxFullError, KeyReusedError, NotFoundError, UnknownRecipientError
from bus.mail import service as mail


def test_reading_again_shows_the_same_item_under_the_same_handle(house):
    house.send("alice", "bob")
    assert house.read("bob")[0].handle == house.read("bob")[0].handle


def test_a_late_ack_counts_unless_the_item_was_leased_again(house):
    house.send("alice", "bob")
    first = house.read("bob")[0].handle
    house.pass_time(601)
    assert house.ack("bob", first) == "acked"
    assert house.ack("bob", first) == "already"


def test_the_handle_of_an_item_leased_again_is_fenced(house):
    house.send("alice", "bob")
    first = house.read("bob")[0].handle
    house.pass_time(601)
    second = house.read("bob")[0].handle
    assert house.ack("bob", first) == "fenced"
    assert house.ack("bob", second) == "acked"


def test_an_item_never_acked_is_dead_after_five_attempts_and_its_sender_hears_it(house):
    sent = house.send("alice", "bob")
    for _ in range(5):
        house.read("bob")
        house.pass_time(601)
    assert house.trace("alice", sent["id"])["state"] == "dead"
    assert "FAILURE" in [item.row.type for item in house.read("alice")]


def test_a_repeated_key_is_one_message_and_another_request_under_it_is_refused(house):
    key = mail.Key("agent:1", "send", "k", "hash")
    first = house.send("alice", "bob", key=key)
    again = house.send("alice", "bob", key=key)
    assert again["id"] == first["id"]
    assert again["deduplicated"]
    with pytest.raises(KeyReusedError):
        house.send("alice", "bob", key=mail.Key("agent:1", "send", "k", "other"))
    assert len(house.read("bob")) == 1


def test_one_wrong_name_in_a_list_sends_nothing(house):
    with pytest.raises(UnknownRecipientError, match="bobb"):
        house.send("alice", "bob", "bobb")
    assert house.read("bob") == []


def test_an_agent_of_another_compartment_does_not_exist(house):
    with pytest.raises(UnknownRecipientError):
        house.send("alice", "charlie")
    sent = house.send("alice", "bob")
    with pytest.raises(NotFoundError):
        house.trace("charlie", sent["id"])


def test_a_full_inbox_refuses_and_drops_nothing(house):
    for _ in range(5):
        house.send("alice", "bob")
    with pytest.raises(InboxFullError):
        house.send("alice", "bob")
    assert len(house.read("bob")) == 5


def test_urgent_mail_is_read_first(house):
    house.send("alice", "bob", body="later")
    house.send("alice", "bob", body="now", priority=0)
    assert [item.body for item in house.read("bob")] == ["now", "later"]


def test_scheduled_mail_gets_its_place_in_the_log_when_it_is_released(house):
    house.send("alice", "bob", body="later", deliver_ms=house.clock.now_ms() + 60_000)
    house.send("alice", "bob", body="now")
    assert [item.body for item in house.read("bob")] == ["now"]
    house.pass_time(61)
    assert [item.body for item in house.read("bob")] == ["now", "later"]
    assert len(house.log("message")) == 2


def test_mail_that_expires_unread_tells_its_sender(house):
    sent = house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)
    house.pass_time(2)
    assert house.trace("alice", sent["id"])["state"] == "expired"
    assert house.read("alice")[0].row.type == "FAILURE"


def test_a_long_wait_gets_the_sender_one_note_without_a_wake(house):
    house.send("alice", "bob")
    house.pass_time(901)
    house.pass_time(901)
    notes = house.read("alice")
    assert [note.row.type for note in notes] == ["DELAYED"]
    assert [wake["to_agent"] for wake in house.open_wakes()] == ["bob"]


def test_two_that_answer_each_other_for_ever_are_held(house):
    house.send("alice", "bob")
    states = []
    for turn in range(40):
        me, other = ("bob", "alice") if turn % 2 == 0 else ("alice", "bob")
        items = house.read(me)
        if not items:
            break
        states.append(house.send(me, other)["deliveries"][0]["state"])
        for item in items:  # a warning is among them before the end
            house.ack(me, item.handle)
    assert states[-1] == "held"
    assert len(states) == 16
