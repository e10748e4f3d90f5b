"""What OpenClaw's words about a run mean for a turn: pure judgement of its answers.

It must not know how they were asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from watcher import plainjson
from watcher.methods.base import Outcome, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REASON_CHARS = 500
SILENT_END = "the turn ended without a visible line (NO_REPLY)"
LOCKED_OUT = re.compile(r"(borrowed )?(agent|openclaw state) database ", re.IGNORECASE)
"""How OpenClaw 2026.9 begins the error of a gateway that lost its own state's database.

Seen on a loaded machine: a slow upkeep of its sessions ("Agent database cleanup failed"), after
which no turn begins until the gateway is restarted; its error code is that of a failing model.
"""
IN_CHANGE = re.compile(r'session (store for )?"[^"]*" changed while starting work', re.IGNORECASE)
"""How OpenClaw begins the error of a turn that it gave up before its model was asked.

Seen where it takes up after a restart what the session was at, or still puts an aborted turn away.
"""
TOKENS_IN = ("input", "cacheRead", "cacheWrite")
MOST_TOKENS, MOST_USD = 1_000_000_000_000, 1_000_000  # what the bus takes of one turn
_TASK_ENDS = {"failed": "failed", "cancelled": "was cancelled", "timed_out": "timed out"}


def judge_answer(answer: Mapping[str, Any]) -> Outcome | None:
    """Judge an answer of `agent` or `agent.wait`; None while the run goes on.

    A run that ends in NO_REPLY is an error to OpenClaw; its model did run to the end and chose to
    say nothing, so to us it is an end.
    """
    status = answer.get("status")
    if status == "ok":
        return Outcome("ended")
    if status == "error" and _is_silent(answer):
        return Outcome("ended", SILENT_END)
    if status == "error":
        why = _explain(answer)
        return _find_no_turn(why) or Outcome("failed", why)
    if status == "timeout" and ("endedAt" in answer or "summary" in answer):
        return Outcome("failed", _explain(answer))  # the run's own limit, not that of our waiting
    return None


def read_usage(answer: Mapping[str, Any]) -> Usage:
    """Read what a run used from the answer that OpenClaw sends at its end."""
    found: Any = answer
    for key in ("result", "meta", "agentMeta"):
        found = found.get(key) if isinstance(found, dict) else None
    about = found if isinstance(found, dict) else {}
    tokens = about.get("usage")
    if not isinstance(tokens, dict):
        return Usage()
    return Usage(
        tokens_in=min(MOST_TOKENS, sum(plainjson.whole(tokens.get(name)) for name in TOKENS_IN)),
        tokens_out=min(MOST_TOKENS, plainjson.whole(tokens.get("output"))),
        cost_usd=read_dollars(about.get("costUsd")),
    )


def read_words(said: Mapping[str, Any]) -> str:
    """Read what a run has said so far from an event of its chat; what it thinks is not in there."""
    message = said.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def read_tokens(value: Any) -> int | None:
    """Read a number of tokens; None for what cannot be one."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= MOST_TOKENS else None


def read_dollars(value: Any) -> float | None:
    """Read an amount; None for what cannot be one, not a number among it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= MOST_USD else None


def read_session_usage(row: Any) -> Usage:
    """Read what a session has used in all, what is cached aside, from OpenClaw's row of it."""
    known = row if isinstance(row, dict) else {}
    counts = (known.get(name) for name in ("inputTokens", "outputTokens"))
    tokens_in, tokens_out = (read_tokens(one) for one in counts)
    return Usage(tokens_in, tokens_out, read_dollars(known.get("estimatedCostUsd")))


def judge_task(task: Mapping[str, Any]) -> Outcome | None:
    """Judge an entry of the task ledger, which outlives the gateway's memory of its runs."""
    status = str(task.get("status"))
    if status == "completed":
        return Outcome("ended")
    if status in _TASK_ENDS:
        why = _tidy(task.get("error") or task.get("terminalSummary") or "")
        return _find_no_turn(why) or Outcome(
            "failed", f"the turn {_TASK_ENDS[status]}{': ' if why else ''}{why}"
        )
    return None


def _find_no_turn(why: str) -> Outcome | None:
    """Say that no turn began, where that is what an error means."""
    if LOCKED_OUT.match(why):
        return Outcome("no_turn", f"OpenClaw lost its own state ({why}): restart its gateway")
    if IN_CHANGE.match(why):
        return Outcome("no_turn", f"OpenClaw is busy: {why}")
    return None


def _is_silent(answer: Mapping[str, Any]) -> bool:
    reply = answer.get("terminalReply")
    return isinstance(reply, dict) and reply.get("disposition") == "silent"


def _explain(answer: Mapping[str, Any]) -> str:
    text = _tidy(answer.get("error") or answer.get("pendingError") or "")
    if text:
        return text
    stopped_by = answer.get("stopReason")
    if stopped_by:
        return f"the turn was stopped in OpenClaw ({_tidy(stopped_by)})"
    return "the turn failed, and OpenClaw does not say why"


def _tidy(value: Any) -> str:
    """Make one line of a message that was made for a chat."""
    text = value.get("message", "") if isinstance(value, dict) else value
    return " ".join(str(text).replace("\u26a0\ufe0f", "").split())[:MAX_REASON_CHARS]
