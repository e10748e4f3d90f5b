"""Runs: which there are, and what became of one: its ladder, its result, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from bus.board import service as board
from bus.errors import BusError, InvalidRequestError, NotFoundError
from bus.mail import service as mail
from bus.pages.ladders import draw_run
from bus.pages.routes import Pages, field, go
from bus.pages.showing import render
from bus.pages.timeline import draw
from bus.runs import service as runs
from bus.runs.api import MAX_REASON
from bus.runs.model import STATES
from bus.web.problems import STATUS
from bus.web.runtime import runtime

if TYPE_CHECKING:
    import sqlalchemy as sa
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
MOST = 50
WHICH = ("open", "all", *STATES)
COLOURS = {
    **dict.fromkeys(("failed", "timed_out", "lost"), "bad"),
    "completed": "good",
    "working": "works",
}


@pages.get("/runs")
def show_runs(principal: Principal) -> Response:
    state = request.args.get("state", "")
    state = state if state in WHICH else WHICH[0]
    worker, after = (request.args.get(name, "").strip()[:100] for name in ("worker", "after"))
    asked = runs.Asked(None, worker.lower() or None, state, MOST, after or None)
    shown: list[dict[str, Any]] = []
    wrong, more = "", None
    with runtime().store.read() as conn:
        try:
            shown, more = runs.list_runs(conn, principal, asked)
        except (InvalidRequestError, NotFoundError) as error:
            wrong = error.detail
    return render(
        "runs.html",
        principal,
        status=400 if wrong else 200,
        runs=shown,
        next=more,
        state=state,
        which=WHICH,
        worker=worker,
        is_first=not after,
        colours=COLOURS,
        wrong=wrong,
    )


@pages.get("/runs/<run_id>")
def show_run(principal: Principal, run_id: str) -> Response:
    return run_page(principal, run_id)


def run_page(principal: Principal, run_id: str, wrong: str = "", status: int = 200) -> Response:
    """Show a run whole, as far as it is the reader's to see; `wrong` says what was refused."""
    run_time = runtime()
    now_ms = run_time.clock.now_ms()
    with run_time.store.read() as conn:
        run, _ = runs.show_one(conn, principal, run_id, now_ms, run_time.presence.is_online)
        relatives = runs.relatives_of(conn, principal, run_id)
        task = find_task(conn, principal, run["task_id"])
    lane = draw_run(run, now_ms)
    return render(
        "run.html",
        principal,
        status=status,
        run=run,
        picture=draw([lane]),
        relatives=relatives,
        task=task,
        colours=COLOURS,
        wrong=wrong,
    )


def find_task(conn: sa.Connection, principal: Principal, task_id: str | None) -> str:
    """Give the title of a run's task, where there is one that the reader may see."""
    run = runtime()
    if not task_id:
        return ""
    try:
        shown = board.show_task(conn, principal, task_id, run.clock.now_ms(), run.config)
    except NotFoundError:
        return ""
    return str(shown["title"])


@pages.post("/runs/<run_id>")
def cancel(principal: Principal, run_id: str) -> Response:
    """Take a run back; what is refused is said on the run's own page."""
    reason = mail.one_line(field("reason", MAX_REASON))
    try:
        done = runtime().store.write(
            lambda tx: runs.cancel(tx, principal, run_id, reason), principal.id
        )
    except BusError as error:
        return run_page(principal, run_id, error.detail, STATUS[error.code])
    return go(f"/runs/{run_id}", "stopping" if done["result"] == "stopping" else "cancelled")
