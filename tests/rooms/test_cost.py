"""What turns cost: kept with the wake, and summed by agent, thread and day."""

from __future__ import annotations

import pytest

from bus.errors import FencedError, NotFoundError
from bus.guard import costs
from bus.guard.costs import Asked
from bus.wakes import service as wakes

DAY_S = 86_400
USED = {"tokens_in": 101, "tokens_out": 10, "cost_usd": 0.3}


def turn(house, to_read, state="ended", **used):
    """Have bob read so much of its mail in a turn that costs something."""
    wake_id = house.open_wakes()[0]["wake_id"]
    house.report(wake_id, "received")
    house.report(wake_id, "admitted", turn_id="t")
    for item in house.read("bob", limit=to_read):
        house.ack("bob", item.handle)
    house.report(wake_id, state, **used)
    return wake_id


def sums(house, by="agent", who="alice", **asked):
    with house.store.read() as conn:
        days = {"since": "2000-01-01", "until": "2100-01-01"}
        return costs.show(conn, house.principal(who), Asked(by, **{**days, **asked}))


def admin_sums(house, by="agent", **asked):
    from bus.access.model import Principal  # noqa: PLC0415 - only here

    with house.store.read() as conn:
        admin = Principal("admin", "", "", None, None)
        days = {"since": "2000-01-01", "until": "2100-01-01"}
        return costs.show(conn, admin, Asked(by, **{**days, **asked}))


def test_what_a_turn_cost_stands_with_its_wake(house):
    house.send("alice", "bob")
    wake_id = turn(house, 1, **USED)
    with house.store.read() as conn:
        (shown,) = wakes.list_wakes(conn, house.principal("bob"), None, 5, only_open=False)
    assert shown["wake_id"] == wake_id
    assert {name: shown[name] for name in USED} == USED


def test_a_turn_about_two_threads_costs_each_its_part(house):
    threads = [house.send("alice", "bob")["thread"], house.send("charlie", "charlie")["thread"]]
    threads[1] = house.send("alice", "bob")["thread"]
    turn(house, 2, **USED)
    shown = admin_sums(house, "thread")
    assert {one["thread"] for one in shown["costs"]} == set(threads)
    assert sorted(one["tokens_in"] for one in shown["costs"]) == [50, 51]
    assert shown["total"] == {"turns": 1, **USED}


def test_what_was_read_and_never_acked_counts_for_its_thread_also_where_the_turn_failed(house):
    thread = house.send("alice", "bob")["thread"]
    wake_id = house.open_wakes()[0]["wake_id"]
    house.report(wake_id, "admitted", turn_id="t")
    house.read("bob")
    house.report(wake_id, "failed", reason="x", **USED)
    assert [one["thread"] for one in admin_sums(house, "thread")["costs"]] == [thread]


def test_days_are_summed_and_the_newest_is_first(house):
    for _ in range(2):
        house.send("alice", "bob")
        turn(house, 1, **USED)
        house.pass_time(DAY_S)
    shown = admin_sums(house, "day")
    days = [one["day"] for one in shown["costs"]]
    assert days == sorted(days, reverse=True)
    assert [one["turns"] for one in shown["costs"]] == [1, 1]
    assert admin_sums(house, "day", since=days[0])["total"]["turns"] == 1


def test_an_agent_sees_what_it_costs_itself_and_nobody_else(house):
    house.send("alice", "bob")
    turn(house, 1, **USED)
    assert sums(house, who="alice")["costs"] == []
    assert [one["agent"] for one in sums(house, who="bob")["costs"]] == ["bob"]
    with pytest.raises(NotFoundError):
        sums(house, who="charlie", agent="bob")


def test_an_end_that_is_reported_twice_costs_once(house):
    house.send("alice", "bob")
    wake_id = turn(house, 1, **USED)
    house.report(wake_id, "ended", **USED)
    with pytest.raises(FencedError):
        house.report(wake_id, "failed", **USED)
    assert admin_sums(house)["total"]["turns"] == 1


def test_a_turn_of_which_nothing_is_told_is_no_row_of_zeros(house):
    house.send("alice", "bob")
    turn(house, 1)
    assert admin_sums(house)["costs"] == []


def test_costs_outlive_their_messages_and_then_end_too(house):
    house.send("alice", "bob")
    turn(house, 1, **USED)
    house.pass_time(399 * DAY_S)
    house.store.write(costs.forget)
    assert admin_sums(house)["total"]["turns"] == 1
    house.pass_time(3 * DAY_S)
    house.store.write(costs.forget)
    assert admin_sums(house)["costs"] == []
