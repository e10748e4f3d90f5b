"""What the guard holds and what turns cost, by the command line: seen, and let go."""

from __future__ import annotations

import pytest


@pytest.fixture
def talk(act_as):
    """Have two agents answer each other until they are held; gives the boss and the thread."""
    one, two, boss = act_as("one"), act_as("two"), act_as("boss", "person")
    pair, sent, more = [(one, "two"), (two, "one")], {}, ()
    for turn in range(30):
        who, to = pair[turn % 2]
        sent = who("send", to, "and you?", *more, "--json").json
        more = ("--reply-to", sent["id"])
        if sent["deliveries"][0]["state"] == "held":
            return boss, sent
    raise AssertionError("it was never held")


def test_a_person_sees_what_is_held_and_lets_it_go(talk):
    boss, sent = talk
    shown = boss("held")
    assert shown.code == 0
    assert sent["thread"] in shown.out
    assert "the same step in a ring of agents for time 9" in shown.out
    assert f"Let it go: bus release {sent['thread']}" in shown.out
    assert f"bus cancel {sent['id']}" in shown.out
    (told,) = boss("inbox", "--json").json["items"]
    assert f"bus release {sent['thread']}" in told["body"]
    assert boss("release", sent["thread"]).out == f"{sent['thread']}: 1 let go\n"
    assert boss("held").out == "nothing is held\n"


def test_a_person_lets_an_agent_go_by_its_name(act_as):
    boss = act_as("boss", "person")
    act_as("one")
    assert boss("release", "one").out == "one: was not held; its day begins anew\n"
    refused = boss("release", "nobody")
    assert refused.code != 0
    assert "nobody" in refused.err


def test_costs_are_summed_by_what_is_asked_for(bus, as_admin, act_as):
    boss = act_as("boss", "person")
    assert "of which the cost is known" in boss("cost").out
    made = as_admin("node", "add", "here", "--agents", "ben", "--json")
    assert made.code == 0, made.err
    node = bus.token("here", "node")
    boss("send", "ben", "hello")
    wake = as_admin("wakes", "--json").json["wakes"][0]["wake_id"]
    used = {"state": "ended", "tokens_in": 1200, "tokens_out": 34, "cost_usd": 0.0123}
    assert bus.call(node, "POST", f"/api/wakes/{wake}", used)[0] == 200
    by_agent = boss("cost").out
    assert by_agent.splitlines()[1].split() == ["ben", "1", "1200", "34", "0.0123"]
    assert by_agent.splitlines()[2].split() == ["in", "all", "1", "1200", "34", "0.0123"]
    assert boss("cost", "--by", "day", "--json").json["total"]["tokens_in"] == 1200
    assert boss("cost", "--since", "2999-01-01").out.startswith("no turn from 2999-01-01")
    assert boss("cost", "--agent", "nobody").code != 0
