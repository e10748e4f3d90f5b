"""The routes of the board: tasks, their moves and notes; parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.board import rules, service
from bus.board.model import IN_PROGRESS, OPEN, PARTIES, STATUSES, Change, Draft, Which
from bus.errors import InvalidRequestError, SenderMismatchError
from bus.mail.api import WRITERS, key_of
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("board")
READERS = (*WRITERS, "admin")
FIELDS = ("title", "body", "lead", "reviewer", "ops")


class TaskBody(msgspec.Struct, forbid_unknown_fields=True):
    """A task to add."""

    title: str
    body: str = ""
    ops: bool = False
    reviewer: str | None = None
    lead: str | None = None
    compartment: str | None = None
    message_id: str | None = None


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """A move, by whom it is and why; and what else is to change of a task."""

    status: str | None = None
    seen: str | None = None
    agent: str | None = None
    note: str = ""
    title: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET
    ops: bool | msgspec.UnsetType = msgspec.UNSET
    reviewer: str | msgspec.UnsetType | None = msgspec.UNSET
    lead: str | msgspec.UnsetType | None = msgspec.UNSET

    def fields(self) -> dict[str, Any]:
        """List what is to be set."""
        given = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in given.items() if value is not msgspec.UNSET}


class NoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """A note, and a message that belongs to the task."""

    text: str
    message_id: str | None = None


class TasksQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which tasks, in which order, and how far one has come."""

    status: Literal["open", "all", "backlog", "in_progress", "review", "done", "blocked"] = "open"
    holder: str | None = None
    lead: str | None = None
    reviewer: str | None = None
    stale: bool = False
    compartment: str | None = None
    order: Literal["newest", "oldest"] = "newest"
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50

    def which(self) -> Which:
        """Give it as the board knows it."""
        named = [(party, getattr(self, party)) for party in PARTIES if getattr(self, party)]
        if len(named) > 1:
            raise InvalidRequestError(f"give one of {', '.join(PARTIES)}")
        if self.stale and self.status not in {"open", "all", IN_PROGRESS}:
            raise InvalidRequestError(f"only a task in progress is stale, not one in {self.status}")
        party, name = named[0] if named else ("", "")
        known = {"open": OPEN, "all": STATUSES}
        statuses = (IN_PROGRESS,) if self.stale else known.get(self.status, (self.status,))
        oldest_first = self.order == "oldest"
        return Which(
            *(statuses, party, name, self.stale),
            *(self.compartment, oldest_first, self.after, self.limit),
        )


def check_body(body: str) -> str:
    """Refuse a text that is too long."""
    return rules.check_text(body, "body", runtime().config.max_body_bytes)


@calls.add("GET", "/api/tasks", who=READERS, summary="The board, a page of it", query=TasksQuery)
def tasks(principal: Principal) -> dict[str, Any]:
    run, which = runtime(), read_query(TasksQuery).which()
    with run.store.read() as conn:
        return service.list_tasks(conn, principal, which, run.clock.now_ms(), run.config)


@calls.add("POST", "/api/tasks", who=WRITERS, summary="Add a task", body=TaskBody, is_told=True)
def add(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(TaskBody)
    draft = Draft(
        rules.check_title(body.title),
        check_body(body.body),
        body.ops,
        body.reviewer,
        body.lead,
        body.compartment,
        body.message_id,
    )
    key = key_of(principal, "tasks")
    answer = runtime().store.write(lambda tx: service.add(tx, principal, draft, key), principal.id)
    return answer, 201


@calls.add("GET", "/api/tasks/<task_id>", who=READERS, summary="A task and its history")
def task(principal: Principal, task_id: str) -> dict[str, Any]:
    run = runtime()
    with run.store.read() as conn:
        return service.show_task(conn, principal, task_id, run.clock.now_ms(), run.config)


@calls.add(
    "PATCH",
    "/api/tasks/<task_id>",
    who=WRITERS,
    summary="Move a task, or change it",
    body=ChangeBody,
    is_told=True,
)
def change(principal: Principal, task_id: str) -> dict[str, Any]:
    body = read_json(ChangeBody)
    if body.agent is not None and body.agent.lower() != principal.name:
        raise SenderMismatchError(f"this token is {principal.name}'s; leave 'agent' out")
    asked = read_change(body)
    return runtime().store.write(
        lambda tx: service.act(tx, principal, task_id, asked), principal.id
    )


def read_change(body: ChangeBody) -> Change:
    """Check what is to be done with a task."""
    fields = body.fields()
    if body.status is None and not fields:
        raise InvalidRequestError(
            f"give 'status' ({', '.join(STATUSES)}) or one of {', '.join(FIELDS)}; "
            "a note alone: POST /api/tasks/ID/notes"
        )
    if body.status is None and body.note:
        raise InvalidRequestError("'note' goes with 'status'; alone: POST /api/tasks/ID/notes")
    if "title" in fields:
        rules.check_title(fields["title"])
    if "body" in fields:
        check_body(fields["body"])
    status = None if body.status is None else rules.check_status(body.status)
    seen = "" if body.seen is None else rules.check_status(body.seen)
    return Change(status, rules.check_note_text(body.note), fields, seen)


@calls.add(
    "POST", "/api/tasks/<task_id>/notes", who=WRITERS, summary="Write on a task", body=NoteBody
)
def note(principal: Principal, task_id: str) -> tuple[dict[str, Any], int]:
    body = read_json(NoteBody)
    if not rules.check_note_text(body.text).strip() and body.message_id is None:
        raise InvalidRequestError("'text' is empty: say something, or name a 'message_id'")
    answer = runtime().store.write(
        lambda tx: service.add_note(tx, principal, task_id, body.text, body.message_id),
        principal.id,
    )
    return answer, 201
