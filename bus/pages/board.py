"""The board: its columns, and a task's own page; what one may do there is what the board says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import request

from bus.board import rules
from bus.board import service as board
from bus.board.api import check_body
from bus.board.model import (
    DONE,
    IN_PROGRESS,
    MAX_NOTE_BYTES,
    MAX_TITLE,
    PARTIES,
    STATUSES,
    Change,
    Draft,
    Which,
)
from bus.directory import service as directory
from bus.errors import BusError, InvalidRequestError, NotFoundError
from bus.pages.routes import Pages, field
from bus.pages.showing import at, render, send_on
from bus.runs import service as runs
from bus.web.problems import STATUS
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
PER_COLUMN, OF_DONE, ALONE = 30, 10, 100
"""So many cards in a column, fewer of what is done, more where a column is shown alone."""
FILTERS = ("party", "name", "compartment", "stale", "only", "after")
NOTE_CHARS = MAX_NOTE_BYTES
BODY_CHARS = 1_000_000


def read_filters() -> dict[str, str]:
    """Read by what the board is narrowed: from the address alone, also where a form is sent."""
    given = {name: request.args.get(name, "").strip()[:100] for name in FILTERS}
    return {name: value for name, value in given.items() if value}


def which_of(filters: Mapping[str, str], status: str) -> Which:
    """Give what one column has."""
    party = filters.get("party", "holder") if filters.get("name") else ""
    if party and party not in PARTIES:
        raise InvalidRequestError(f"'party' is one of {', '.join(PARTIES)}")
    is_alone = filters.get("only") == status
    return Which(
        statuses=(status,),
        party=party,
        name=filters.get("name", "").lower(),
        is_stale="stale" in filters,
        compartment=filters.get("compartment"),
        after=filters.get("after") if is_alone else None,
        limit=ALONE if is_alone else OF_DONE if status == DONE else PER_COLUMN,
    )


@pages.get("/board")
def show_board(principal: Principal) -> Response:
    return board_page(principal, read_filters())


def board_page(
    principal: Principal, filters: dict[str, str], wrong: str = "", status: int = 200
) -> Response:
    """Show the columns; `wrong` says what was refused."""
    run = runtime()
    with run.store.read() as conn:
        names = sorted(one.name for one in directory.visible(conn, principal))
        try:
            columns = [read_column(conn, principal, filters, one) for one in columns_of(filters)]
        except (NotFoundError, InvalidRequestError) as error:
            columns, wrong, status = [], error.detail, STATUS[error.code]
    return render(
        "board.html",
        principal,
        status=status,
        columns=columns,
        filters=dict.fromkeys(FILTERS, "") | filters,
        query=urlencode(filters),
        parties=PARTIES,
        names=names,
        compartments=sorted(principal.compartments),
        is_narrowed=bool(filters),
        wrong=wrong,
        draft={name: field(name, BODY_CHARS) if wrong else "" for name in ("title", "body")},
        most_title=MAX_TITLE,
    )


def columns_of(filters: Mapping[str, str]) -> tuple[str, ...]:
    """Give which columns are shown: all, one alone, or that in which a claim can be stale."""
    if filters.get("only") in STATUSES:
        return (filters["only"],)
    return (IN_PROGRESS,) if "stale" in filters else STATUSES


def read_column(
    conn: sa.Connection, principal: Principal, filters: Mapping[str, str], status: str
) -> dict[str, Any]:
    """Read the cards of one column, and where those that it does not show are."""
    run, which = runtime(), which_of(filters, status)
    page = board.list_cards(conn, principal, which, run.clock.now_ms(), run.config)
    more = {**filters, "only": status, "after": page["next"]} if page["next"] else {}
    return {"status": status, "cards": page["tasks"], "more": urlencode(more)}


@pages.post("/board")
def act_on_board(principal: Principal) -> Response:
    """Add a task, or move one; what is refused is said on the board."""
    filters = read_filters()
    try:
        if field("do") == "add":
            add(principal)
            said = "added"
        else:
            said = move(principal, field("task"))
    except BusError as error:
        return board_page(principal, filters, error.detail, STATUS[error.code])
    return send_on(f"{at('/board')}?{urlencode({**filters, 'said': said})}")


def add(principal: Principal) -> None:
    """Add the task that a form describes."""
    draft = Draft(
        rules.check_title(field("title", MAX_TITLE + 1)),
        check_body(field("body", BODY_CHARS)),
        is_ops=bool(field("ops")),
        compartment=field("compartment") or None,
    )
    runtime().store.write(lambda tx: board.add(tx, principal, draft, None), principal.id)


def move(principal: Principal, task_id: str) -> str:
    """Move a task as a form asks; gives the word of what was done."""
    seen = field("seen")
    change = Change(
        rules.check_status(field("status")),
        rules.check_note_text(field("note", NOTE_CHARS + 1)),
        seen=rules.check_status(seen) if seen else "",
    )
    done = runtime().store.write(lambda tx: board.act(tx, principal, task_id, change), principal.id)
    return "already" if done["already"] else "moved"


@pages.get("/board/<task_id>")
def show_task(principal: Principal, task_id: str) -> Response:
    return task_page(principal, task_id)


def task_page(principal: Principal, task_id: str, wrong: str = "", status: int = 200) -> Response:
    """Show a task whole; `wrong` says what was refused."""
    run = runtime()
    with run.store.read() as conn:
        task = board.show_task(conn, principal, task_id, run.clock.now_ms(), run.config)
        known = runs.states_of(conn, principal, task["runs"])
    return render(
        "task.html",
        principal,
        status=status,
        task=task,
        runs=[known[run_id] for run_id in task["runs"] if run_id in known],
        note=field("note", NOTE_CHARS) if wrong else "",
        wrong=wrong,
    )


@pages.post("/board/<task_id>")
def act_on_task(principal: Principal, task_id: str) -> Response:
    """Move a task or write on it; what is refused is said on its own page."""
    try:
        said = write_note(principal, task_id) if field("do") == "note" else move(principal, task_id)
    except BusError as error:
        return task_page(principal, task_id, error.detail, STATUS[error.code])
    return send_on(f"{at('/board')}/{task_id}?{urlencode({'said': said})}")


def write_note(principal: Principal, task_id: str) -> str:
    """Write a form's note on a task."""
    note = rules.check_note_text(field("note", NOTE_CHARS + 1))
    if not note.strip():
        raise InvalidRequestError("the note is empty: say something")
    runtime().store.write(
        lambda tx: board.add_note(tx, principal, task_id, note, None), principal.id
    )
    return "noted"
