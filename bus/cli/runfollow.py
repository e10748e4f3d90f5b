"""`bus run show --follow`: the ladder of a run as it grows, and an exit code for how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import runladder
from bus.cli.failing import CANCELLED, LOST, REFUSED, TIMED_OUT, Failure
from bus.cli.following import Following
from bus.cli.output import say, say_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.cli.calling import Caller

CODES = {"failed": REFUSED, "timed_out": TIMED_OUT, "cancelled": CANCELLED, "lost": LOST}


def follow(caller: Caller, run_id: str) -> None:
    """Write each rung as it happens and, when the run has ended, what it came to."""
    run: Mapping[str, Any] = caller.bus.run(run_id)
    if not run["ended_at"]:
        check_follower(caller, run)
    drawn = Drawn(caller)
    drawn.show(run)
    if not run["ended_at"]:
        looks = Following(caller.bus, "run_id", run_id).looks(caller.bus.run)
        run = next(one for one in looks if drawn.show(one))
    if run["state"] in CODES:
        raise click.exceptions.Exit(CODES[run["state"]])


def check_follower(caller: Caller, run: Mapping[str, Any]) -> None:
    """Refuse to wait for what will not come: a stream tells of a run to its parent, and people."""
    me = caller.bus.whoami()
    if me["kind"] == "agent" and me["name"] != run["parent"]:
        raise Failure(
            f"only {run['parent']}, who dispatched it, a person who sees it, and the "
            "administration can follow it",
            REFUSED,
            mend=f"Where it is now: bus run show {run['run_id']}",
        )


class Drawn:
    """What of a run was written already."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.rungs = 0
        self.waits = ""
        self.is_begun = False

    def show(self, run: Mapping[str, Any]) -> bool:
        """Write what is new of it, with all that it came to where it has ended; says whether so."""
        if not self.is_begun and not self.caller.as_json:
            for line in runladder.draw_head(run):
                say(line)
        self.is_begun = True
        for rung in run["ladder"][self.rungs :]:
            self.show_line(run, rung, runladder.draw_rung(run, rung))
        self.rungs = len(run["ladder"])
        waits = runladder.why_now(run)
        if waits != self.waits and waits:
            self.show_line(run, {"waits": waits}, runladder.draw_waits(waits))
        self.waits = waits
        if run["ended_at"] and not self.caller.as_json:
            for line in runladder.results(run):
                say(line)
        return bool(run["ended_at"])

    def show_line(self, run: Mapping[str, Any], fact: Mapping[str, Any], line: str) -> None:
        """Write one line."""
        if self.caller.as_json:
            say_json({"run_id": run["run_id"], **fact}, one_line=True)
        else:
            say(line)
