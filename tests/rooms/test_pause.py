"""A paused agent: its mail waits, its senders read why, and it is woken at once when it goes on."""

from __future__ import annotations

from bus.directory import service as directory


def pause(house, name, *, paused=True):
    house.store.write(lambda tx: directory.change(tx, name, {"paused": paused}))


def wakes_of(house, name):
    return [wake for wake in house.open_wakes() if wake["to_agent"] == name]


def test_mail_for_a_paused_agent_waits_and_its_sender_reads_since_when(house):
    pause(house, "bob")
    sent = house.send("alice", "bob")
    assert sent["deliveries"][0]["state"] == "queued"
    assert "paused by the administration since 20" in sent["deliveries"][0]["reason"]
    assert wakes_of(house, "bob") == []
    shown = house.trace("alice", sent["id"])
    assert shown["reason"] == sent["deliveries"][0]["reason"]


def test_a_second_pause_does_not_move_its_beginning(house):
    pause(house, "bob")
    first = house.send("alice", "bob")["deliveries"][0]["reason"]
    house.pass_time(60)
    pause(house, "bob")
    assert house.send("alice", "bob")["deliveries"][0]["reason"] == first


def test_a_pause_takes_back_a_wake_that_nobody_took_and_the_next_one_comes_at_once(house):
    house.send("alice", "bob")
    pause(house, "bob")
    assert wakes_of(house, "bob") == []
    pause(house, "bob", paused=False)
    assert [wake["state"] for wake in wakes_of(house, "bob")] == ["asked"]


def test_an_agent_that_goes_on_does_not_wait_for_what_failed_before(house):
    house.send("alice", "bob")
    for _ in range(3):
        (wake,) = wakes_of(house, "bob")
        house.report(wake["wake_id"], "no_turn", reason="gateway down")
        house.pass_time(61)
    (wake,) = wakes_of(house, "bob")
    house.report(wake["wake_id"], "no_turn", reason="gateway down")
    pause(house, "bob")
    pause(house, "bob", paused=False)
    assert [wake["state"] for wake in wakes_of(house, "bob")] == ["asked"]


def test_a_note_of_delay_says_that_the_recipient_is_paused(house):
    pause(house, "bob")
    house.send("alice", "bob")
    house.pass_time(16 * 60)
    (note,) = house.read("alice")
    assert "paused by the administration" in note.body


def test_a_paused_agent_can_still_read(house):
    pause(house, "bob")
    house.send("alice", "bob")
    assert len(house.read("bob")) == 1
