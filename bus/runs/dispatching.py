"""Dispatching: from orders to runs on disk, each in its worker's queue; the parent is free."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RunTooDeepError,
    TakesMessagesError,
    TooManyChildrenError,
)
from bus.mail import service as mail
from bus.runs import queries
from bus.runs.model import NOTE, PATIENCE_S
from bus.runs.moves import add_rung, fill, move, why_waiting
from bus.runs.rules import default_output

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.runs.model import Batch, Order
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

AGAIN_S = 30
SUFFIX_CHARS = 6


def dispatch(
    tx: Transaction,
    principal: Principal,
    batch: Batch,
    *,
    join: str | None = None,
    key: mail.Key | None = None,
) -> dict[str, Any]:
    """Accept runs, all or none; a repeated key gives the first answer again.

    `join` names a group of the parent's that has not been reported yet.
    """
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    depth = check_depth(tx, principal)
    check_children(tx, principal, len(batch.orders))
    group_id = make_group(tx, principal, batch) if batch.report else join_group(tx, principal, join)
    check_sessions(tx, principal, batch)
    workers = [find_worker(tx, principal, order) for order in batch.orders]
    place = mail.find_place(tx, principal, workers[0])
    runs = [
        add(tx, principal, order, worker, place, depth, group_id)
        for order, worker in zip(batch.orders, workers, strict=True)
    ]
    for worker_id in dict.fromkeys(worker.id for worker in workers):
        fill(tx, worker_id)
    shown = [
        show_accepted(settle(tx, run.place, worker))
        for run, worker in zip(runs, workers, strict=True)
    ]
    answer: dict[str, Any] = {"status": "accepted", "deduplicated": False}
    answer |= {"group": group_id} if group_id else {}
    answer |= {"runs": shown} if batch.report else shown[0]
    mail.keep_answer(tx, key, answer)
    return answer


def check_depth(tx: Transaction, principal: Principal) -> int:
    """Give how deep a run of this parent is: one more than the deepest that it is at work on.

    A worker at work on none dispatches none: nobody would hear the result, nobody could end it, and
    one that begins itself anew at each end would go on for ever.
    """
    me = principal.participant_id or 0
    depth, most = 1 + queries.deepest(tx.conn, me), tx.config.max_depth
    if depth == 1 and directory.get(tx.conn, me).kind == "worker":
        raise ForbiddenError(
            f"{principal.name} is a worker and at work on no run: only while it does one can it "
            "dispatch others"
        )
    if depth > most:
        raise RunTooDeepError(
            f"{principal.name} is itself at work on a run {depth - 1} deep, and runs go {most} "
            "deep: say in your result what is left to do, and your parent dispatches it"
        )
    return depth


def check_children(tx: Transaction, principal: Principal, more: int) -> None:
    """Refuse more open runs than a parent may have."""
    there = queries.count_children(tx.conn, principal.participant_id or 0)
    most = tx.config.max_children
    if there + more > most:
        raise TooManyChildrenError(
            f"{principal.name} has {there} open runs and may have {most}; {more} more were not "
            "taken. You are woken when one ends: GET /api/runs?parent=me&state=open",
            retry_after_s=AGAIN_S,
        )


def check_sessions(tx: Transaction, principal: Principal, batch: Batch) -> None:
    """Refuse a run for a session in which its parent is not; sessions know who is in one."""
    for session_id in dict.fromkeys(order.session_id for order in batch.orders):
        if session_id is None:
            continue
        if not tx.ask("check_run_session", principal=principal, session_id=session_id):
            raise NotFoundError(f"no session {session_id!r} that you are in")


def make_group(tx: Transaction, principal: Principal, batch: Batch) -> str:
    """Make the group of runs that are dispatched together."""
    group_id = tx.ids.new("g", tx.now_ms)
    values = {
        "id": group_id,
        "parent_id": principal.participant_id,
        "report": batch.report,
        "open": len(batch.orders),
    }
    queries.insert_group(tx.conn, values)
    return group_id


def join_group(tx: Transaction, principal: Principal, group_id: str | None) -> str | None:
    """Add one run to a group that is not reported yet."""
    if group_id is None:
        return None
    group = queries.group(tx.conn, group_id)
    if group is None or group.parent_id != principal.participant_id:
        raise NotFoundError(f"no group {group_id[:40]!r} of yours")
    if group.reported_ms is not None or not group.open:
        raise ConflictError(f"group {group_id} is reported already: dispatch without 'group'")
    queries.update_group(tx.conn, group_id, {"open": group.open + 1})
    return group_id


def find_worker(tx: Transaction, principal: Principal, order: Order) -> Participant:
    """Find the worker that an order names; a named agent and a person take messages."""
    resolved = directory.resolve(tx.conn, principal, order.worker)
    if resolved.kind != "one":
        raise TakesMessagesError(f"{order.worker} is a group: a run is for one worker")
    found = resolved.participants[0]
    if found.kind != "worker":
        body = json.dumps({"to": found.name, "type": "TASK", "body": "..."})
        raise TakesMessagesError(
            f"{found.name} is {'a person' if found.kind == 'person' else 'a named agent'} and "
            f"takes messages, not runs: POST /api/send {body}; its answer wakes you"
        )
    return found


def add(  # noqa: PLR0913, PLR0917 - whose, for whom, where and what
    tx: Transaction,
    principal: Principal,
    order: Order,
    worker: Participant,
    place: mail.Place,
    depth: int,
    group_id: str | None,
) -> Row:
    """Store one run, and put it into its worker's queue."""
    run_id = tx.ids.new("r", tx.now_ms)
    deadline = tx.now_ms + tx.config.run_unclaimed_s * 1000
    values = {
        "id": run_id,
        "group_id": group_id,
        "parent_id": principal.participant_id,
        "worker_id": worker.id,
        "depth": depth,
        "thread": place.thread,
        "hops": place.hops,
        "path": json.dumps(place.path),
        "label": order.label,
        "limit_s": order.limit_s,
        "cleanup": order.cleanup,
        "output": choose_output(tx, order, worker, run_id),
        "model": order.model,
        "verify": order.verify,
        "task_id": order.task_id,
        "notify": order.notify,
        "state": "submitted",
        "waits": 1,
        "created_ms": tx.now_ms,
        "deadline_ms": deadline,
        "due_ms": deadline,
        "session_id": order.session_id,
    }
    run = queries.at(tx.conn, queries.insert_run(tx.conn, values, order.task))
    add_rung(tx, run)
    tx.record(
        "run_accepted",
        run=run_id,
        parent=principal.name,
        worker=worker.name,
        label=order.label,
        bytes=len(order.task.encode()),
        group=group_id or "",
    )
    tx.announce("run_dispatched", run=run)
    return run


def settle(tx: Transaction, place: int, worker: Participant) -> Row:
    """Have a run that got no place wait for one, with the reason; gives it as it stands."""
    run = queries.at(tx.conn, place)
    if run.state == "submitted":
        run = move(tx, run, "queued", why_waiting(tx, worker), due_ms=run.deadline_ms)
    return run


def choose_output(tx: Transaction, order: Order, worker: Participant, run_id: str) -> str:
    """Choose the file that a run writes: two of one worker never write the same at once."""
    wanted = order.output or default_output(order.label)
    other = queries.writes_to(tx.conn, worker.id, wanted)
    if other is None:
        return wanted
    if order.output is not None:
        raise ConflictError(
            f"run {other} of {worker.name} is to write {wanted}: name another 'output'"
        )
    return default_output(order.label, run_id[-SUFFIX_CHARS:])


def show_accepted(run: Row) -> dict[str, Any]:
    """Show a run that was accepted, as it stands after all of them got their places."""
    shown = {
        "run_id": run.id,
        "state": run.state,
        "label": run.label,
        "worker": run.worker,
        "retry_after_s": run.limit_s + PATIENCE_S,
        "show": f"bus run show {run.id}",
        "note": NOTE,
    }
    return shown | ({"reason": run.reason} if run.reason else {})
