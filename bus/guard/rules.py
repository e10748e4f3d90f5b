"""When a thread is held: pure decisions over what was counted; no clock, no database.

A rule is data: what it counts, the setting with its number, and the sentence that says so. A
number of 0 turns its rule off.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bus.guard.model import MARK

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = 128
"""So many names of a path are kept: a chain that is longer is held by its length."""


@dataclass(frozen=True)
class Talk:
    """What is known of a message when it is judged.

    `path` names by whom its chain came since a person's word, a result or a release, its sender
    last; `hops` counts the same, also where the path was cut. The other numbers are what was
    counted with this message in them.
    """

    path: tuple[str, ...]
    recipient: str
    hops: int = 0
    burst: int = 1
    to_self: int = 0
    messages: int = 0
    wakes: int = 0
    results: int = 0

    @property
    def onward(self) -> int:
        """Count the steps that lead on: an answer takes back the step that it answers."""
        stack: list[str] = []
        for name in self.path:
            if name in stack[-2:-1]:
                stack.pop()
            else:
                stack.append(name)
        return len(stack) - 1

    @property
    def laps(self) -> int:
        """Count how often the chain took the step that it takes now."""
        return [*pairwise((*self.path, self.recipient))].count((self.path[-1], self.recipient))


@dataclass(frozen=True)
class Rule:
    """One rule: the setting that has its number, what it counts, and how it says so."""

    setting: str
    count: Callable[[Talk], int]
    says: str


RULES = (
    Rule(
        "guard_hops",
        lambda talk: talk.onward if talk.hops else 0,
        "{count} hops in this thread, at most {most}",
    ),
    Rule(
        "guard_laps",
        lambda talk: talk.laps if talk.hops else 0,
        "the same step in a ring of agents for time {count}, at most {most}",
    ),
    Rule(
        "guard_chain",
        lambda talk: talk.hops,
        "a chain of {count} messages, answers among them, at most {most}",
    ),
    Rule(
        "guard_burst",
        lambda talk: talk.burst,
        "{count} messages between this pair in a minute, at most {most}",
    ),
    Rule(
        "guard_self",
        lambda talk: talk.to_self,
        "{count} messages to oneself in a minute, at most {most}",
    ),
    Rule(
        "guard_messages",
        lambda talk: talk.messages,
        "{count} messages in this thread in a day, at most {most}",
    ),
    Rule(
        "guard_thread_wakes",
        lambda talk: talk.wakes,
        "{count} wakes for this thread in a day, at most {most}",
    ),
    Rule(
        "guard_results",
        lambda talk: talk.results,
        "{count} results in this thread in a day, at most {most}",
    ),
)


def judge(talk: Talk, limits: Any) -> str:
    """Give the reason to hold a thread, or an empty text."""
    for rule in RULES:
        count, most = rule.count(talk), getattr(limits, rule.setting)
        if most and count > most:
            return f"{MARK}{rule.says.format(count=count, most=most)}"
    return ""


def warn(talk: Talk, limits: Any) -> str:
    """Give what a thread is about to be held for, or an empty text."""
    for rule in RULES:
        count, most = rule.count(talk), getattr(limits, rule.setting)
        if is_near(count, most, limits.guard_warn_percent):
            return rule.says.format(count=count, most=most)
    return ""


def is_near(count: int, most: int, percent: int) -> bool:
    """Say whether a count has come so near to its limit that somebody should know."""
    return bool(most and percent) and count * 100 >= most * percent


def judge_wakes(count: int, most: int) -> str:
    """Give the reason not to wake an agent again that had so many wakes in a day."""
    return f"{MARK}{count} wakes in a day, at most {most}" if most and count >= most else ""
