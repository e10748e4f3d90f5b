"""The guard on a real database: rings by fresh sends, honest parents, warnings, budgets."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.directory import nodes
from bus.directory import service as directory
from bus.mail import service as mail
from bus.mail.model import RESULT, Draft

NINE = [f"ring{at}" for at in range(9)]


@pytest.fixture
def boss(house):
    house.store.write(lambda tx: directory.add(tx, {"name": "boss", "kind": "person"}))
    house.store.write(lambda tx: access.create_token_for(tx, "person", "boss", ""))
    return "boss"


def add(house, names, **more):
    house.store.write(lambda tx: nodes.add_node(tx, "more", list(names), ""))


def state_of(sent):
    return sent["deliveries"][0]["state"]


def take_all(house, name):
    """Read and ack all that somebody has; gives what it was, the bus's own notes aside."""
    items = house.read(name, limit=100)
    for item in items:
        house.ack(name, item.handle)
    return [item for item in items if item.row.sender_id is not None]


def go_round(house, names, steps):
    """Have each, when it has read and acked its mail, write anew to the next."""
    states = []
    for at in range(steps):
        me, other = names[at % len(names)], names[(at + 1) % len(names)]
        if at and not take_all(house, me):
            break
        sent = house.send(me, other)
        states.append(state_of(sent))
        house.pass_time(2)
    return states, sent


def test_a_ring_of_nine_by_fresh_sends_after_the_ack_is_held(house):
    add(house, NINE)
    states, _ = go_round(house, NINE, 40)
    assert states == ["queued"] * 17 + ["held"]


def test_a_ring_in_which_other_mail_is_settled_too_is_held(house, boss):
    add(house, [*NINE, "noise"])
    states = []
    house.send(NINE[0], NINE[1])
    for at in range(1, 60):
        me, other = NINE[at % 9], NINE[(at + 1) % 9]
        if at > 8:  # from the second lap on each also hears of something else, after the ring
            house.send("noise", me)
        if not take_all(house, me):
            break
        sent = house.send(me, other)
        states.append(state_of(sent))
        house.pass_time(1)
        if states[-1] == "held":
            break
    assert states.count("held") == 1
    assert len(states) == 17


def test_a_ring_whose_members_take_longer_than_is_remembered_is_not_seen_by_hops(house):
    add(house, NINE)
    for at in range(30):
        take_all(house, NINE[at % 9])
        sent = house.send(NINE[at % 9], NINE[(at + 1) % 9])
        house.pass_time(301)
    assert state_of(sent) == "queued"


def test_what_a_person_said_last_begins_the_count_anew(house, boss):
    add(house, NINE)
    for at in range(40):
        me, other = NINE[at % 9], NINE[(at + 1) % 9]
        take_all(house, me)
        if at % 9 == 8:
            house.send(boss, me)
            take_all(house, me)
        sent = house.send(me, other)
        assert state_of(sent) == "queued"
        house.pass_time(1)


def test_agents_are_warned_once_before_a_ring_is_held(house):
    add(house, NINE)
    go_round(house, NINE, 17)
    warned = [
        item.row.body
        for name in NINE
        for item in house.read(name, limit=100)
        if item.row.type == "WARNING"
    ]
    with house.store.read() as conn:
        kept = conn.exec_driver_sql("SELECT count(*) FROM messages WHERE type = 'WARNING'").scalar()
    assert kept == 2
    assert all("12 hops in this thread, at most 16" in text for text in warned)


def test_a_person_is_told_once_of_a_ring_and_lets_it_go(house, boss):
    add(house, NINE)
    _, held = go_round(house, NINE, 40)
    (note,) = house.read(boss)
    assert f"bus release {held['thread']}" in note.row.body
    assert house.store.write(lambda tx: mail.release_thread(tx, held["thread"])) == 1
    hearer = NINE[18 % 9]
    assert take_all(house, hearer)
    assert state_of(house.send(hearer, NINE[1])) == "queued"


def test_a_fresh_word_of_a_person_to_one_of_them_lets_a_ring_go(house, boss):
    add(house, NINE)
    _, held = go_round(house, NINE, 40)
    hearer = NINE[18 % 9]
    house.send(boss, hearer, body="go on")
    assert house.trace("ring8", held["id"])["state"] == "queued"


def test_a_word_of_a_person_who_may_not_see_them_lets_nothing_go(house):
    add(house, NINE)
    _, held = go_round(house, NINE, 40)
    apart = {"name": "eve", "kind": "person", "compartments": ["apart"]}
    house.store.write(lambda tx: directory.add(tx, apart))
    house.send("eve", "charlie")
    assert house.trace("ring8", held["id"])["state"] == "held"


def test_a_parent_that_asks_thirty_children_one_by_one_is_not_held(house, boss):
    children = [f"child{at}" for at in range(30)]
    add(house, ["parent", *children])
    house.send(boss, "parent")
    take_all(house, "parent")
    for child in children:
        assert state_of(house.send("parent", child)) == "queued"
        (task,) = house.read(child)
        answered = house.send(child, "parent", in_reply_to=task.row.message_id)
        assert state_of(answered) == "queued"
        house.ack(child, task.handle)
        assert take_all(house, "parent")
        house.pass_time(5)
    assert state_of(house.send("parent", boss)) == "queued"


def test_a_parent_that_asks_thirty_children_at_once_is_not_held(house, boss):
    children = [f"child{at}" for at in range(30)]
    add(house, ["parent", *children])
    house.send(boss, "parent")
    (task,) = house.read("parent")
    for child in children:
        assert state_of(house.send("parent", child)) == "queued"
    for child in children:
        (item,) = house.read(child)
        assert state_of(house.send(child, "parent")) == "queued"
        house.ack(child, item.handle)
        take_all(house, "parent")
    assert state_of(house.send("parent", boss, in_reply_to=task.row.message_id)) == "queued"


def give_result(house, worker, parent, thread):
    """Write what a worker gives back, as its run's end does."""
    ids = house.principal(worker).participant_id, house.principal(parent).participant_id
    place, draft = mail.Place(thread, 1, (parent,)), Draft(to=(), body="done", type=RESULT)

    def do(tx):
        run_id = tx.ids.new("r", tx.now_ms)
        return mail.send_result(tx, *ids, place, draft, wake=True, ended=run_id)

    return house.trace(worker, house.store.write(do))["state"]


def add_worker(house, name):
    house.store.write(lambda tx: directory.add(tx, {"name": name, "kind": "worker"}))


def test_results_of_workers_have_a_budget_of_their_own(house, boss):
    add_worker(house, "worker")
    thread = house.send(boss, "alice")["thread"]
    house.pass_time(1)
    states = [give_result(house, "worker", "alice", thread) for _ in range(4)]
    assert set(states) == {"queued"}
    for at in range(300):  # far over what others may write in one thread and to one another
        take_all(house, "alice")
        assert give_result(house, "worker", "alice", thread) == "queued", at
    take_all(house, "alice")
    assert state_of(house.send("alice", "bob")) == "queued"


def test_results_without_end_are_held_as_well(house, boss):
    config = house.store.config
    add_worker(house, "worker")
    thread = house.send(boss, "alice")["thread"]
    states = []
    for _ in range(config.guard_results + 1):
        take_all(house, "alice")
        states.append(give_result(house, "worker", "alice", thread))
    assert states.index("held") == config.guard_results


def test_what_follows_a_result_is_counted_anew(house, boss):
    add_worker(house, "worker")
    thread = house.send(boss, "alice")["thread"]
    for _ in range(30):
        give_result(house, "worker", "alice", thread)
        take_all(house, "alice")
        sent = house.send("alice", "bob")
        take_all(house, "bob")
        assert state_of(sent) == "queued"
        house.pass_time(5)


@pytest.mark.parametrize("sender", ["worker", "bob"])
def test_a_ring_that_calls_its_answers_results_is_held(house, sender):
    if sender == "worker":
        add_worker(house, "worker")
    states = []
    message = house.send(sender, "alice", type=RESULT)
    for at in range(200):
        me, other = ("alice", sender) if at % 2 == 0 else (sender, "alice")
        message = house.send(me, other, type=RESULT, in_reply_to=message["id"])
        states.append(state_of(message))
        house.pass_time(20)
        take_all(house, "alice")
        take_all(house, sender)
        if states[-1] == "held":
            break
    assert states.count("held") == 1
    assert len(states) < 120


def test_what_claims_to_be_a_result_gives_a_ring_no_reason_to_go_on(house):
    add(house, NINE)
    add_worker(house, "worker")
    states = [state_of(house.send(NINE[0], NINE[1]))]
    for at in range(1, 60):
        me, other = NINE[at % 9], NINE[(at + 1) % 9]
        if at > 8:  # read last, so that it is what the ring's next word seems to come of
            house.send("worker", me, type=RESULT, reply_expected=False)
        take_all(house, me)
        states.append(state_of(house.send(me, other)))
        house.pass_time(1)
        if states[-1] == "held":
            break
    assert states[-1] == "held"
    assert len(states) == 18


def test_one_that_writes_to_itself_without_end_is_held(house):
    states = []
    for _ in range(12):
        states.append(state_of(house.send("alice", "alice")))
        house.pass_time(1)
        if len(states) % 4 == 0:
            house.pass_time(301)  # no chain: each is a thread of its own
            take_all(house, "alice")
            house.pass_time(301)
    assert "held" not in states
    states = []
    for _ in range(12):
        take_all(house, "alice")
        house.pass_time(0.1)
        states.append(state_of(house.send("alice", "alice")))
    assert "held" in states


def test_a_thread_has_so_many_messages_a_day_and_a_person_makes_it_go_on(house, boss):
    first = house.send(boss, "alice")
    states = []
    for _ in range(201):
        states.append(state_of(house.send("alice", "bob", in_reply_to=first["id"])))
        house.pass_time(5)
        take_all(house, "bob")
    assert states.index("held") == 200 - 1  # the person's own is one of them
    house.send(boss, "alice", in_reply_to=first["id"])
    assert state_of(house.send("alice", "bob", in_reply_to=first["id"])) == "queued"
