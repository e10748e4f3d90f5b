"""`bus run`: dispatch work to a worker and be free; see where it is; take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing, runfollow, runladder
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import (
    harmless,
    local_second,
    paint_state,
    say,
    say_more,
    table,
    with_local_times,
)
from bus.cli.words import DURATION_S, NAMES, read_body
from bus.runs.model import CLEANUPS, NOTIFIES, SIZES, STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("RUN", "LABEL", "PARENT", "WORKER", "STATE", "DISPATCHED", "REASON")
WHICH = ("open", "all", *STATES)
TOLD = {
    "all": "One message tells of all of them when the last is done",
    "first": "One message tells of the first that completes",
    "each": "A message tells of each when it is done",
}
"""What comes of a group, by how it is to be reported."""


@click.group("run")
def command() -> None:
    """Background runs: work that a worker does while you are free."""


@command.command("start")
@click.argument("workers", metavar="WORKER", type=NAMES, shell_complete=completing.workers)
@click.argument("task", required=False)
@click.option("--label", required=True, metavar="WORD", help="A short word to know it by.")
@click.option("--size", type=click.Choice(tuple(SIZES)), help="Time limit: 300, 600 or 1200 s.")
@click.option("--limit", "limit_s", type=DURATION_S, help="Time limit instead (90s, 30m).")
@click.option("--cleanup", type=click.Choice(CLEANUPS), default="keep", show_default=True)
@click.option("--output", metavar="PATH", help="The file it writes, inside its workspace.")
@click.option("--model", metavar="NAME", help="A model that its node's settings allow.")
@click.option("--verify", metavar="NAME", help="A check of its node's settings that must pass.")
@click.option("--task-id", metavar="ID", help="The card that it belongs to (c_...).")
@click.option(
    "--session", metavar="ID", shell_complete=completing.sessions, help="Its end is told there."
)
@click.option("--notify", type=click.Choice(NOTIFIES), help="done_only if not given.")
@click.option("--group", metavar="ID", help="Add it to your group (g_...) that is still open.")
@click.option("--report", type=click.Choice([*TOLD]), help="Of several workers: all if not given.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is one run.")
@calls_bus()
def start(  # noqa: PLR0913 - a run's own fields
    caller: Caller,
    workers: list[str],
    task: str | None,
    *,
    limit_s: float | None,
    report: str | None,
    key: str | None,
    **fields: Any,
) -> None:
    """Dispatch TASK to WORKER; the result comes into your inbox.

    TASK is read from standard input where it is - or not given. Names between commas dispatch the
    same task to each of them, as a group that reports once.
    """
    if (limit_s is None) == (fields["size"] is None):
        raise click.UsageError("give --size S, M or L, or --limit")
    order = {"task": read_body(task, "TASK"), "run_timeout_seconds": limit_s, **fields}
    order = {name: value for name, value in order.items() if value is not None}
    if len(workers) == 1:
        if report is not None:
            raise click.UsageError("--report is for several workers")
        answer = caller.bus.start_run({"worker": workers[0], **order}, key=key)
    else:
        if fields["group"] is not None:
            raise click.UsageError("--group is for one worker")
        several = [{"worker": worker, **order} for worker in workers]
        answer = caller.bus.start_runs(several, report=report, key=key)
    caller.show(answer, lambda: show_started(answer, report or "all"))


def show_started(answer: Mapping[str, Any], report: str = "all") -> None:
    """Say what was dispatched, and where to look next."""
    again = "  (dispatched before; nothing new was)" if answer.get("deduplicated") else ""
    runs = answer.get("runs", [answer])
    if answer.get("runs"):
        say(f"{harmless(answer['group'])}{again}")
        again = ""
    for run in runs:
        reason = with_local_times(harmless(run.get("reason") or ""))
        why = f"  {reason}" if reason else ""
        names = f"{harmless(run['run_id'])}  {harmless(run['worker'])}"
        say(f"{names}  {paint_state(run['state'])}{why}{again}")
    what = TOLD[report] if answer.get("runs") else "Its result comes by itself"
    say(f"{what}. Where it is: bus run show {harmless(runs[0]['run_id'])}")


@command.command("list")
@click.option("--parent", metavar="NAME", shell_complete=completing.agents, help="Whose; or me.")
@click.option("--worker", metavar="NAME", shell_complete=completing.agents, help="Of this worker.")
@click.option("--state", type=click.Choice(WHICH), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Go on where the last list ended.")
@calls_bus()
def list_runs(caller: Caller, **which: Any) -> None:
    """List runs, newest first."""
    answer = caller.bus.runs(**which)
    is_open = which["state"] == "open"
    none = "no open runs; also those that ended: --state all" if is_open else "no runs"
    caller.show(answer, lambda: show_list(answer, none))


def show_list(answer: Mapping[str, Any], none: str) -> None:
    """Write the list, and how to go on."""
    rows = [
        (
            run["run_id"],
            run["label"],
            run["parent"],
            run["worker"],
            run["state"],
            local_second(run["created_at"]),
            run["reason"] or None,
        )
        for run in answer["runs"]
    ]
    table(HEADINGS, rows, none=none)
    if answer["next"]:
        say_more("--after", answer["next"])


@command.command("show")
@click.argument("run_id", metavar="ID", shell_complete=completing.runs)
@click.option("--follow", is_flag=True, help="Stay until the run has ended.")
@calls_bus()
def show(caller: Caller, run_id: str, *, follow: bool) -> None:
    """Show the ladder of the run ID: each rung, its time, its reason; then what it came to.

    With --follow each rung as it happens, and the exit code says how the run ended: 0 completed, 1
    failed, 6 timed out, 7 cancelled, 8 lost.
    """
    if follow:
        runfollow.follow(caller, run_id)
        return
    run = caller.bus.run(run_id)
    caller.show(run, lambda: say("\n".join(runladder.draw(run))))


@command.command("cancel")
@click.argument("run_id", metavar="ID", shell_complete=completing.open_runs)
@click.option("--reason", default="", metavar="TEXT", help="Why; others can read it.")
@calls_bus()
def cancel(caller: Caller, run_id: str, *, reason: str) -> None:
    """Take the run ID back; its node stops it where it is being worked on."""
    answer = caller.bus.cancel_run(run_id, reason)
    caller.done(answer, f"{harmless(answer['run_id'])}: {harmless(answer['result'])}")
