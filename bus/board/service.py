"""The verbs of the board, in one place for its routes: add a task, see it, list, write on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.board import queries, rules
from bus.board.finding import find, find_chief, is_chief, roles_of, roles_to
from bus.board.linking import on_removed, on_run_dispatched, on_run_ended
from bus.board.model import ADDED, BACKLOG, BLOCKED, Draft, Which
from bus.board.moving import act
from bus.board.showing import show, show_entry, show_moves, show_whole
from bus.board.writing import write_history, write_note
from bus.clock import from_text
from bus.directory import service as directory
from bus.errors import ForbiddenError, InvalidRequestError
from bus.mail import service as mail
from bus.mail.rules import quote
from bus.runs import service as runs
from bus.sections import Entry, Section

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.directory.model import Participant
    from bus.sections import Span
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

__all__ = [
    "act",
    "add",
    "add_note",
    "check_link",
    "list_cards",
    "list_tasks",
    "register",
    "show_task",
]
Shown = dict[str, Any]
BEHIND_ALL = "d"
"""A place behind every id of a task."""


def register(hooks: Hooks) -> None:
    """Hear of runs that belong to a task, and of holders that leave the bus."""
    hooks.on("run_dispatched", on_run_dispatched)
    hooks.on("run_ended", on_run_ended)
    hooks.on("participant_removed", on_removed)
    hooks.on("brief_sections", tell_blocked)


def check_link(tx: Transaction, principal: Principal, task_id: str) -> None:
    """Refuse to have something belong to a task that its maker cannot see."""
    find(tx.conn, principal, task_id)


def show_task(
    conn: sa.Connection, principal: Principal, task_id: str, now_ms: int, config: Config
) -> Shown:
    """Show a task whole."""
    row = find(conn, principal, task_id)
    return show_whole(conn, row, roles_of(conn, principal, row), now_ms, config)


def list_tasks(
    conn: sa.Connection, principal: Principal, which: Which, now_ms: int, config: Config
) -> Shown:
    """Show a page of tasks, and behind which one to go on.

    For each compartment and status the first ones are looked up in an index and then merged, so
    that a page costs the same on a board of any size.
    """
    rows, after = find_page(conn, principal, which, now_ms, config)
    return {"tasks": [show(row, now_ms, config) for row in rows], "next": after}


def list_cards(
    conn: sa.Connection, principal: Principal, which: Which, now_ms: int, config: Config
) -> Shown:
    """Show a page of tasks as cards.

    Each has also what its reader may do with it, why it is blocked, and its last run.
    """
    rows, after = find_page(conn, principal, which, now_ms, config)
    ids = [row.id for row in rows]
    run_ids, blocks = queries.last_runs(conn, ids), queries.last_blocks(conn, ids)
    known = runs.states_of(conn, principal, list(run_ids.values()))
    me = None if principal.participant_id is None else directory.get(conn, principal.participant_id)
    cards = [
        show(row, now_ms, config)
        | {
            "moves": show_moves(row, roles_to(me, principal, row) if me else (), now_ms, config),
            "blocked_why": blocks[row.id].text
            if row.status == BLOCKED and row.id in blocks
            else "",
            "run": known.get(run_ids.get(row.id, "")),
        }
        for row in rows
    ]
    return {"tasks": cards, "next": after}


def find_page(
    conn: sa.Connection, principal: Principal, which: Which, now_ms: int, config: Config
) -> tuple[list[Row], str | None]:
    """Find a page of tasks, and behind which one to go on."""
    mine = sorted(principal.compartments)
    compartments = queries.all_compartments(conn) if principal.kind == "admin" else mine
    values = {
        "after": which.after or ("" if which.oldest_first else BEHIND_ALL),
        "before_ms": now_ms - config.task_stale_s * 1000,
        "whose": find_party(conn, principal, which.name).id if which.party else None,
        "most": which.limit + 1,
    }
    how = (which.party, which.is_stale, which.oldest_first)
    ids = [
        task_id
        for compartment in compartments
        for status in which.statuses
        if which.compartment in {None, compartment}
        for task_id in queries.page(conn, how, compartment=compartment, status=status, **values)
    ]
    ids.sort(reverse=not which.oldest_first)
    there = queries.with_ids(conn, ids[: which.limit])
    rows = [there[task_id] for task_id in ids[: which.limit]]
    return rows, rows[-1].id if len(ids) > which.limit else None


def tell_blocked(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell in a brief which tasks are blocked now, since whenever."""
    which = Which(statuses=(BLOCKED,), limit=span.most)
    page = list_tasks(conn, principal, which, span.until_ms, span.config)
    entries = tuple(
        Entry(
            from_text(task["changed_at"]),
            f"blocked by {task['blocked_by'] or 'wakebus'}: {quote(task['title'])} ({task['id']})",
            task["id"],
        )
        for task in page["tasks"]
    )
    is_cut = page["next"] is not None
    where = ("bus task list --status blocked", "/api/tasks?status=blocked")
    return [Section("blocked", "blocked tasks", 10, entries, len(entries), is_cut, *where)]


def find_party(conn: sa.Connection, principal: Principal, name: str) -> Participant:
    """Find by whom to narrow a list; `me` is the reader."""
    if name != "me":
        return directory.find_visible(conn, principal, name)
    if principal.participant_id is None:
        raise InvalidRequestError("the administration holds no tasks: give a name, not 'me'")
    return directory.get(conn, principal.participant_id)


def add(tx: Transaction, principal: Principal, draft: Draft, key: mail.Key | None) -> Shown:
    """Add a task to the backlog; a repeated key gives the first answer again."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    me = directory.get(tx.conn, principal.participant_id or 0)
    if me.kind == "worker":
        raise ForbiddenError("a worker adds no task: who dispatched it does")
    if draft.message_id is not None:
        mail.trace(tx.conn, principal, draft.message_id)  # which refuses what it cannot see
    task_id = write_task(tx, principal, me, draft)
    row = find(tx.conn, principal, task_id)
    write_history(tx, row, ADDED, me, message_id=draft.message_id)
    tx.record("task_added", task=task_id, by=me.name)
    answer = show(row, tx.now_ms, tx.config) | {"deduplicated": False}
    mail.keep_answer(tx, key, answer, 201)
    return answer


def write_task(tx: Transaction, principal: Principal, me: Participant, draft: Draft) -> str:
    """Store a new task; its lead is who adds it, where that is one who decides."""
    task_id = tx.ids.new("c", tx.now_ms)
    compartment = rules.choose_compartment(draft.compartment, principal.compartments)
    lead_id = find_chief(tx.conn, draft.lead, "lead", compartment)
    queries.insert_task(
        tx.conn,
        {
            "id": task_id,
            "compartment": compartment,
            "title": draft.title,
            "body": draft.body,
            "status": BACKLOG,
            "blocked_from": None,
            "ops": int(draft.is_ops),
            "creator_id": me.id,
            "holder_id": None,
            "lead_id": lead_id or (me.id if is_chief(me) else None),
            "reviewer_id": find_chief(tx.conn, draft.reviewer, "reviewer", compartment),
            "blocker_id": None,
            "created_ms": tx.now_ms,
            "changed_ms": tx.now_ms,
            "refreshed_ms": None,
        },
    )
    return task_id


def add_note(
    tx: Transaction, principal: Principal, task_id: str, text: str, message_id: str | None
) -> Shown:
    """Write on a task, perhaps of a message that belongs to it."""
    row = find(tx.conn, principal, task_id)
    if message_id is not None:
        mail.trace(tx.conn, principal, message_id)
    by = directory.get(tx.conn, principal.participant_id or 0)
    write_note(tx, row, text, by, message_id=message_id)
    (entry,) = queries.history(tx.conn, task_id, 1)
    return {"id": task_id, **show_entry(entry)}
