"""An agent has so many wakes a day: then its mail waits, until a person or the next day."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.wakes import service as wakes

DAY_S = 86_400
SETTINGS = {"guard_wakes": 4, "guard_memory_s": 0}


@pytest.fixture
def house(house):
    house.store.write(lambda tx: directory.add(tx, {"name": "boss", "kind": "person"}))
    house.store.write(lambda tx: access.create_token_for(tx, "person", "boss", ""))
    return house


def wake_once(house, sender="alice"):
    """Have bob be written to, woken, and have it read and ack; gives whether it was woken."""
    house.send(sender, "bob")
    for wake in house.open_wakes():
        house.report(wake["wake_id"], "received")
        house.report(wake["wake_id"], "admitted", turn_id="t")
        for item in house.read("bob"):
            house.ack("bob", item.handle)
        house.report(wake["wake_id"], "ended")
        return True
    return False


def held(house, name="boss"):
    with house.store.read() as conn:
        return wakes.list_held(conn, house.principal(name), 10)["agents"]


def types(house, name):
    return [item.row.type for item in house.read(name)]


def test_the_wake_beyond_the_number_is_not_asked_and_its_mail_waits(house):
    assert [wake_once(house) for _ in range(5)] == [True] * 4 + [False]
    (stopped,) = held(house)
    assert stopped["agent"] == "bob"
    assert stopped["reason"].startswith("guard: 4 wakes in a day, at most 4; waiting until ")
    assert stopped["waiting"] == 1
    (item,) = house.read("bob")  # it can read all the same
    assert item.body == "hello"


def test_a_person_is_told_once_a_day_and_the_agent_was_warned(house):
    for _ in range(3):
        wake_once(house)
    house.send("alice", "bob")
    assert types(house, "bob") == ["MESSAGE", "WARNING"]
    for _ in range(3):
        wake_once(house)
        house.pass_time(60)
    assert types(house, "boss") == ["GUARD"]


def test_it_is_woken_again_when_the_oldest_wake_is_a_day_old(house):
    for _ in range(5):
        wake_once(house)
        house.pass_time(60)
    assert house.open_wakes() == []
    house.pass_time(DAY_S - 6 * 60)
    assert house.open_wakes() == []
    house.pass_time(2 * 60)
    assert [wake["to_agent"] for wake in house.open_wakes()] == ["bob"]


def test_a_word_of_a_person_wakes_it_all_the_same(house):
    for _ in range(5):
        wake_once(house)
    assert wake_once(house, "boss")


def test_a_person_lets_it_go_and_its_day_begins_anew(house):
    for _ in range(5):
        wake_once(house)
    boss = house.principal("boss")
    answer = house.store.write(lambda tx: wakes.release_agent(tx, boss, "bob"))
    assert answer == {"agent": "bob", "released": True}
    house.pass_time(1)
    for item in house.read("bob"):
        house.ack("bob", item.handle)
    assert [wake_once(house) for _ in range(5)] == [True] * 4 + [False]


def test_nobody_lets_go_whom_they_cannot_see(house):
    apart = {"name": "eve", "kind": "person", "compartments": ["apart"]}
    house.store.write(lambda tx: directory.add(tx, apart))
    with pytest.raises(NotFoundError):
        house.store.write(lambda tx: wakes.release_agent(tx, house.principal("eve"), "bob"))


def test_wakes_of_which_no_turn_came_use_nothing_up(house):
    house.send("alice", "bob")
    for _ in range(10):
        (wake,) = house.open_wakes()
        house.report(wake["wake_id"], "no_turn", reason="the gateway is away")
        house.pass_time(61)
    assert held(house) == []


def test_a_restart_does_not_ask_what_the_guard_stopped(house):
    for _ in range(5):
        wake_once(house)
    house.store.write(wakes.spare)
    house.pass_time(120)
    assert house.open_wakes() == []
    assert len(held(house)) == 1


def test_what_stands_against_the_budget_can_be_seen_before_it_is_used_up(house):
    bob = house.principal("bob").participant_id

    def counted(after_s=0):
        with house.store.read() as conn:
            return wakes.count_today(conn, [bob], house.clock.now_ms() + after_s * 1000)

    for _ in range(3):
        wake_once(house)
    assert (counted(), counted(DAY_S + 1)) == ({bob: 3}, {})
    house.clock.advance(1)
    boss = house.principal("boss")
    house.store.write(lambda tx: wakes.release_agent(tx, boss, "bob"))
    assert counted() == {}
    house.clock.advance(1)
    wake_once(house)
    assert counted() == {bob: 1}
