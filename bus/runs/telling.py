"""How a result reads: a text for a model, with what the worker wrote inside marks of its own.

What a worker wrote is an attacker's text; the mark is random, so that nothing in it can pass for
the bus's own words around it. Pure but for the mark, which is given.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.mail.rules import quote
from bus.runs.model import MAX_TOLD_REASON
from bus.runs.rules import cut_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row

OVERHEAD_BYTES = 4096
"""What a result says beside the output, at most, for each run."""

CHECK_BYTES = 2048
"""How much of what a check said stands in a result; the run has the rest."""


PLAIN_PATH, MOST_PATH = re.compile(r"[^\s\"']+"), 1000
"""A path that says nothing beside itself; another stands in quotes, for it is its node's word."""


@dataclass(frozen=True)
class Told:
    """A run that has ended, and what of its long texts is told."""

    run: Row
    output: str
    verify_output: str = ""


@dataclass(frozen=True)
class Asking:
    """How a parent asks further: with a command line, or over HTTP."""

    url: str
    header_path: str
    has_command: bool

    def show(self, run_id: str) -> str:
        """Write how one asks for a run."""
        if self.has_command:
            return f"bus run show {run_id}"
        return f"curl -sS -H @{self.header_path} {self.url}/api/runs/{run_id}"


def subject_of(runs: Sequence[Row]) -> str:
    """Write one line for one run or for a group."""
    if len(runs) == 1:
        return f"{runs[0].label}: {runs[0].state}"
    done = sum(run.state == "completed" for run in runs)
    return f"{done} of {len(runs)} runs completed"


def write_single(told: Told, asking: Asking, mark: str, most_bytes: int) -> str:
    """Write the result of one run."""
    parts = [describe(told, mark, most_bytes - OVERHEAD_BYTES), *next_steps([told.run], asking)]
    return "\n".join(parts)


def write_merged(
    several: Sequence[Told], report: str, asking: Asking, mark: str, most_bytes: int
) -> str:
    """Write the one result of a group: the counts, then each run; what failed is shown as such."""
    runs = [told.run for told in several]
    each = max(0, most_bytes // len(several) - OVERHEAD_BYTES)
    open_ones = [run for run in runs if run.ended_ms is None]
    head = f"Group {runs[0].group_id}: {count_states(runs)}."
    if open_ones:
        head += f" The first is done ({report}); the others go on and are not reported again."
    shown = [describe(told, mark, each) for told in several]
    return "\n\n".join([head, *shown, "\n".join(next_steps(runs, asking))])


def count_states(runs: Sequence[Row]) -> str:
    """Count the runs of a group by their states."""
    states: dict[str, int] = {}
    for run in runs:
        states[run.state] = states.get(run.state, 0) + 1
    return ", ".join(f"{many} {state}" for state, many in states.items())


def describe(told: Told, mark: str, most_bytes: int) -> str:
    """Write what became of one run: state, reason, file, check, output."""
    run, facts = told.run, json.loads(told.run.result)
    lines = [f"Run {run.id} {run.label} by {run.worker}: {run.state}{code_of(facts)}"]
    if run.reason:
        lines.append(f"Reason, perhaps in another's words: {quote(run.reason, MAX_TOLD_REASON)}")
    if facts.get("file"):
        lines.append(write_file(facts["file"]))
    if facts.get("verify"):
        lines.append(write_check(facts["verify"]))
        if told.verify_output and facts["verify"].get("exit_code") != 0:
            said = cut_output(told.verify_output, CHECK_BYTES)
            lines += [f"<<<{mark} what the check said>>>", said, f"<<<{mark} end of the check>>>"]
    if run.ended_ms is not None:
        lines += write_output(told.output, facts, mark, most_bytes)
    return "\n".join(lines)


def write_end(told: Told, most_bytes: int) -> str:
    """Write a run's end for a session, whose readers mark by themselves what is another's."""
    run, facts = told.run, json.loads(told.run.result)
    lines = [f"{run.label}: {run.state}{code_of(facts)}"]
    if run.reason:
        lines.append(f"Reason: {quote(run.reason, MAX_TOLD_REASON)}")
    if facts.get("file"):
        lines.append(write_file(facts["file"]))
    kept = cut_output(told.output, most_bytes)
    if kept.strip():
        lines += ["", kept]
    if len(kept) < len(told.output):
        lines.append(f"(cut; all of it: bus run show {run.id})")
    return "\n".join(lines)


def code_of(facts: dict[str, Any]) -> str:
    """Write the exit code, where there is one."""
    return "" if facts.get("exit_code") is None else f", exit code {facts['exit_code']}"


def write_file(file: dict[str, Any]) -> str:
    """Write where the result is, and how one knows that it is the same."""
    by = "" if file.get("written_by") == "worker" else ", written by the watcher from the output"
    path = file["path"] if PLAIN_PATH.fullmatch(file["path"]) else quote(file["path"], MOST_PATH)
    return f"File: {path}, {file['size']} bytes, sha256 {file['sha256']}{by}"


def write_check(check: dict[str, Any]) -> str:
    """Write what the check said that was asked for."""
    passed = "passed" if check.get("exit_code") == 0 else f"exit code {check.get('exit_code')}"
    return f"Check {check['name']}: {passed}"


def write_output(output: str, facts: dict[str, Any], mark: str, most_bytes: int) -> list[str]:
    """Write what the worker said, cut where it is too long."""
    if not output:
        return ["It said nothing."]
    kept = cut_output(output, most_bytes)
    size = max(facts.get("output_bytes") or 0, len(output.encode()))
    cut = "" if len(kept.encode()) >= size else f" (the first {len(kept.encode())} of {size} bytes)"
    return [f"<<<{mark} its output{cut}>>>", kept, f"<<<{mark} end of its output>>>"]


def next_steps(runs: Sequence[Row], asking: Asking) -> list[str]:
    """Write what to do now: look at it, move the card, do it again where it came to nothing."""
    cards = sorted({run.task_id for run in runs if run.task_id})
    failed = [run for run in runs if run.state in {"failed", "timed_out", "lost"}]
    steps = [f"All of it, rung by rung: {asking.show(runs[0].id)}"]
    if cards:
        steps.append(f"Check the result, then move its card, which nobody else does: {cards[0]}")
    if failed:
        steps.append(
            "Nothing is run again by itself, since it may have had effects: look, then dispatch "
            "anew with POST /api/runs."
        )
    return steps
