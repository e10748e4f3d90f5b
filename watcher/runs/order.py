"""A run on the wire: what the stream and the lists say of one, and what its claim orders.

It must not know how a run is done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from watcher import plainjson
from watcher.settings import is_name

if TYPE_CHECKING:
    import threading

QUEUED, WORKING, CANCELLED = "queued", "working", "cancelled"
UNWANTED = frozenset({CANCELLED, "timed_out", "lost"})
"""What the bus says of a run that nobody waits for any more."""
LONGEST_LIMIT_S = 604_800
_RUN_ID = re.compile(r"r_[A-Za-z0-9]{1,60}", re.ASCII)  # it becomes a part of paths and keys
Status = Literal["completed", "failed", "timed_out", "cancelled"]


def is_run_id(value: object) -> bool:
    """Say whether this is a run's id, and so may be part of a file's name."""
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


@dataclass(frozen=True)
class Notice:
    """A run as it stands in a frame or a list: which, for whom, how far."""

    run_id: str
    worker: str
    state: str

    @classmethod
    def parse(cls, raw: Any) -> Notice:
        """Read one.

        Raises:
            ValueError: it is none.
        """
        found = raw if isinstance(raw, dict) else {}
        run_id, worker = found.get("run_id"), found.get("to_agent") or found.get("worker")
        if not is_run_id(run_id):
            raise ValueError("not a run: its id is none")
        if not is_name(worker):
            raise ValueError("not a run: it is for no agent's name")
        return cls(str(run_id), str(worker), str(found.get("state") or ""))


@dataclass(frozen=True)
class Order:
    """What a claim gives: all that is to be done. `output` is relative to the workspace."""

    run_id: str
    claim: int
    worker: str
    local_agent: str
    label: str
    task: str
    model: str
    verify: str
    is_deleting: bool
    output: str
    limit_s: float

    @classmethod
    def parse(cls, raw: Any) -> Order:
        """Read a claim's answer, from the bus or from the disk.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(raw, dict) or not is_run_id(raw.get("run_id")):
            raise ValueError("not a claim: it names no run")
        if not all(isinstance(raw.get(key), str) for key in ("task", "output")):
            raise ValueError("not a claim: it has no task or no output")
        limit_s = raw.get("limit_s")
        if isinstance(limit_s, bool) or not isinstance(limit_s, int | float):
            raise ValueError("not a claim: it has no limit")  # noqa: TRY004 - what came is wrong
        return cls(
            run_id=raw["run_id"],
            claim=plainjson.whole(raw.get("claim")),
            worker=str(raw.get("worker") or ""),
            local_agent=str(raw.get("local_agent") or ""),
            label=str(raw.get("label") or ""),
            task=raw["task"],
            model=str(raw.get("model") or ""),
            verify=str(raw.get("verify") or ""),
            is_deleting=raw.get("cleanup") == "delete",
            output=raw["output"],
            limit_s=max(0.0, min(float(limit_s), LONGEST_LIMIT_S)),
        )


class Halt:
    """Why a run must stop before its own end; the first reason stands."""

    STOPPED = "the watcher was stopped"
    CANCELLED = "it was cancelled"
    OVER = "the bus had given it up"

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.why = ""

    @property
    def is_unwanted(self) -> bool:
        """Say whether nobody waits for it, other than where the watcher stops."""
        return self.why in {self.CANCELLED, self.OVER}

    def set(self, why: str) -> None:
        """Have it stop: the watcher ends, the run was cancelled, or the bus has closed it."""
        self.why = self.why or why
        self.event.set()
