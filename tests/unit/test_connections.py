"""Who gives up a place: strangers that stand silent, never one that asks or was heard."""

from __future__ import annotations

import pytest

from bus.serving.connections import Connections


class Hall:
    def __init__(self, most=10, strangers=3):
        self.now_s, self.gone = 0.0, []
        self.connections = Connections(most, strangers, lambda: self.now_s, self.gone.append)

    def add(self, names, address="a", after_s=0.0):
        self.now_s += after_s
        return [self.connections.add(name, address) for name in names]


@pytest.fixture
def hall():
    return Hall()


def test_the_oldest_silent_stranger_of_an_address_goes_and_the_new_one_stays(hall):
    hall.add("123")
    hall.add("4", after_s=2)
    assert hall.gone == ["1"]


def test_many_that_come_at_once_are_given_the_time_to_speak(hall):
    hall.add("1234567")
    assert hall.gone == []


def test_one_that_has_shown_its_token_is_not_counted_behind_a_proxy(hall):
    for name in "123":
        hall.add(name)
        hall.connections.trust(name)
    hall.add("456", after_s=2)
    hall.add("7", after_s=2)
    assert hall.gone == ["4"]


def test_another_address_keeps_its_strangers(hall):
    hall.add("1", "b")
    hall.add("2345", "a", after_s=2)
    hall.add("6", "a", after_s=2)
    assert "1" not in hall.gone


def test_where_all_is_taken_the_crowd_pays_and_not_who_was_heard(hall):
    hall.add("1")
    hall.connections.trust("1")
    hall.add("x", "b")
    hall.add("23456789")
    assert hall.add("y", "c") == [True]
    assert hall.gone == ["2"]


def test_where_nobody_is_idle_there_is_no_room(hall):
    for name in "0123456789":
        hall.add(name)
        hall.connections.trust(name)
        hall.connections.begin(name)
    assert hall.add("x") == [False]
    hall.connections.remove("x")
    hall.connections.end("4")
    assert hall.add("y") == [True]
    assert hall.gone == ["4"]
