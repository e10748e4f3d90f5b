"""The routes of runs for those who dispatch: dispatch, list, look, take back.

What a node does with a run is in `node_api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response, jsonify

from bus.errors import InvalidRequestError, UnknownRecipientError
from bus.mail import service as mail
from bus.mail.api import WRITERS, hinted, key_of
from bus.runs import rules, service
from bus.runs.model import NOTE, Batch, Limits
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("runs")
STATE = Literal[
    "open", "all", "submitted", "queued", "working", "completed", "failed", "timed_out",
    "cancelled", "lost",
]  # fmt: skip
MAX_REASON = 1000


class RunBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One run to dispatch; the second group of names is what OpenClaw uses."""

    worker: str | None = None
    task: str | None = None
    label: str | None = None
    run_timeout_seconds: float | None = None
    size: str | None = None
    cleanup: str | None = None
    output: str | None = None
    model: str | None = None
    verify: str | None = None
    task_id: str | None = None
    notify: str | None = None
    session: str | None = None

    agentId: str | None = None  # noqa: N815 - OpenClaw's name
    runTimeoutSeconds: float | None = None  # noqa: N815 - OpenClaw's name
    mode: str | None = None
    detach: bool | None = None

    def given(self) -> dict[str, Any]:
        """List what was given."""
        fields = msgspec.structs.asdict(self)
        return {name: value for name, value in fields.items() if value is not None}


class DispatchBody(RunBody):
    """One run, perhaps for a group that is not reported yet; or several, as a group."""

    group: str | None = None
    runs: list[RunBody] | None = None
    report: str | None = None


DISPATCHED = DispatchBody | list[RunBody]


def read_batch(given: DispatchBody | list[RunBody]) -> tuple[Batch, str | None]:
    """Read one run or a group; gives also the group that one joins."""
    config = runtime().config
    limits = Limits(config.max_body_bytes, config.run_longest_s, config.max_batch)
    if isinstance(given, list):
        return rules.read_batch([one.given() for one in given], "all", limits), None
    fields = given.given()
    join, several, report = (fields.pop(name, None) for name in ("group", "runs", "report"))
    if several is None:
        if report is not None:
            raise InvalidRequestError("'report' is for 'runs', a list that is a group")
        return Batch((rules.read_order(fields, limits),)), join
    if fields or join:
        raise InvalidRequestError("'runs' stands with 'report' alone; each run has its own fields")
    return rules.read_batch(
        [one.given() for one in given.runs or []], report or "all", limits
    ), None


@calls.add(
    "POST",
    "/api/runs",
    who=WRITERS,
    summary="Dispatch one run or a group",
    body=DISPATCHED,
    is_told=True,
)
def dispatch(principal: Principal) -> tuple[dict[str, Any], int]:
    given = read_json(DISPATCHED)
    key = key_of(principal, "runs")
    if key is not None:
        with runtime().store.read() as conn:
            kept = mail.replay(conn, key)
        if kept is not None:
            return kept, 202
    batch, join = read_batch(given)
    try:
        answer = runtime().store.write(
            lambda tx: service.dispatch(tx, principal, batch, join=join, key=key), principal.id
        )
    except UnknownRecipientError as error:
        raise hinted(principal, error) from error
    return answer, 202


class RunsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which runs to list."""

    parent: str | None = None
    worker: str | None = None
    state: STATE = "open"
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    after: str | None = None


@calls.add(
    "GET",
    "/api/runs",
    who=(*WRITERS, "admin", "node"),
    summary="Runs and what became of them",
    query=RunsQuery,
)
def runs(principal: Principal) -> dict[str, Any]:
    ask = read_query(RunsQuery)
    with runtime().store.read() as conn:
        if principal.node_id is not None:
            return {"runs": service.list_for_node(conn, principal.node_id), "next": None}
        asked = service.Asked(**msgspec.structs.asdict(ask))
        shown, more = service.list_runs(conn, principal, asked)
    return {"runs": shown, "next": more}


@calls.add("GET", "/api/runs/<run_id>", who=(*WRITERS, "admin"), summary="Where a run is")
def show(principal: Principal, run_id: str) -> Response:
    run = runtime()
    with run.store.read() as conn:
        shown, again_s = service.show_one(
            conn, principal, run_id, run.clock.now_ms(), run.presence.is_online
        )
    if again_s is None:
        return jsonify(shown)
    answer = jsonify(shown | {"retry_after_s": again_s, "note": NOTE})
    answer.headers["Retry-After"] = str(again_s)
    return answer


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why a run is taken back."""

    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""


@calls.add(
    "POST",
    "/api/runs/<run_id>/cancel",
    who=(*WRITERS, "admin"),
    summary="Take a run back",
    body=CancelBody,
)
def cancel(principal: Principal, run_id: str) -> dict[str, Any]:
    reason = mail.one_line(read_json(CancelBody).reason)
    return runtime().store.write(
        lambda tx: service.cancel(tx, principal, run_id, reason), principal.id
    )
