"""The `auto` method: the best of several ways that works for an agent, and why that one.

It must not know how any of them works; it believes their probes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher import log
from watcher.clock import SystemClock
from watcher.methods.base import NONE, Choice, Outcome, Probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.clock import Clock
    from watcher.methods.base import Method, Report, Wake
    from watcher.settings import AgentSettings

SECOND_BEST_S = 60.0  # then the better ways get another chance


@dataclass(frozen=True)
class _Choice:
    method: Method
    why: str
    works: bool
    until_s: float | None = None
    """When a choice that is not the best is made anew."""

    def holds(self, now_s: float) -> bool:
        return self.works and (self.until_s is None or now_s < self.until_s)

    @property
    def name(self) -> str:
        return self.method.name if self.works else NONE


class Auto:
    """Takes the first of the candidates that works, for each agent on its own."""

    name = "auto"

    def __init__(self, candidates: Sequence[Method], clock: Clock | None = None) -> None:
        """Take the candidates, best first."""
        self._candidates = tuple(candidates)
        self._clock = clock or SystemClock()
        self._choices: dict[str, _Choice] = {}
        self._lock = threading.Lock()

    def choice(self, agent: AgentSettings) -> Choice:
        """Say which way is taken for this agent now, and why."""
        choice = self._choose(agent)
        return Choice(choice.name, choice.why)

    def probe(self, agent: AgentSettings) -> Probe:
        choice = self._choose(agent)
        return Probe(choice.works, f"{choice.name}: {choice.why}")

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        """Run the chosen one. Where none works, the best one is asked: it knows the reason."""
        choice = self._choose(agent)
        outcome = choice.method.run(wake, agent, report, stop)
        if outcome.state == "no_turn":
            with self._lock:
                self._choices.pop(agent.name, None)
        return outcome

    def _choose(self, agent: AgentSettings) -> _Choice:
        with self._lock:
            choice = self._choices.get(agent.name)
        if choice is not None and choice.holds(self._clock.monotonic_s()):
            return choice
        fresh = self._look(agent)
        with self._lock:
            self._choices[agent.name] = fresh
        if choice is None or choice.method is not fresh.method or choice.works != fresh.works:
            log.say(
                "method_chosen",
                agent=agent.name,
                method=fresh.name,
                why=fresh.why,
            )
        return fresh

    def _look(self, agent: AgentSettings) -> _Choice:
        troubles: dict[str, list[str]] = {}
        for method in self._candidates:
            probe = method.probe(agent)
            if probe.works:
                why = "; ".join([probe.why, *(f"not {each}" for each in _tell(troubles))])
                until_s = self._clock.monotonic_s() + SECOND_BEST_S if troubles else None
                return _Choice(method, why, works=True, until_s=until_s)
            troubles.setdefault(probe.why, []).append(method.name)
        why = f"cannot be woken: {'; '.join(_tell(troubles))}"
        return _Choice(self._candidates[0], why, works=False)


def _tell(troubles: dict[str, list[str]]) -> list[str]:
    """Write each trouble once, with all the ways that it is in."""
    return [f"{', '.join(names)}: {trouble}" for trouble, names in troubles.items()]
