"""The ladder of a run as lines, drawn as that of a message is; it asks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.cli.ladder import OFFSET_WIDTH, draw_reason, write_offset
from bus.cli.output import behind_bar, harmless, local_time, paint, paint_state
from bus.clock import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATE_WIDTH = 9
INDENT = " " * (OFFSET_WIDTH + 2)


def draw(run: Mapping[str, Any]) -> Iterator[str]:
    """Write a run, its whole ladder, and what it came to."""
    yield from draw_head(run)
    for rung in run["ladder"]:
        yield draw_rung(run, rung)
    yield from outlook(run)


def draw_head(run: Mapping[str, Any]) -> Iterator[str]:
    """Write which run it is, and what belongs to it."""
    who = f"{harmless(run['parent'])} -> {harmless(run['worker'])}"
    yield paint(f"{harmless(run['run_id'])}  {harmless(run['label'])}  {who}", bold=True)
    yield ", ".join(circumstances(run))
    yield ""


def circumstances(run: Mapping[str, Any]) -> Iterator[str]:
    """Say when it was dispatched and what belongs to it."""
    yield f"dispatched {local_time(run['created_at'], date=True)}"
    yield f"limit {run['limit_s']} s"
    yield f"thread {harmless(run['thread'])}"
    for name in ("group", "task_id"):
        if run.get(name):
            yield f"{name.partition('_')[0]} {harmless(run[name])}"


def draw_rung(run: Mapping[str, Any], rung: Mapping[str, Any]) -> str:
    """Write one rung."""
    since_ms = from_text(rung["at"]) - from_text(run["created_at"])
    offset = write_offset(since_ms).rjust(OFFSET_WIDTH)
    state = paint_state(rung["state"], STATE_WIDTH)
    reason = draw_reason(rung["reason"]) if rung["reason"] else ""
    return f"{offset}  {local_time(rung['at'])}  {state}  {reason}".rstrip()


def why_now(run: Mapping[str, Any]) -> str:
    """Give why it stands where it does, unless its last rung says so."""
    last = run["ladder"][-1]["reason"] if run["ladder"] else ""
    return "" if run["reason"] == last else str(run["reason"] or "")


def draw_waits(waits: str) -> str:
    """Write why it waits now."""
    return f"{INDENT}{draw_reason(waits)}"


def outlook(run: Mapping[str, Any]) -> Iterator[str]:
    """Write what is no rung: why it waits now, its lease, and what it came to."""
    if waits := why_now(run):
        yield draw_waits(waits)
    if run.get("lease_until") and not run.get("ended_at"):
        yield f"{INDENT}node {harmless(run['node'])}, heard until {local_time(run['lease_until'])}"
    if run.get("note"):
        yield f"{INDENT}{harmless(run['note'])}"
    yield from results(run)


def results(run: Mapping[str, Any]) -> Iterator[str]:
    """Write what is known of a run that has ended: its file, its check, its cost, its output."""
    if run.get("exit_code") is not None:
        yield f"{INDENT}exit code {run['exit_code']}"
    if run.get("file"):
        file = run["file"]
        where, mark = harmless(file["path"]), harmless(file["sha256"])
        yield f"{INDENT}file {where}, {file['size']} bytes, sha256 {mark}"
    check = run.get("verify") or {}
    if "exit_code" in check:
        yield f"{INDENT}check {harmless(check['name'])}: exit code {check['exit_code']}"
    if run.get("tokens_in") is not None or run.get("cost_usd") is not None:
        tokens = f"{run['tokens_in'] or 0} tokens in, {run['tokens_out'] or 0} out"
        cost = f", {run['cost_usd']:.4f} USD" if run["cost_usd"] is not None else ""
        yield f"{INDENT}{tokens}{cost}"
    if run.get("message_id"):
        yield f"{INDENT}its result: bus trace {harmless(run['message_id'])}"
    if run.get("verify_output"):
        yield "\nWhat the check said:"
        yield from behind_bar(run["verify_output"])
    if run.get("output"):
        yield "\nWhat the worker said:"
        yield from behind_bar(run["output"])
