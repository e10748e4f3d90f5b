"""The ways to send, and what the guard holds, on a real database."""

from __future__ import annotations

import pytest

from bus.directory import nodes
from bus.directory import service as directory
from bus.errors import (
    EndedError,
    FencedError,
    NotFoundError,
    TypeNotTakenError,
    UnknownRecipientError,
)
from bus.mail import service as mail
from bus.mail.model import Draft


def send_all(house, sender, *drafts, key=None):
    who = house.principal(sender)
    return house.store.write(lambda tx: mail.send(tx, who, list(drafts), batch=True, key=key))


def reply(house, name, handle, body="done", *, acks=False):
    who, draft = house.principal(name), Draft(to=(), body=body, type="REPLY")
    return house.store.write(
        lambda tx: mail.reply(tx, who, handle, draft, acks=acks, unless_replied=False)
    )


def release_thread(house, thread):
    return house.store.write(lambda tx: mail.release_thread(tx, thread))


@pytest.fixture
def boss(house):
    house.store.write(lambda tx: directory.add(tx, {"name": "boss", "kind": "person"}))
    return "boss"


def test_a_list_is_one_message_with_a_copy_for_each(house, boss):
    sent = house.send("alice", "bob", boss)
    assert [one["to"] for one in sent["deliveries"]] == ["bob", boss]
    assert house.read("bob")[0].row.message_id == house.read(boss)[0].row.message_id


def test_a_recipient_named_twice_gets_one_copy(house):
    house.store.write(lambda tx: directory.set_group(tx, "team", ["bob"], new=True))
    house.send("alice", "bob", "team", "agent:bob:main")
    assert len(house.read("bob")) == 1


def test_a_group_leaves_its_sender_and_whom_it_may_not_see_out(house):
    members = ["alice", "bob", "charlie"]
    house.store.write(lambda tx: directory.set_group(tx, "team", members, new=True))
    sent = house.send("alice", "team")
    assert [one["to"] for one in sent["deliveries"]] == ["bob"]
    assert "charlie" not in str(sent)


def test_a_group_of_oneself_reaches_nobody(house):
    house.store.write(lambda tx: directory.set_group(tx, "team", ["alice"], new=True))
    with pytest.raises(UnknownRecipientError, match="nobody in this group"):
        house.send("alice", "team")


def test_a_batch_with_one_wrong_name_sends_nothing(house):
    good, wrong = Draft(to=("bob",), body="x"), Draft(to=("nobody",), body="x")
    with pytest.raises(UnknownRecipientError):
        send_all(house, "alice", good, wrong, good)
    assert house.read("bob") == []


def test_a_batch_arrives_in_its_order_and_its_repetition_is_the_same_batch(house):
    key = mail.Key("agent:1", "send", "k", "hash")
    drafts = [Draft(to=("bob",), body=str(number)) for number in range(3)]
    first = send_all(house, "alice", *drafts, key=key)
    again = send_all(house, "alice", *drafts, key=key)
    assert again["messages"] == first["messages"]
    assert [item.body for item in house.read("bob")] == ["0", "1", "2"]


def test_the_same_key_of_another_principal_is_another_request(house):
    house.send("alice", "bob", key=mail.Key("agent:1", "send", "k", "a"))
    sent = house.send("bob", "alice", key=mail.Key("agent:2", "send", "k", "b"))
    assert not sent["deduplicated"]


def test_a_refused_request_leaves_its_key_free(house):
    key = mail.Key("agent:1", "send", "k", "a")
    with pytest.raises(UnknownRecipientError):
        house.send("alice", "nobody", key=key)
    assert not house.send("alice", "bob", key=mail.Key("agent:1", "send", "k", "b"))["deduplicated"]


@pytest.mark.parametrize(("wrong", "right"), [("bobb", "bob"), ("alise", "alice")])
def test_a_name_that_is_nearly_right_is_suggested(house, wrong, right):
    with house.store.read() as conn:
        assert mail.hint(conn, house.principal("bob"), wrong) == f"did you mean {right}?"


def test_one_that_may_not_be_seen_is_not_suggested(house):
    with house.store.read() as conn:
        assert "charlie" not in mail.hint(conn, house.principal("alice"), "charli")


def test_every_wrong_name_of_a_list_is_named(house):
    with pytest.raises(UnknownRecipientError, match=r"'ann'.*'eve'"):
        house.send("alice", "ann", "bob", "eve")


def test_a_type_that_is_not_taken_says_which_are_but_an_answer_always_comes_in(house):
    first = house.send("bob", "alice")["id"]
    house.store.write(lambda tx: directory.change(tx, "bob", {"accepts": ["TASK", "STATUS"]}))
    with pytest.raises(TypeNotTakenError, match="it takes STATUS, TASK"):
        house.send("alice", "bob", type="GOSSIP")
    assert house.send("alice", "bob", type="GOSSIP", in_reply_to=first)["status"] == "accepted"


def test_priorities_are_read_in_their_order_and_each_oldest_first(house):
    for priority in (3, 2, 1, 0):
        house.send("alice", "bob", body=f"{priority}", priority=priority)
    house.send("alice", "bob", body="0 later", priority=0)
    assert [item.body for item in house.read("bob")] == ["0", "0 later", "1", "2", "3"]


def test_mail_that_waits_for_its_time_wakes_nobody_before_it(house):
    house.send("alice", "bob", deliver_ms=house.clock.now_ms() + 60_000)
    assert house.open_wakes() == []
    house.pass_time(59)
    assert house.read("bob") == []
    house.pass_time(1)
    assert [wake["to_agent"] for wake in house.open_wakes()] == ["bob"]


def test_mail_that_would_be_late_both_ways_is_told_as_expired(house):
    now = house.clock.now_ms()
    sent = house.send("alice", "bob", deliver_ms=now + 10_000, expires_ms=now + 20_000)
    house.pass_time(30)
    assert house.trace("alice", sent["id"])["state"] == "expired"
    assert [item.row.type for item in house.read("alice")] == ["FAILURE"]


def test_an_item_at_work_does_not_expire_but_one_that_came_back_does(house):
    sent = house.send("alice", "bob", expires_ms=house.clock.now_ms() + 10_000)
    house.read("bob")
    house.pass_time(20)
    assert house.trace("alice", sent["id"])["state"] == "read"
    house.pass_time(600)
    assert house.trace("alice", sent["id"])["state"] == "expired"


def test_mail_that_never_wakes_is_still_in_the_inbox(house):
    house.send("alice", "bob", wake=False)
    assert house.open_wakes() == []
    assert len(house.read("bob")) == 1


def test_a_chain_of_answers_is_one_thread_with_its_hops_and_path(house):
    first = house.send("alice", "bob")
    answered = reply(house, "bob", house.read("bob")[0].handle, acks=True)
    reply(house, "alice", house.read("alice")[0].handle, acks=True)
    (last,) = house.read("bob")
    assert (last.row.thread, last.row.hops) == (first["thread"], 2)
    assert last.row.path == '["alice", "bob", "alice"]'
    assert last.row.in_reply_to == answered["id"]


def test_an_answer_is_of_the_thread_of_what_it_names_even_outside_a_lease(house):
    first = house.send("alice", "bob")
    later = house.send("bob", "alice", in_reply_to=first["id"])
    assert later["thread"] == first["thread"]


def test_nobody_answers_into_the_mail_of_others(house):
    sent = house.send("alice", "bob")
    house.store.write(lambda tx: directory.add(tx, {"name": "dora"}))
    with pytest.raises(NotFoundError, match="of yours"):
        house.send("dora", "alice", in_reply_to=sent["id"])


def test_a_reply_said_twice_is_one_reply_and_its_ack_still_counts(house):
    house.send("alice", "bob")
    handle = house.read("bob")[0].handle
    first = reply(house, "bob", handle)
    again = reply(house, "bob", handle, acks=True)
    assert (again["id"], again["deduplicated"], again["acked"]) == (first["id"], True, True)
    assert len(house.read("alice")) == 1
    assert house.ack("bob", handle) == "already"


@pytest.mark.parametrize(("wait", "error"), [(1, FencedError), (4, EndedError)])
def test_a_reply_whose_ack_cannot_count_sends_nothing(house, wait, error):
    house.send("alice", "bob")
    handle = house.read("bob")[0].handle
    for _ in range(wait):
        house.pass_time(601)
        house.read("bob")
    house.pass_time(601)
    with pytest.raises(error):
        reply(house, "bob", handle, acks=True)
    assert "REPLY" not in [item.row.type for item in house.read("alice")]


# -- the guard: 16 hops, 20 messages of one pair a minute -----------------------------------------


def burst(house, count):
    """Have bob write to alice in one thread."""
    first = house.send("alice", "bob")
    house.read("bob")
    for _ in range(count):
        sent = house.send("bob", "alice", in_reply_to=first["id"])
        for item in house.read("alice"):
            house.ack("alice", item.handle)
    return sent


def test_a_pair_that_talks_in_bursts_is_held_at_the_21st_message_of_a_minute(house):
    last = burst(house, 20)
    assert last["deliveries"][0]["reason"].startswith("guard: 21 messages")


def test_20_messages_of_a_pair_in_a_minute_are_fine(house):
    assert burst(house, 19)["deliveries"][0]["state"] == "queued"


def test_a_pair_that_takes_its_time_is_not_held(house):
    first = burst(house, 19)
    house.pass_time(61)
    later = house.send("bob", "alice", in_reply_to=first["id"])
    assert later["deliveries"][0]["state"] == "queued"


def test_another_thread_of_a_held_pair_goes_on(house):
    burst(house, 20)
    house.pass_time(601)
    for item in house.read("bob"):
        house.ack("bob", item.handle)
    assert house.send("alice", "bob")["deliveries"][0]["state"] == "queued"


def test_a_person_is_told_once_and_their_release_lets_the_mail_go(house, boss):
    held = burst(house, 22)
    notes = house.read(boss)
    assert [note.row.type for note in notes] == ["GUARD"]
    assert f"bus release {held['thread']}" in notes[0].body
    assert house.read("alice") == []
    assert release_thread(house, held["thread"]) == 3
    assert [item.row.type for item in house.read("alice")] == ["MESSAGE"] * 3
    assert release_thread(house, held["thread"]) == 0


def test_a_released_thread_goes_on_for_as_long_again(house, boss):
    last = burst(house, 20)
    release_thread(house, last["thread"])
    house.pass_time(1)
    states = []
    for _ in range(21):
        for item in house.read("alice"):
            house.ack("alice", item.handle)
        sent = house.send("bob", "alice", in_reply_to=last["id"])
        states.append(sent["deliveries"][0]["state"])
    assert states == ["queued"] * 20 + ["held"]


def test_a_chain_over_many_that_was_released_goes_on_for_as_long_again(house, boss):
    house.store.write(lambda tx: nodes.add_node(tx, "ring", ["ann", "ben", "cat"], ""))
    ring = ["ann", "ben", "cat"]
    sent, states = house.send(boss, "ann"), []
    for step in range(34):
        speaker, hearer = ring[step % 3], ring[(step + 1) % 3]
        items = house.read(speaker)
        sent = house.send(speaker, hearer)
        for item in items:  # a warning may be among them
            house.ack(speaker, item.handle)
        states.append(sent["deliveries"][0]["state"])
        if states[-1] == "held":
            release_thread(house, sent["thread"])
    assert [at for at, state in enumerate(states) if state == "held"] == [16, 33]


def test_where_no_person_can_be_told_of_a_hold_its_writer_is(house):
    last = burst(house, 20)
    told = [item.body for item in house.read("bob") if item.row.type == "GUARD"]
    assert len(told) == 1
    assert f"bus release {last['thread']}" in told[0]


def test_what_the_guard_keeps_back_is_not_forgotten_in_silence(house, boss):
    last = burst(house, 20)
    house.pass_time(901)
    notes = [item.body for item in house.read("bob") if item.row.type == "DELAYED"]
    assert any(last["id"] in note and "guard: 21 messages" in note for note in notes)


def test_a_word_of_a_person_in_the_thread_lets_it_go(house, boss):
    first = house.send(boss, "bob")
    house.read("bob")
    for _ in range(21):
        held = house.send("bob", "alice", in_reply_to=first["id"])
        for item in house.read("alice"):
            house.ack("alice", item.handle)
    assert held["deliveries"][0]["state"] == "held"
    house.send(boss, "bob", body="go on", in_reply_to=first["id"])
    assert house.trace("bob", held["id"])["state"] == "queued"
    assert house.trace("bob", held["id"])["ladder"][-1]["reason"] == "released by a person"


def test_mail_that_a_held_thread_keeps_back_takes_no_wake_and_can_expire(house):
    last = burst(house, 20)
    expires = house.clock.now_ms() + 5000
    sent = house.send("bob", "alice", in_reply_to=last["id"], expires_ms=expires)
    assert [wake["to_agent"] for wake in house.open_wakes() if wake["pending"]["total"]] == []
    house.pass_time(6)
    assert house.trace("bob", sent["id"])["state"] == "expired"


def test_a_released_thread_keeps_what_is_scheduled_until_its_time(house):
    last = burst(house, 20)
    later = house.clock.now_ms() + 3_600_000
    sent = house.send("bob", "alice", in_reply_to=last["id"], deliver_ms=later)
    assert sent["deliveries"][0]["state"] == "held"
    release_thread(house, last["thread"])
    assert house.trace("bob", sent["id"])["state"] == "held"
    house.pass_time(3601)
    assert house.trace("bob", sent["id"])["state"] == "queued"


def test_scheduled_mail_of_a_thread_that_was_held_since_waits_for_the_person(house):
    first = house.send("alice", "bob")
    (item,) = house.read("bob")
    soon = house.clock.now_ms() + 30_000
    sent = house.send("bob", "alice", in_reply_to=item.row.message_id, deliver_ms=soon)
    for _ in range(21):
        house.send("bob", "alice", in_reply_to=first["id"])
        for one in house.read("alice"):
            house.ack("alice", one.handle)
    house.pass_time(31)
    assert house.trace("bob", sent["id"])["state"] == "held"
    release_thread(house, first["thread"])
    assert house.trace("bob", sent["id"])["state"] == "queued"
