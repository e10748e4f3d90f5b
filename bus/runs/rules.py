"""Pure decisions of runs: what a request means, when a run is next due, when to ask again."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from bus.errors import (
    BatchTooLargeError,
    BodyTooLargeError,
    BusError,
    InvalidRequestError,
    RunIncompleteError,
    WaitingRefusedError,
)
from bus.mail.rules import count_bytes, modern_names
from bus.runs.model import (
    CLEANUPS,
    MAX_OUTPUT_BYTES,
    NOTIFIES,
    PATIENCE_S,
    REPORTS,
    SIZES,
    Batch,
    Limits,
    Order,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PATH = re.compile(r"[A-Za-z0-9._-]{1,100}(/[A-Za-z0-9._-]{1,100}){0,9}")
WORKSPACE = re.compile(r"/[^\x00-\x1f\x7f]{0,500}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}")
SESSION = re.compile(r"s_[0-9A-Z]{26}")
CARD = re.compile(r"c_[0-9A-Z]{26}")
OPENCLAW_NAMES = {"agentId": "worker", "runTimeoutSeconds": "run_timeout_seconds"}
NEEDED = {
    "worker": "'worker' (which worker does it)",
    "task": "'task' (what to do: all that the worker is told)",
    "label": "'label' (a short word by which you know it again)",
    "limit": "'run_timeout_seconds' or 'size' (S 300 s, M 600 s, L 1200 s)",
    "cleanup": "'cleanup' (keep, or delete: its transcript goes once the result is safe)",
}
EXAMPLE = {"worker": "WORKER", "task": "...", "label": "LABEL", "size": "M", "cleanup": "keep"}


def read_batch(given: Sequence[Mapping[str, Any]], report: str, limits: Limits) -> Batch:
    """Read runs that are dispatched together."""
    if not given:
        raise InvalidRequestError(f"'runs' has 1 to {limits.max_batch} runs")
    if len(given) > limits.max_batch:
        raise BatchTooLargeError(f"the list has {len(given)} runs; at most {limits.max_batch}")
    if report not in REPORTS:
        raise InvalidRequestError(f"'report' is one of {', '.join(REPORTS)}, not {report[:40]!r}")
    orders = [read_one_of(at, one, limits) for at, one in enumerate(given)]
    return Batch(tuple(orders), report)


def read_one_of(at: int, fields: Mapping[str, Any], limits: Limits) -> Order:
    """Read one run of a list; what is wrong says with which of them."""
    try:
        return read_order(fields, limits)
    except BusError as error:
        raise type(error)(f"runs[{at}]: {error.detail}", **error.more) from error


def read_order(fields: Mapping[str, Any], limits: Limits) -> Order:
    """Turn the fields of a request into an order, or say what is wrong with it."""
    given = modern_names(fields, OPENCLAW_NAMES)
    check_background(given)
    check_complete(given)
    return Order(
        worker=given["worker"],
        task=read_task(given["task"], limits),
        label=read_word(given["label"], LABEL, "'label' is 1 to 64 letters, digits, . _ -"),
        limit_s=read_limit(given, limits),
        cleanup=read_choice(given, "cleanup", CLEANUPS, ""),
        output=read_output(given.get("output")),
        model=read_word(given.get("model", ""), MODEL, "'model' is the name of a model"),
        verify=read_word(given.get("verify", ""), LABEL, "'verify' is the name of a check"),
        task_id=read_word(given.get("task_id", ""), CARD, "'task_id' is a card's id, c_...")
        or None,
        notify=read_choice(given, "notify", NOTIFIES, "done_only"),
        session_id=read_word(given.get("session", ""), SESSION, "'session' is its id, s_...")
        or None,
    )


def check_background(given: Mapping[str, Any]) -> None:
    """Refuse a spawn that would keep its caller."""
    if given.get("mode", "background") != "background" or given.get("detach") is False:
        raise WaitingRefusedError(
            "a run never keeps its caller: leave 'mode' out or \"background\", 'detach' out or "
            "true, and end your turn; the result comes as a message that wakes you"
        )


def check_complete(given: Mapping[str, Any]) -> None:
    """Refuse a run that lacks what every run needs, with the call that would be right."""
    limit = given.get("run_timeout_seconds", given.get("size"))
    known = {**given, "limit": limit}
    missing = [name for name in NEEDED if known.get(name) in {None, ""}]
    if not missing:
        return
    corrected = corrected_call(given)
    raise RunIncompleteError(
        f"the run lacks {'; '.join(NEEDED[name] for name in missing)}. "
        f"POST /api/runs {json.dumps(corrected)}",
        missing=["size" if name == "limit" else name for name in missing],
        corrected=corrected,
    )


def corrected_call(given: Mapping[str, Any]) -> dict[str, Any]:
    """Write the call with what was given and examples for what was not; the task left out."""
    kept = {name: value for name, value in given.items() if value not in {None, ""}}
    kept |= {"task": "..."}
    sample = {name: value for name, value in EXAMPLE.items() if name != "size"}
    if "run_timeout_seconds" not in kept:
        sample |= {"size": "M"}
    return {**sample, **kept}


def read_task(task: object, limits: Limits) -> str:
    """Read what is to be done."""
    if not isinstance(task, str):
        raise InvalidRequestError("'task' is a text")
    size = count_bytes(task, "the task")
    if size > limits.max_task_bytes:
        raise BodyTooLargeError(
            f"the task has {size} bytes, at most {limits.max_task_bytes}; name a path instead"
        )
    return task


def read_limit(given: Mapping[str, Any], limits: Limits) -> int:
    """Read the time limit in whole seconds: a number, or a size."""
    seconds, size = given.get("run_timeout_seconds"), given.get("size")
    if seconds is not None and size is not None:
        raise InvalidRequestError("give 'run_timeout_seconds' or 'size', not both")
    if size is not None:
        if size not in SIZES:
            raise InvalidRequestError(f"'size' is one of {', '.join(SIZES)}, not {size[:40]!r}")
        seconds = SIZES[size]
    if not 1 <= float(seconds or 0) <= limits.longest_s:
        raise InvalidRequestError(f"'run_timeout_seconds' is 1 to {limits.longest_s}")
    return math.ceil(float(seconds or 0))


def read_choice(given: Mapping[str, Any], name: str, known: Sequence[str], default: str) -> str:
    """Read one word of a few."""
    word = str(given.get(name, default))
    if word not in known:
        raise InvalidRequestError(f"{name!r} is one of {', '.join(known)}, not {word[:40]!r}")
    return word


def read_word(word: str, shape: re.Pattern[str], what: str) -> str:
    """Read a word of a shape; an empty one is none."""
    if word and not shape.fullmatch(word):
        raise InvalidRequestError(f"{what}, not {word[:60]!r}")
    return word


def read_output(path: str | None) -> str | None:
    """Read a path that stays inside the worker's workspace."""
    if path is None:
        return None
    # What begins with a dot configures tools: of git, of a shell, of ssh.
    if not PATH.fullmatch(path) or any(part.startswith(".") for part in path.split("/")):
        raise InvalidRequestError(
            "'output' is a path inside the worker's workspace, such as checkpoints/audit.md: "
            f"letters, digits, . _ - and /, relative, no part that begins with a dot; "
            f"not {path[:60]!r}"
        )
    return path


def default_output(label: str, more: str = "") -> str:
    """Name the file of a run that was told none."""
    return f"checkpoints/subagent-{label}{f'-{more}' if more else ''}.md"


def read_workspace(path: str) -> str:
    """Read where a node says that a worker's files are."""
    is_plain = bool(WORKSPACE.fullmatch(path)) and path.isprintable()
    if path and (not is_plain or ".." in path.split("/")):
        raise InvalidRequestError(f"'workspace' is an absolute path, not {path[:80]!r}")
    return path.rstrip("/")


def cut_output(text: str, most_bytes: int = MAX_OUTPUT_BYTES) -> str:
    """Cut a text to so many bytes, at a character."""
    raw = text.encode(errors="replace")
    return raw[:most_bytes].decode(errors="ignore")


def write_assignment(  # noqa: PLR0913, PLR0917 - what a worker must know
    task: str, run_id: str, parent: str, limit_s: int, output: str, asking: str
) -> str:
    """Write all that a worker is told: its task, and what the bus wants of it.

    `asking` is how it asks people first, where its run belongs to a session.
    """
    return (
        f"{task}\n\n---\n"
        f"From wakebus: this is run {run_id}, dispatched by {parent}. You have {limit_s} s; then "
        f"it is stopped. {asking or 'Nobody answers while you work.'}\n"
        f"Write your result to this file, and to none outside your workspace: {output}\n"
        "Your last words go back as the summary: what you did, what you found, what is left."
    )


def write_asking(curl: str, session_id: str, run_id: str) -> str:
    """Write how a worker asks people of its run's session, and waits for what they say."""
    asked = json.dumps({"title": "MAY I ...?", "run_id": run_id, "expires_in": 300})
    return (
        "Nobody answers while you work, but for what you ask people first: "
        f"{curl}/api/sessions/{session_id}/approvals -H Content-Type:application/json "
        f"-d '{asked}' gives an approval_id; {curl}/api/approvals/APPROVAL_ID?wait=30 until its "
        "state is not open."
    )


def next_due(run: Mapping[str, Any]) -> int | None:
    """Give when the keeper must look at a run again, in ms, or None for never."""
    if run["ended_ms"] is not None:
        return None
    times = (run["deadline_ms"], run["lease_until_ms"])
    return min(int(time) for time in times if time is not None)


def retry_after_s(run: Mapping[str, Any], now_ms: int) -> int | None:
    """Give when a run is terminal at the latest: at most its limit and two minutes; None if it is.

    One that still waits for its place is asked for again after as long.
    """
    if run["ended_ms"] is not None:
        return None
    most: int = run["limit_s"] + PATIENCE_S
    if run["claimed_ms"] is None:
        return most
    left: int = math.ceil((run["deadline_ms"] - now_ms) / 1000) + 1
    return max(1, min(most, left))
