"""What is known of one run of OpenClaw's while it is followed.

It must not know how it is asked for, nor the bus.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from watcher.gatewayverdict import read_usage, read_words
from watcher.methods.base import Usage

if TYPE_CHECKING:
    from watcher.clock import Clock

ENDS_OF_SPEECH = frozenset({"final", "aborted", "error"})


class Listener(Protocol):
    """Who hears what a turn says; it must not wait for anything."""

    def tell(self, whole: str) -> None:
        """Take the whole text so far."""

    def tell_last(self, last: str) -> None:
        """Take what was said last of all, where the text so far may have been missed."""


@dataclass
class GatewayTurn:
    """What is known of one run of OpenClaw's."""

    run_id: str
    agent_id: str
    session_key: str
    limit_s: float
    stop: threading.Event
    clock: Clock
    boot_id: str = ""
    is_certain: bool = False
    """Whether the gateway that we talk to is known to have this run."""
    usage: Usage = field(default=Usage())
    is_asked_here: bool = False
    """Whether the answer that says what the run used comes to us."""
    is_told: threading.Event = field(default_factory=threading.Event)
    started_s: float | None = None
    """When the model began, on the monotonic clock; a turn that is queued has not."""
    is_late: bool = False
    """Whether it was ended at its limit."""
    is_refused: bool = False
    """Whether OpenClaw said no to it: asking again would find the same."""
    listener: Listener | None = None
    has_spoken: threading.Event = field(default_factory=threading.Event)
    """Whether all that it says was heard."""

    def start(self) -> None:
        if self.started_s is None:
            self.started_s = self.clock.monotonic_s()

    @property
    def left_s(self) -> float:
        if self.started_s is None:
            return self.limit_s
        return self.started_s + self.limit_s - self.clock.monotonic_s()

    def take_usage(self, answer: dict[str, Any]) -> None:
        """Note what the run used, where an answer says it."""
        usage = read_usage(answer)
        if usage != Usage():
            self.usage = usage
            self.is_told.set()

    def take_words(self, said: dict[str, Any]) -> None:
        """Pass on what the run has said so far: OpenClaw tells all of it each time."""
        if self.listener is None:
            return
        whole = read_words(said)
        if whole:
            self.listener.tell(whole)
        if said.get("state") in ENDS_OF_SPEECH:
            self.has_spoken.set()

    def take_last_words(self, answer: dict[str, Any]) -> None:
        """Pass on how the run ended in words, where they may have been said unheard."""
        reply = answer.get("terminalReply")
        if self.listener is None or self.has_spoken.is_set() or not isinstance(reply, dict):
            return
        if reply.get("disposition") == "visible" and isinstance(reply.get("text"), str):
            self.listener.tell_last(reply["text"])

    def is_over(self) -> bool:
        return self.stop.is_set() or self.left_s <= 0
