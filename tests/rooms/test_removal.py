"""An agent that leaves: what was for it ends, and whoever wrote to it knows."""

from __future__ import annotations

import pytest

from bus.directory import service as directory
from bus.errors import NoReplyAddressError
from bus.mail import service as mail
from bus.mail.model import Draft


def remove(house, name):
    house.store.write(lambda tx: directory.remove(tx, name))


def answer(house, name, handle, *, acks):
    who, draft = house.principal(name), Draft(to=(), body="done", type="REPLY")
    return house.store.write(
        lambda tx: mail.reply(tx, who, handle, draft, acks=acks, unless_replied=False)
    )


def test_the_sender_of_mail_that_waits_for_a_removed_agent_is_told(house):
    waits = house.send("alice", "bob")["id"]
    scheduled = house.send("alice", "bob", deliver_ms=house.clock.now_ms() + 60_000)["id"]
    remove(house, "bob")
    told = [item.row.in_reply_to for item in house.read("alice")]
    assert told == [waits, scheduled]
    assert house.trace("alice", waits)["state"] == "dead"
    assert "removed" in house.trace("alice", waits)["reason"]


def test_mail_that_a_removed_agent_was_reading_is_not_lost_in_silence(house):
    sent = house.send("alice", "bob")["id"]
    house.read("bob")
    remove(house, "bob")
    assert house.trace("alice", sent)["state"] == "dead"
    assert [item.row.type for item in house.read("alice")] == ["FAILURE"]


def test_a_removed_agent_is_asked_nothing_more(house):
    house.send("alice", "bob")
    remove(house, "bob")
    wakes = [wake for wake in house.open_wakes() if wake["to_agent"] == "bob"]
    assert wakes == []


def test_an_answer_to_a_removed_sender_is_no_mail_for_nobody_and_the_ack_counts(house):
    sent = house.send("alice", "bob")["id"]
    handle = house.read("bob")[0].handle
    remove(house, "alice")
    with pytest.raises(NoReplyAddressError, match="alice can no longer be reached"):
        answer(house, "bob", handle, acks=False)
    answered = answer(house, "bob", handle, acks=True)
    assert (answered["status"], answered["acked"]) == ("skipped", True)
    assert house.trace("bob", sent)["state"] == "acked"


def test_the_first_answer_has_room_in_a_full_inbox_and_a_further_one_has_not(house):
    house.send("alice", "bob")
    handle = house.read("bob")[0].handle
    for _ in range(5):
        house.send("bob", "alice")
    assert answer(house, "bob", handle, acks=False)["status"] == "accepted"
    who, more = house.principal("bob"), Draft(to=(), body="and more", type="REPLY")
    with pytest.raises(Exception, match="nothing was taken"):
        house.store.write(
            lambda tx: mail.reply(tx, who, handle, more, acks=False, unless_replied=False)
        )
