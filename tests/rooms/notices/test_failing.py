"""A target that fails: tried again and for how long, what comes meanwhile, and who is told."""

from __future__ import annotations

import pytest

from bus.notices import sender as sending
from bus.notices import service
from bus.notices.reading import backoff_ms

GRACE_S = 6
DAY_S = 86_400


def ids(receiver):
    return [one.said.get("sequence_id") or one.headers["webhook-id"] for one in receiver.requests]


def until_tried(told, number=1, most_s=4000):
    """Let time pass until so much was tried."""
    tried = 0
    for _ in range(most_s):
        tried += told.pass_time(1)
        if tried >= number:
            return
    raise AssertionError(f"{tried} tried")


def test_what_failed_is_sent_again_as_the_same_until_it_is_taken(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    receiver.status = 503
    told.house.send("alice", "pat", subject="one")
    until_tried(told, 4)
    receiver.status = 204
    until_tried(told)
    assert len(set(ids(receiver))) == 1
    assert len({one.body for one in receiver.requests}) == 1, "what an id says does not change"
    (target,) = told.shown()["targets"]
    assert target["ok_at"]
    assert target["failing_since"] is None
    assert target["error"] == "HTTP 503 Service Unavailable", "the last error stays to be seen"
    assert told.pass_time(DAY_S) == 0


def test_what_comes_while_a_target_fails_waits_as_one(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    receiver.status = 500
    for number in range(30):
        told.house.send("alice", "pat", subject=f"thing {number}")
        told.pass_time(60)
    receiver.status = 200
    receiver.requests.clear()
    told.pass_time(3600)
    told.pass_time(1)
    counts = [one.said["data"]["count"] for one in receiver.requests]
    assert sum(counts) >= 30, "each is counted, also the bus's own note of the failure"
    assert len(counts) == 2


def test_it_is_given_up_after_a_day_and_what_is_new_goes_on(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    receiver.status = 500
    told.house.send("alice", "pat", subject="old")
    for _ in range(27):
        told.pass_time(3600)
    with told.house.store.read() as conn:
        assert sending.queries.count_sends(conn) <= 1, "only the note of the failure"
    receiver.status = 200
    told.pass_time(DAY_S)
    receiver.requests.clear()
    told.house.send("alice", "pat", subject="new")
    told.pass_time(GRACE_S)
    assert receiver.requests[-1].said["data"]["text"] == '"new"'


def test_its_person_is_told_once_in_the_inbox(told, receiver):
    told.put("phone", kind="ntfy", url=receiver.url, topic="t")
    receiver.status = 401
    told.house.send("alice", "pat")
    for _ in range(60):
        told.pass_time(120)
    notes = [item for item in told.house.read("pat", limit=50) if item.row.type == "NOTICE"]
    assert len(notes) == 1
    assert "HTTP 401 Unauthorized" in notes[0].body
    assert "bus notice test phone" in notes[0].body


def test_what_was_read_before_a_target_came_back_is_not_told_any_more(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    receiver.status = 500
    told.house.send("alice", "pat")
    until_tried(told)
    (item,) = told.house.read("pat")
    told.house.ack("pat", item.handle)
    receiver.status = 200
    receiver.requests.clear()
    told.pass_time(60)
    assert told.pass_time(3600) == 0
    assert receiver.requests == []


def test_what_failed_before_does_not_wake_its_person_at_night(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    receiver.status = 500
    told.house.send("alice", "pat")
    until_tried(told)
    minute = told.house.clock.now_ms() // 60_000 % 1440
    begin, end = (minute - 5) % 1440, (minute + 120) % 1440
    window = f"{begin // 60:02d}:{begin % 60:02d}-{end // 60:02d}:{end % 60:02d}"
    told.quiet({"zone": "UTC", "windows": [window]})
    receiver.status = 200
    receiver.requests.clear()
    for _ in range(10):
        told.pass_time(600)
    assert receiver.requests == []
    told.pass_time(1800)
    assert len(receiver.requests) == 1


def test_a_target_that_fails_holds_up_no_other(told, receiver):
    told.put("bad", kind="ntfy", url="http://127.0.0.1:9", topic="t")
    told.put("good", kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert len(receiver.requests) == 1
    bad, good = told.shown()["targets"]
    assert "cannot be reached" in bad["error"]
    assert good["ok_at"]


def test_a_fault_of_one_target_is_its_own(told, receiver, monkeypatch):
    told.put(kind="webhook", url=receiver.url)

    def break_down(*_):
        raise RuntimeError("odd")

    monkeypatch.setattr(sending.outgoing, "deliver", break_down)
    told.house.send("alice", "pat")
    assert told.pass_time(GRACE_S) == 1
    assert told.shown()["targets"][0]["error"] == "a fault of the bus: RuntimeError"


def test_what_was_under_way_when_the_bus_died_goes_out_as_the_same(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    house = told.house
    house.pass_time(GRACE_S)
    with house.store.read() as conn:
        (send,) = sending.queries.sends(conn)
    job = house.store.write(lambda tx: sending.take(tx, send.id))
    told.sender.try_target(job.target, job.letter)
    assert told.pass_time(0) == 1
    assert ids(receiver) == [send.id, send.id]


def test_a_target_that_was_removed_meanwhile_gets_nothing_more(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    receiver.status = 500
    told.house.send("alice", "pat")
    until_tried(told)
    me = told.house.principal("pat")
    told.house.store.write(lambda tx: service.remove(tx, me, "self", "hook"))
    assert told.pass_time(DAY_S) == 0


@pytest.mark.parametrize("attempts", [1, 2, 12, 13, 500])
@pytest.mark.parametrize("fraction", [0.0, 0.999])
def test_a_pause_is_a_second_at_first_and_an_hour_at_most(attempts, fraction):
    usual = min(3_600_000, 1000 * 2 ** (attempts - 1))
    assert 0.8 * usual <= backoff_ms(attempts, fraction) <= usual
