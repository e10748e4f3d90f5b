"""Each rule of the guard at its limit and one beyond: what it lets pass, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.config import Config
from bus.errors import ConfigError
from bus.guard.rules import RULES, Talk, judge, judge_wakes, warn

HERE = Path("nowhere")
CONFIG = Config(data_dir=HERE)
NINE = tuple("abcdefghi")


def chain(names, messages, to=None):
    """Give the talk after so many messages of agents that go round."""
    path = tuple(names[at % len(names)] for at in range(messages))
    return Talk(path, to or names[messages % len(names)], messages - 1)


def alternating(children):
    """Give the talk of a parent that asks one child after another and has each answer."""
    path = [name for child in range(children) for name in ("parent", f"child{child}")]
    return Talk((*path, "parent"), "next", len(path))


def counted(**numbers):
    return Talk(("a",), "b", **numbers)


ALLOWED_AND_HELD = [
    (chain(NINE, 17), chain(NINE, 18), "guard: 17 hops in this thread, at most 16"),
    (chain("abc", 17), chain("abc", 18), "guard: 17 hops in this thread, at most 16"),
    (
        chain([f"x{at}" for at in range(40)], 17),
        chain([f"x{at}" for at in range(40)], 18),
        "guard: 17 hops in this thread, at most 16",
    ),
    (
        chain("ab", 16),
        chain("ab", 17),
        "guard: the same step in a ring of agents for time 9, at most 8",
    ),
    (
        chain("abcb", 32),
        chain("abcb", 33),
        "guard: the same step in a ring of agents for time 9, at most 8",
    ),
    (
        chain("a", 8),
        chain("a", 9),
        "guard: the same step in a ring of agents for time 9, at most 8",
    ),
    (
        alternating(60),
        alternating(61),
        "guard: a chain of 122 messages, answers among them, at most 120",
    ),
    (
        counted(burst=20),
        counted(burst=21),
        "guard: 21 messages between this pair in a minute, at most 20",
    ),
    (
        counted(to_self=10),
        counted(to_self=11),
        "guard: 11 messages to oneself in a minute, at most 10",
    ),
    (
        counted(messages=200),
        counted(messages=201),
        "guard: 201 messages in this thread in a day, at most 200",
    ),
    (
        counted(wakes=100),
        counted(wakes=101),
        "guard: 101 wakes for this thread in a day, at most 100",
    ),
    (
        counted(results=500),
        counted(results=501),
        "guard: 501 results in this thread in a day, at most 500",
    ),
]


@pytest.mark.parametrize(("allowed", "held", "reason"), ALLOWED_AND_HELD)
def test_a_rule_lets_its_number_pass_and_holds_the_next(allowed, held, reason):
    assert judge(allowed, CONFIG) == ""
    assert judge(held, CONFIG) == reason


def test_every_rule_has_its_row_here():
    told = [reason for *_, reason in ALLOWED_AND_HELD]
    words = [rule.says.partition("{count}")[2].partition("{most}")[0].strip(", ") for rule in RULES]
    assert all(any(word in reason for reason in told) for word in words)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.setting)
def test_a_number_of_0_turns_its_rule_off(rule):
    off = Config(data_dir=HERE, **{one.setting: 0 for one in RULES if one is not rule})
    far = Talk(tuple("ab" * 64), "a", 1000, *[10_000] * 5)
    if rule.setting == "guard_hops":
        far = chain([f"x{at}" for at in range(40)], 40)
    assert judge(far, off).startswith("guard: ")
    assert judge(far, Config(data_dir=HERE, **{one.setting: 0 for one in RULES})) == ""


@pytest.mark.parametrize(("hops", "warned"), [(11, False), (12, True), (16, True)])
def test_a_warning_comes_at_three_quarters_of_the_way(hops, warned):
    assert bool(warn(chain(NINE, hops + 1), CONFIG)) is warned


def test_nobody_is_warned_where_the_share_is_0():
    assert warn(chain(NINE, 17), Config(data_dir=HERE, guard_warn_percent=0)) == ""


def test_one_of_thirty_children_after_the_other_is_no_chain_that_leads_on():
    talk = alternating(30)
    assert (talk.onward, talk.laps) == (0, 1)
    assert judge(talk, CONFIG) == ""


@pytest.mark.parametrize(("count", "reason"), [(499, ""), (500, "guard: 500 wakes in a day")])
def test_an_agent_has_so_many_wakes_a_day(count, reason):
    assert judge_wakes(count, 500).startswith(reason)
    assert bool(judge_wakes(count, 500)) is bool(reason)
    assert judge_wakes(count, 0) == ""


def test_a_rule_can_be_turned_off_in_the_settings_and_nothing_else_be_0():
    assert Config.from_env({"BUS_DATA_DIR": "x", "BUS_GUARD_LAPS": "0"}).guard_laps == 0
    with pytest.raises(ConfigError, match="BUS_GUARD_LAPS must be above 0, not -1"):
        Config.from_env({"BUS_DATA_DIR": "x", "BUS_GUARD_LAPS": "-1"})
    with pytest.raises(ConfigError, match="BUS_LEASE_S must be above 0"):
        Config.from_env({"BUS_DATA_DIR": "x", "BUS_LEASE_S": "0"})
