"""What becomes of mail after it was sent: taken back, refused, dead, sent again."""

from __future__ import annotations

import pytest

from bus.access.model import Principal
from bus.directory import service as directory
from bus.errors import EndedError, ForbiddenError, NotFoundError
from bus.mail import service as mail
from bus.mail.model import Draft

ADMIN = Principal("admin", "admin", "k_1")


def cancel(house, who, message_id, *to, reason=""):
    who = who if isinstance(who, Principal) else house.principal(who)
    return house.store.write(lambda tx: mail.cancel(tx, who, message_id, list(to), reason))


def redrive(house, who, message_id, *to, expires_ms=None):
    who = who if isinstance(who, Principal) else house.principal(who)
    done = house.store.write(lambda tx: mail.redrive(tx, who, message_id, list(to), expires_ms))
    return [one["result"] for one in done["results"]]


def release(house, name, handle, mode, reason=""):
    who = house.principal(name)
    return house.store.write(lambda tx: mail.release(tx, who, [handle], mode, reason))[0]["result"]


def dead(house, who, **which):
    who = who if isinstance(who, Principal) else house.principal(who)
    with house.store.read() as conn:
        return mail.list_dead(conn, who, mail.Which(**which))


def reply(house, name, handle, *, acks):
    who, draft = house.principal(name), Draft(to=(), body="done", type="REPLY")
    return house.store.write(
        lambda tx: mail.reply(tx, who, handle, draft, acks=acks, unless_replied=False)
    )


def kill(house, sender="alice", to="bob", **draft):
    """Send a message that its reader gives up."""
    sent = house.send(sender, to, **draft)["id"]
    handle = next(item.handle for item in house.read(to) if item.row.message_id == sent)
    assert release(house, to, handle, "fatal", "no disk") == "dead"
    return sent, handle


def test_a_cancelled_message_disappears_from_the_inbox_and_its_wake_closes(house):
    sent = house.send("alice", "bob")["id"]
    assert house.open_wakes()
    assert cancel(house, "alice", sent)["results"][0]["result"] == "cancelled"
    assert house.read("bob") == []
    assert house.open_wakes() == []
    assert house.trace("alice", sent)["reason"] == "cancelled by alice"


def test_a_sender_gets_no_mail_of_its_own_cancel_but_of_another_s(house):
    cancel(house, "alice", house.send("alice", "bob")["id"])
    assert house.read("alice") == []
    cancel(house, ADMIN, house.send("alice", "bob")["id"], reason="wrong week")
    (told,) = house.read("alice")
    assert told.row.type == "FAILURE"
    assert "cancelled by the administration" in told.body
    assert "wrong week" in told.body


def test_a_cancel_twice_is_one_cancel(house):
    sent = house.send("alice", "bob")["id"]
    cancel(house, "alice", sent)
    assert cancel(house, "alice", sent)["results"][0]["result"] == "already"
    states = [rung["state"] for rung in house.trace("alice", sent)["ladder"]]
    assert states == ["accepted", "queued", "cancelled"]


def test_scheduled_mail_that_is_cancelled_never_comes(house):
    sent = house.send("alice", "bob", deliver_ms=house.clock.now_ms() + 60_000)["id"]
    cancel(house, "alice", sent)
    house.pass_time(120)
    assert house.read("bob") == []


def test_one_copy_can_be_cancelled_alone(house):
    house.store.write(lambda tx: directory.add(tx, {"name": "dora"}))
    sent = house.send("alice", "bob", "dora")["id"]
    assert len(cancel(house, "alice", sent, "dora")["results"]) == 1
    assert [item.row.message_id for item in house.read("bob")] == [sent]
    assert house.read("dora") == []
    with pytest.raises(NotFoundError, match="not sent to 'erna'"):
        cancel(house, "alice", sent, "erna")


def test_what_was_acked_cannot_be_cancelled(house):
    sent = house.send("alice", "bob")["id"]
    house.ack("bob", house.read("bob")[0].handle)
    with pytest.raises(EndedError, match="for bob it is acked"):
        cancel(house, "alice", sent)


def test_a_reader_of_a_cancelled_item_hears_ended_and_can_still_answer(house):
    sent = house.send("alice", "bob")["id"]
    handle = house.read("bob")[0].handle
    cancel(house, "alice", sent)
    assert house.ack("bob", handle) == "ended"
    answer = reply(house, "bob", handle, acks=True)
    assert (answer["status"], answer["acked"]) == ("accepted", False)
    assert "cancelled by alice" in answer["note"]
    assert [item.body for item in house.read("alice")] == ["done"]


def test_a_recipient_s_stream_hears_that_mail_was_taken_back(house):
    sent = house.send("alice", "bob")["id"]
    cancel(house, "alice", sent)
    assert house.log("state")[-1].data["state"] == "cancelled"
    with house.store.read() as conn:
        row = conn.exec_driver_sql("SELECT participant_id FROM log ORDER BY seq DESC").first()
    assert row[0] == house.principal("bob").participant_id


def test_only_who_is_in_charge_of_a_message_cancels_it(house):
    sent = house.send("alice", "bob")["id"]
    with pytest.raises(ForbiddenError, match="refuse"):
        cancel(house, "bob", sent)
    with pytest.raises(NotFoundError):
        cancel(house, "charlie", sent)
    house.store.write(lambda tx: directory.add(tx, {"name": "petra", "kind": "person"}))
    assert cancel(house, "petra", sent)["results"][0]["result"] == "cancelled"


def test_a_reader_that_refuses_is_not_taken_for_one_that_failed(house):
    sent = house.send("alice", "bob")["id"]
    assert release(house, "bob", house.read("bob")[0].handle, "refuse", "not mine") == "refused"
    shown = house.trace("alice", sent)
    assert (shown["state"], shown["reason"]) == ("refused", "not mine")
    assert "is refused" in house.read("alice")[0].body


def test_dead_letters_are_listed_newest_first_and_by_page(house):
    ids = [kill(house)[0] for _ in range(3)]
    house.read("alice")
    page = dead(house, "alice", limit=2)
    assert [one["id"] for one in page["deliveries"]] == ids[:0:-1]
    assert page["deliveries"][0]["reason"] == "no disk"
    rest = dead(house, "alice", limit=2, below=page["next"])
    assert [one["id"] for one in rest["deliveries"]] == ids[:1]
    assert rest["next"] is None


def test_dead_letters_of_others_are_not_shown(house):
    kill(house)
    assert dead(house, "charlie")["deliveries"] == []
    assert len(dead(house, ADMIN)["deliveries"]) == 1
    with pytest.raises(NotFoundError):
        dead(house, "charlie", agent="bob")


def test_dead_letters_can_be_narrowed_by_state_agent_and_time(house):
    kill(house)
    house.clock.advance(60)
    now = house.clock.now_ms()
    assert dead(house, ADMIN, states=("expired",))["deliveries"] == []
    assert dead(house, ADMIN, agent="alice")["deliveries"] == []
    assert dead(house, ADMIN, since_ms=now)["deliveries"] == []
    assert len(dead(house, ADMIN, agent="bob", since_ms=now - 60_000)["deliveries"]) == 1


def test_a_redriven_message_is_the_same_and_wakes_its_recipient_again(house):
    sent, old = kill(house)
    assert redrive(house, "alice", sent) == ["queued"]
    assert [wake["to_agent"] for wake in house.open_wakes()].count("bob") == 1
    (item,) = house.read("bob")
    assert item.row.message_id == sent
    assert item.row.failed_attempts == 0
    assert item.handle != old
    assert house.ack("bob", old) == "fenced"
    assert house.ack("bob", item.handle) == "acked"
    rungs = [(rung["state"], rung["reason"]) for rung in house.trace("alice", sent)["ladder"]]
    assert ("dead", "no disk") in rungs
    assert ("queued", "sent again by alice") in rungs
    assert rungs[-1] == ("acked", "")


def test_a_redriven_message_has_all_its_attempts_again(house):
    sent = house.send("alice", "bob")["id"]
    for _ in range(5):
        house.read("bob")
        house.pass_time(601)
    assert house.trace("alice", sent)["state"] == "dead"
    redrive(house, "alice", sent)
    for _ in range(4):
        house.read("bob")
        house.pass_time(601)
        assert house.trace("alice", sent)["state"] != "dead"


def test_what_expired_needs_a_new_time_to_live(house):
    sent = house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)["id"]
    house.pass_time(2)
    assert house.trace("alice", sent)["state"] == "expired"
    assert redrive(house, "alice", sent) == ["needs_ttl"]
    assert redrive(house, "alice", sent, expires_ms=house.clock.now_ms() + 10_000) == ["queued"]
    house.pass_time(11)
    assert house.trace("alice", sent)["state"] == "expired"


def test_nothing_that_has_not_failed_is_sent_again(house):
    waits = house.send("alice", "bob")["id"]
    assert redrive(house, "alice", waits) == ["not_failed"]
    cancel(house, "alice", waits)
    assert redrive(house, "alice", waits) == ["not_failed"]


def test_mail_of_a_removed_agent_stays_where_it_is(house):
    sent, _ = kill(house)
    house.store.write(lambda tx: directory.remove(tx, "bob"))
    house.store.write(lambda tx: directory.add(tx, {"name": "bob"}))
    assert redrive(house, "alice", sent) == ["gone"]
    assert house.read("bob") == []


def test_a_redrive_fills_no_inbox_beyond_its_room(house):
    sent, _ = kill(house)
    for _ in range(5):
        house.send("alice", "bob")
    assert redrive(house, "alice", sent) == ["inbox_full"]


def test_a_held_thread_holds_what_is_sent_again_in_it(house):
    from bus.guard import queries as guard  # noqa: PLC0415 - a hold without the traffic for it

    sent, _ = kill(house)
    thread = house.send("alice", "bob", in_reply_to=sent)["thread"]
    house.store.write(lambda tx: guard.keep(tx.conn, thread, tx.now_ms, reason="guard: enough"))
    assert redrive(house, "alice", sent) == ["held"]
    assert sent not in [item.row.message_id for item in house.read("bob")]


def test_all_dead_letters_go_page_by_page_and_each_once(house):
    for _ in range(3):
        kill(house)
    which, seen = mail.Which(agent="bob", limit=2), []
    done = house.store.write(lambda tx: mail.redrive_all(tx, ADMIN, which, None))
    seen += done["results"]
    which = mail.Which(agent="bob", limit=2, below=done["next"])
    done = house.store.write(lambda tx: mail.redrive_all(tx, ADMIN, which, None))
    seen += done["results"]
    assert done["next"] is None
    assert [one["result"] for one in seen] == ["queued"] * 3
    assert len({one["id"] for one in seen}) == 3


def test_two_agents_do_not_refuse_and_send_again_for_ever_and_a_person_still_can(house):
    sent, _ = kill(house)
    for _ in range(house.store.config.max_attempts):
        assert redrive(house, "alice", sent) == ["queued"]
        (item,) = [one for one in house.read("bob") if one.row.message_id == sent]
        release(house, "bob", item.handle, "refuse", "sent again by alice")
    assert redrive(house, "alice", sent) == ["too_often"]
    who = house.principal("alice")
    done = house.store.write(lambda tx: mail.redrive_all(tx, who, mail.Which(), None))
    assert [one["result"] for one in done["results"]] == ["too_often"]
    assert "a person" in done["results"][0]["reason"]
    assert redrive(house, ADMIN, sent) == ["queued"]


def test_a_recipient_sends_nobody_s_mail_again(house):
    sent, _ = kill(house)
    with pytest.raises(ForbiddenError):
        redrive(house, "bob", sent)
    who = house.principal("bob")
    done = house.store.write(lambda tx: mail.redrive_all(tx, who, mail.Which(), None))
    assert done["results"] == []


def test_nothing_is_sent_again_to_who_has_left_the_sender_s_compartments(house):
    sent, _ = kill(house)
    house.store.write(lambda tx: directory.change(tx, "bob", {"node": None}))
    house.store.write(lambda tx: directory.change(tx, "bob", {"compartments": ["apart"]}))
    for who in ("alice", ADMIN):
        assert redrive(house, who, sent) == ["gone"]
    assert house.read("bob") == []
    house.store.write(lambda tx: directory.change(tx, "bob", {"compartments": ["open", "apart"]}))
    assert redrive(house, "alice", sent) == ["queued"]
