"""What a node does with a run, by the worker's own token: claim it, keep it, say its end.

A claim has a number; whoever speaks for an older one is fenced. The bus's clock decides.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import (
    ConflictError,
    FencedError,
    ForbiddenError,
    NotFoundError,
    RunClaimedError,
    RunOverError,
)
from bus.runs import queries
from bus.runs.ending import end as end_run
from bus.runs.ending import keep_texts, tell_begin
from bus.runs.moves import move
from bus.runs.rules import next_due, write_asking, write_assignment
from bus.runs.showing import sees

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.runs.model import Outcome
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def find_own(tx: Transaction, principal: Principal, run_id: str) -> Row:
    """Find a run of the worker whose token this is."""
    run = queries.find(tx.conn, run_id)
    if run is None or not sees(tx.conn, principal, run):
        raise NotFoundError(f"no run {run_id[:40]!r} of yours")
    if run.worker_id != principal.participant_id:
        raise ForbiddenError(f"{run_id} is {run.worker}'s to do: this takes its own token")
    return run


def claim(
    tx: Transaction, principal: Principal, run_id: str, instance: str, workspace: str
) -> dict[str, Any]:
    """Take a run for one instance; the same instance again gets the same answer."""
    run = find_own(tx, principal, run_id)
    if run.ended_ms is not None:
        raise RunOverError(f"{run_id} is {run.state}: there is nothing to do")
    if run.claimed_ms is not None:
        if run.instance != instance:
            raise RunClaimedError(f"{run_id} was claimed by another instance")
        return show_claim(tx, run, workspace)
    if run.waits:
        raise ConflictError(f"{run_id} has no place yet: {run.reason}", retry_after_s=1)
    config = tx.config
    times = {
        "claimed_ms": tx.now_ms,
        "lease_until_ms": tx.now_ms + config.run_lease_s * 1000,
        "deadline_ms": tx.now_ms + (run.limit_s + config.run_grace_s) * 1000,
    }
    now = move(tx, run, "working", "", claim=run.claim + 1, instance=instance, **times)
    tx.record("run_claimed", run=run.id, worker=run.worker, claim=now.claim)
    tell_begin(tx, now)
    return show_claim(tx, now, workspace)


def show_claim(tx: Transaction, run: Row, workspace: str) -> dict[str, Any]:
    """Show what a node needs to do a run; `task` is its worker's whole assignment."""
    task = queries.texts(tx.conn, run.place).task
    output = f"{workspace}/{run.output}" if workspace else run.output
    asking = ""
    if run.session_id is not None:
        reach = directory.reach(tx.conn, run.worker_id, tx.config)
        curl = f"curl -sS -H @{reach.header_path} {reach.url}"
        asking = write_asking(curl, run.session_id, run.id)
    return {
        "run_id": run.id,
        "claim": run.claim,
        "worker": run.worker,
        "local_agent": run.local_agent,
        "parent": run.parent,
        "label": run.label,
        "task": write_assignment(task, run.id, run.parent, run.limit_s, output, asking),
        "model": run.model,
        "verify": run.verify,
        "cleanup": run.cleanup,
        "output": run.output,
        "limit_s": run.limit_s,
        "lease_s": tx.config.run_lease_s,
        "lease_until": to_text(run.lease_until_ms),
        "cancel": run.cancel_ms is not None,
    }


def check_claim(run: Row, number: int) -> None:
    """Refuse whoever speaks for a claim that is not the run's."""
    if run.claimed_ms is None or run.claim != number:
        raise FencedError(f"claim {number} of {run.id} is not good, or no longer")


def keep_alive(
    tx: Transaction, principal: Principal, run_id: str, number: int, turn: dict[str, str]
) -> dict[str, Any]:
    """Hear that a run is still worked on, and say whether it is still wanted.

    `turn` has what is known of where: `turn_id`, `session_key`.
    """
    run = find_own(tx, principal, run_id)
    check_claim(run, number)
    if run.ended_ms is not None:
        return {"state": run.state, "cancel": True, "lease_until": None}
    until = tx.now_ms + tx.config.run_lease_s * 1000
    changes: dict[str, Any] = {"lease_until_ms": until}
    changes |= {name: value for name, value in turn.items() if value}
    changes["due_ms"] = next_due({**run._asdict(), **changes})
    queries.update(tx.conn, run.place, changes)
    return {
        "state": run.state,
        "cancel": run.cancel_ms is not None,
        "lease_until": to_text(until),
    }


def end(
    tx: Transaction, principal: Principal, run_id: str, number: int, said: Outcome
) -> dict[str, Any]:
    """Hear a run's end, once; what is said of one that has ended changes its state no more."""
    run = find_own(tx, principal, run_id)
    check_claim(run, number)
    if run.ended_ms is not None:
        keep_late(tx, run, said)
        return {"state": run.state, "already": True}
    state, reason = judge(run, said)
    ended = end_run(tx, run, state, reason, said)
    return {"state": ended.state, "already": False}


def judge(run: Row, said: Outcome) -> tuple[str, str]:
    """Give the state and the reason of an end: without its check a run is not completed."""
    check = said.facts.get("verify") or {}
    if said.status == "completed" and run.verify and check.get("name") not in {None, run.verify}:
        return "failed", f"the check {run.verify} was not run, but {check['name']}"
    if said.status == "completed" and run.verify and check.get("exit_code") != 0:
        how = f"exited {check['exit_code']}" if "exit_code" in check else "was not run"
        return "failed", f"the check {run.verify} {how}"
    if said.status == "cancelled" and run.cancel_ms is not None:
        return "cancelled", run.reason  # the node knows that it was, and not by whom and why
    return said.status, said.reason


def keep_late(tx: Transaction, run: Row, said: Outcome) -> None:
    """Keep what a node says of a run that was given up: its work is not thrown away.

    It is no rung: the ladder has its end already, and a run has one.
    """
    is_given_up = run.state in {"lost", "timed_out"}
    if not is_given_up or not said.output or queries.texts(tx.conn, run.place).output:
        return
    keep_texts(tx, run, said)
    reason = f"{run.reason}; its node said later: {said.status}. What it wrote is kept"
    changes = {"reason": reason, "result": json.dumps(said.facts)}
    queries.update(tx.conn, run.place, changes)
