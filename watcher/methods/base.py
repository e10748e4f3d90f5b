"""What every wake method is: how it is probed, how it runs one turn, what it may report.

A method knows its runtime and nothing of the bus: it reports through `Report`, and the loop
turns that into calls. Reports are facts; a method never reports what it could not see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import threading

    from watcher.settings import AgentSettings


# What may stand in the arguments of a command: no option, and nothing that a shell would take up.
_PLAIN_AGENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_PLAIN_SESSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+!#/=,~-]{0,255}", re.ASCII)

NONE = "none"


def find_strange(agent: AgentSettings) -> str:
    """Say which of an agent's names in its runtime is none; the bus may have given any."""
    for key, value, plain in (
        ("local_agent", agent.local_agent, _PLAIN_AGENT),
        ("session_key", agent.session_key, _PLAIN_SESSION),
    ):
        if value and not plain.fullmatch(value):
            return (
                f"{key} of {agent.name} is {value[:80]!r}, which is refused: it must begin with a "
                f"letter or digit and hold no spaces or signs of a shell; mend it with "
                f"`bus agent change {agent.name}`"
            )
    return ""


@dataclass(frozen=True)
class Wake:
    """One wake as the bus handed it out: ids, counts and the trusted text, never a body."""

    wake_id: str
    generation: int
    agent: str
    local_agent: str
    session_key: str
    text: str
    pending_total: int
    pending_urgent: int
    turn_id: str | None = None
    """Set when an earlier life of this watcher had this turn admitted already."""
    session: str = ""
    """The one session that all of it is for; empty where it is for more, or for none."""
    shown_text: str = ""
    """What the turn is told in the place of `text` where what it says is shown in that session."""


@dataclass(frozen=True)
class Usage:
    """What a turn used, as far as its runtime tells; what is cached counts as going in."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None

    def told(self) -> dict[str, float]:
        """Give what is known of it by the names that the bus has for it."""
        return {name: number for name, number in vars(self).items() if number is not None}


@dataclass(frozen=True)
class Outcome:
    """How it went: `ended` and `failed` are ends of a turn, `no_turn` means that none began.

    `requested` is a blind method's answer: the call was accepted and nothing more can be seen.
    `permanent` goes with `no_turn` alone: the runtime does not know this agent.
    `left` answers `stop`: the end is not known and nothing is reported; the wake stays open and
    is found again by the watcher's next life.
    """

    state: Literal["ended", "failed", "no_turn", "requested", "left"]
    reason: str = ""
    permanent: bool = False
    usage: Usage = field(default=Usage(), compare=False)
    """What it cost; two outcomes are the same whatever that was."""


ASKED_BEFORE = Outcome("requested", "asked for in an earlier life of the watcher")


@dataclass(frozen=True)
class Probe:
    """Whether a method would work for an agent on this node, and why (one line for a person)."""

    works: bool
    why: str


class Choice(NamedTuple):
    """Which method would start an agent's turn now, `none` too, and why (a line for a person)."""

    name: str
    why: str

    @property
    def works(self) -> bool:
        """Say whether the agent can be woken."""
        return self.name != NONE


class Report(Protocol):
    """What a running method may say while its turn lives; each call is one report to the bus."""

    def admitted(self, turn_id: str) -> None:
        """Say that the runtime has a turn under this id."""

    def alive(self) -> None:
        """Say that the turn is known to live; cheap to call often, it thins itself out."""

    def will_show(self) -> None:
        """Say, before the admission, that what the turn says is shown in the wake's session."""


class Method(Protocol):
    """A way to start a turn."""

    name: str

    def probe(self, agent: AgentSettings) -> Probe:
        """Look, without starting a turn, whether this method works for the agent."""

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        """Start the turn and stay with it to its end, its limit, or `stop` (then leave it be).

        Raises nothing that it can name: a gateway that is down is an `Outcome`.
        """
