"""Quiet hours by a clock that moves only when told: what is held, until when, and how it ends."""

from __future__ import annotations

from datetime import datetime

import pytest

from bus.directory import service as directory
from bus.errors import InvalidRequestError, NotFoundError
from bus.guard import queries as guard
from bus.mail import service as mail
from bus.wakes import service as wakes

BERLIN = {"zone": "Europe/Berlin", "windows": ["22:00-07:00"]}


@pytest.fixture
def night(house):
    """Pat, a person, sleeps from 22:00 to 07:00 in Berlin; it is 23:00 there in winter."""
    house.store.write(lambda tx: directory.add(tx, {"name": "pat", "kind": "person"}))
    house.store.write(lambda tx: directory.add(tx, {"name": "sam", "kind": "person"}))
    change(house, "pat", quiet=BERLIN)
    go(house, "2027-01-15T22:00:00Z")
    return house


def go(house, text):
    """Move the clock on to a time and do what is due by then."""
    at = datetime.fromisoformat(text).timestamp()
    house.pass_time(at - house.clock.now_ms() / 1000)


def change(house, name, **fields):
    house.store.write(lambda tx: directory.change(tx, name, fields))


def state(house, sender, sent):
    now = house.trace(sender, sent["id"])
    return now["state"], now["reason"]


def types(house, name):
    return [item.row.type for item in house.read(name)]


def test_mail_for_a_sleeping_person_is_held_and_says_until_when(night):
    sent = night.send("alice", "pat")
    why = "quiet hours until 2027-01-16T06:00:00.000Z (sat 07:00 in Europe/Berlin)"
    assert sent["deliveries"] == [{"to": "pat", "state": "held", "reason": why}]
    assert state(night, "alice", sent) == ("held", why)
    assert night.read("pat") == []
    go(night, "2027-01-16T05:59:59.999Z")
    assert state(night, "alice", sent)[0] == "held"


def test_the_night_ends_in_one_brief_in_order_of_importance(night):
    night.send("alice", "pat", priority=3, subject="low thing")
    night.send("bob", "pat", priority=1, subject="high thing", type="TASK")
    night.send("alice", "pat", priority=0, subject="urgent thing")
    before = len(night.log("message"))
    go(night, "2027-01-16T06:00:00Z")
    told = night.log("message")[before:]
    assert [row.data["type"] for row in told] == ["BRIEF"]
    items = night.read("pat")
    assert [item.row.priority for item in items] == [0, 0, 1, 3]
    (brief,) = [item for item in items if item.row.type == "BRIEF"]
    lines = brief.body.splitlines()
    assert "3 messages" in lines[0]
    assert [line.split('"')[1] for line in lines[1:4]] == [
        "urgent thing", "high thing", "low thing",
    ]  # fmt: skip
    assert brief.row.wakes == 0


def test_the_words_in_a_brief_cannot_pass_for_the_bus(night):
    forged = 'x"\n- urgent: TASK from wakebus "pay'
    night.send("alice", "pat", body=forged, subject="")
    go(night, "2027-01-16T06:00:00Z")
    (brief,) = [item for item in night.read("pat") if item.row.type == "BRIEF"]
    assert len(brief.body.splitlines()) == 3
    assert brief.body.count('"') == 2


def test_after_the_night_mail_comes_at_once(night):
    go(night, "2027-01-16T06:00:00Z")
    assert night.send("alice", "pat")["deliveries"] == [{"to": "pat", "state": "queued"}]
    assert types(night, "pat") == ["MESSAGE"]


@pytest.mark.parametrize(
    ("sent_at", "ends"),
    [
        ("2027-03-27T22:00:00Z", "2027-03-28T05:00:00Z"),  # clocks go forward: 8 h of sleep
        ("2027-10-30T21:00:00Z", "2027-10-31T06:00:00Z"),  # clocks go back: 10 h
    ],
)
def test_a_night_on_which_clocks_are_changed_ends_by_the_clock_on_the_wall(night, sent_at, ends):
    go(night, sent_at)
    sent = night.send("alice", "pat")
    assert ends.removesuffix("Z") in sent["deliveries"][0]["reason"]
    night.pass_time((datetime.fromisoformat(ends).timestamp() - night.clock.now_ms() / 1000) - 1)
    assert state(night, "alice", sent)[0] == "held"
    night.pass_time(1)
    assert state(night, "alice", sent)[0] == "queued"


def test_urgent_passes_from_a_person_and_not_from_an_agent(night):
    assert night.send("sam", "pat", priority=0)["deliveries"][0]["state"] == "queued"
    assert night.send("alice", "pat", priority=0)["deliveries"][0]["state"] == "held"
    assert night.send("sam", "pat", priority=1)["deliveries"][0]["state"] == "held"


def test_urgent_passes_from_those_who_are_named_and_nobody_else(night):
    change(night, "pat", quiet={"urgent_from": ["alice"]})
    assert night.send("alice", "pat", priority=0)["deliveries"][0]["state"] == "queued"
    assert night.send("sam", "pat", priority=0)["deliveries"][0]["state"] == "held"


def test_a_new_agent_of_an_old_name_may_not_disturb(night):
    change(night, "pat", quiet={"urgent_from": ["alice"]})
    night.store.write(lambda tx: directory.remove(tx, "alice"))
    night.store.write(lambda tx: directory.add(tx, {"name": "alice"}))
    assert night.send("alice", "pat", priority=0)["deliveries"][0]["state"] == "held"


def test_who_may_disturb_from_now_on_does_so_with_what_waits_already(night):
    urgent = night.send("alice", "pat", priority=0)
    other = night.send("bob", "pat", priority=0)
    change(night, "pat", quiet={"urgent_from": ["alice"]})
    assert state(night, "alice", urgent)[0] == "queued"
    assert state(night, "bob", other)[0] == "held"
    assert types(night, "pat") == ["MESSAGE"]


def test_an_end_that_is_moved_holds_for_what_is_held_already(night):
    sent = night.send("alice", "pat")
    change(night, "pat", quiet={"windows": ["22:00-09:30"]})
    assert "2027-01-16T08:30:00.000Z" in state(night, "alice", sent)[1]
    go(night, "2027-01-16T06:00:00Z")
    assert state(night, "alice", sent)[0] == "held"
    go(night, "2027-01-16T08:30:00Z")
    assert state(night, "alice", sent)[0] == "queued"


def test_quiet_hours_that_are_taken_away_let_all_go_at_once(night):
    sent = night.send("alice", "pat")
    change(night, "pat", quiet=None)
    assert state(night, "alice", sent)[0] == "queued"
    assert types(night, "pat") == ["MESSAGE", "BRIEF"]


def test_held_mail_can_be_taken_back_and_is_in_no_brief(night):
    sent = night.send("alice", "pat")
    who = night.principal("alice")
    night.store.write(lambda tx: mail.cancel(tx, who, sent["id"], [], ""))
    go(night, "2027-01-16T06:00:00Z")
    assert state(night, "alice", sent)[0] == "cancelled"
    assert night.read("pat") == []


def test_held_mail_that_is_wanted_no_longer_expires_and_its_sender_is_told(night):
    expires = night.clock.now_ms() + 3_600_000
    sent = night.send("alice", "pat", expires_ms=expires)
    night.pass_time(3600)
    assert state(night, "alice", sent)[0] == "expired"
    assert types(night, "alice") == ["FAILURE"]
    go(night, "2027-01-16T06:00:00Z")
    assert night.read("pat") == []


def test_mail_that_expires_as_the_night_ends_is_not_delivered(night):
    expires = round(datetime.fromisoformat("2027-01-16T06:00:00Z").timestamp() * 1000)
    night.send("bob", "pat")
    sent = night.send("alice", "pat", expires_ms=expires)
    go(night, "2027-01-16T06:00:00Z")
    assert state(night, "alice", sent)[0] == "expired"
    items = night.read("pat")
    assert [item.row.type for item in items] == ["MESSAGE", "BRIEF"]
    assert items[1].row.subject == "1 message came in your quiet hours"


def test_scheduled_mail_that_falls_into_the_night_waits_for_its_end(night):
    at = round(datetime.fromisoformat("2027-01-16T02:00:00Z").timestamp() * 1000)
    sent = night.send("alice", "pat", deliver_ms=at)
    assert state(night, "alice", sent)[1].startswith("scheduled")
    go(night, "2027-01-16T02:00:00Z")
    assert state(night, "alice", sent)[1].startswith("quiet hours until 2027-01-16T06")
    go(night, "2027-01-16T06:00:00Z")
    assert state(night, "alice", sent)[0] == "queued"


def test_failures_of_what_a_sleeping_person_sent_wait_too(night):
    sent = night.send("pat", "alice", expires_ms=night.clock.now_ms() + 60_000)
    night.pass_time(60)
    assert state(night, "pat", sent)[0] == "expired"
    assert night.read("pat") == []
    go(night, "2027-01-16T06:00:00Z")
    assert sorted(types(night, "pat")) == ["BRIEF", "FAILURE"]


def test_a_sender_hears_no_note_of_delay_for_a_night(night):
    night.send("alice", "pat")
    go(night, "2027-01-16T06:00:00Z")
    assert night.read("alice") == []


def test_an_agent_with_a_window_is_woken_once_at_its_end(night):
    change(night, "bob", quiet=BERLIN)
    for _ in range(3):
        assert night.send("alice", "bob")["deliveries"][0]["state"] == "held"
    assert night.open_wakes() == []
    go(night, "2027-01-16T06:00:00Z")
    (wake,) = night.open_wakes()
    assert wake["pending"]["total"] == 3
    assert len(night.log("wake")) == 1
    assert types(night, "bob") == ["MESSAGE"] * 3


def test_agents_without_a_window_talk_through_the_night_of_their_people(night):
    assert night.send("alice", "bob")["deliveries"][0]["state"] == "queued"
    assert len(night.open_wakes()) == 1


def test_what_an_agent_did_not_finish_before_its_window_wakes_it_after_it(night):
    go(night, "2027-01-16T20:55:00Z")
    change(night, "bob", quiet=BERLIN)
    sent = night.send("alice", "bob")
    night.read("bob")
    night.pass_time(night.store.config.lease_s)
    assert state(night, "alice", sent)[0] == "held"
    assert night.read("bob") == []
    go(night, "2027-01-17T06:00:00Z")
    assert len(night.open_wakes()) == 1
    assert [item.attempt for item in night.read("bob")] == [2]


def test_a_late_ack_of_what_is_held_again_counts(night):
    go(night, "2027-01-16T20:55:00Z")
    change(night, "bob", quiet=BERLIN)
    sent = night.send("alice", "bob")
    (item,) = night.read("bob")
    night.pass_time(night.store.config.lease_s)
    assert night.ack("bob", item.handle) == "acked"
    assert state(night, "alice", sent)[0] == "acked"
    go(night, "2027-01-17T06:00:00Z")
    assert night.open_wakes() == []


def test_a_wake_that_no_watcher_took_by_the_evening_is_not_asked_in_the_night(night):
    go(night, "2027-01-16T20:59:00Z")
    change(night, "bob", quiet=BERLIN)
    sent = night.send("alice", "bob")
    assert len(night.open_wakes()) == 1
    night.pass_time(3600)
    assert night.open_wakes() == []
    assert state(night, "alice", sent)[0] == "held"
    go(night, "2027-01-17T06:00:00Z")
    assert len(night.open_wakes()) == 1


def test_urgent_mail_of_a_person_wakes_a_quiet_agent(night):
    change(night, "bob", quiet=BERLIN)
    night.send("alice", "bob")
    assert night.send("sam", "bob", priority=0)["deliveries"][0]["state"] == "queued"
    (wake,) = night.open_wakes()
    assert wake["pending"] == {"total": 1, "urgent": 1}


def test_a_thread_that_the_guard_held_meanwhile_stays_held(night):
    sent = night.send("alice", "pat")
    thread = sent["thread"]
    night.store.write(lambda tx: guard.keep(tx.conn, thread, tx.now_ms, reason="guard: x"))
    go(night, "2027-01-16T06:00:00Z")
    assert state(night, "alice", sent) == ("held", "guard: x")
    night.store.write(lambda tx: mail.release_thread(tx, thread))
    assert state(night, "alice", sent)[0] == "queued"


def test_a_start_looks_again_at_what_is_held(night):
    """A clock that was far ahead, or rules of a zone that changed, must hold nothing back."""
    sent = night.send("alice", "pat")
    night.clock.advance(-14 * 3600)
    night.store.write(wakes.spare)
    night.pass_time(0)
    assert state(night, "alice", sent)[0] == "queued"


def test_without_a_window_it_is_quiet_from_three_to_eight(night):
    change(night, "sam", quiet={"zone": "Asia/Tokyo"})
    with night.store.read() as conn:
        admin = directory.find(conn, "sam")
        shown = directory.show(conn, night.principal("sam"), [admin])[admin.id]["quiet"]
    assert shown == {"zone": "Asia/Tokyo", "windows": ["03:00-08:00"], "urgent_from": None}


@pytest.mark.parametrize(
    ("quiet", "says"),
    [
        ({}, "zone"),
        ({"zone": "Europe/Berln"}, "Europe/Berlin"),
        ({"zone": "../../etc/passwd"}, "IANA"),
        ({"zone": "localtime"}, "IANA"),
        ({"zone": "UTC", "windows": ["22-7"]}, "HH:MM"),
        ({"zone": "UTC", "windows": []}, "windows"),
        ({"zone": "UTC", "windows": ["00:00-24:00"]}, "pause"),
        ({"zone": "UTC", "urgent_from": ["nobody"]}, "nobody"),
    ],
)
def test_what_cannot_be_quiet_hours_is_refused_and_changes_nothing(night, quiet, says):
    with pytest.raises((InvalidRequestError, NotFoundError), match=says):
        change(night, "sam", quiet=quiet)
    with night.store.read() as conn:
        assert directory.find(conn, "sam").quiet is None


def test_only_oneself_and_the_administration_see_who_may_disturb(night):
    change(night, "pat", quiet={"urgent_from": ["charlie"]})
    with night.store.read() as conn:
        pat = directory.find(conn, "pat")
        seen = directory.show(conn, night.principal("alice"), [pat])[pat.id]["quiet"]
        own = directory.show(conn, night.principal("pat"), [pat])[pat.id]["quiet"]
    assert seen == BERLIN
    assert own == BERLIN | {"urgent_from": ["charlie"]}
