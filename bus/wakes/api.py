"""The routes of the wake ledger: a node's open wakes, and a watcher's reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import request

from bus.errors import InvalidRequestError
from bus.wakes import service
from bus.web.calls import Calls
from bus.web.request import int_arg, read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("wakes")
MAX_REASON = 1000


class ReportBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a watcher says of a wake."""

    state: str
    method: str = ""
    turn_id: str = ""
    reason: str = ""
    permanent: bool = False


@calls.add(
    "GET", "/api/wakes", who=("node", "agent", "person", "admin"), summary="Wakes and their ends"
)
def wakes(principal: Principal) -> dict[str, Any]:
    state, limit = request.args.get("state", "open"), int_arg("limit", 50, 1, 500)
    if state not in {"open", "all"}:
        raise InvalidRequestError("'state' is open or all")
    agent, only_open = request.args.get("agent"), state == "open"
    with runtime().store.read() as conn:
        return {"wakes": service.list_wakes(conn, principal, agent, limit, only_open=only_open)}


@calls.add(
    "POST", "/api/wakes/<wake_id>", who=("node",), summary="Report on a wake", body=ReportBody
)
def report(principal: Principal, wake_id: str) -> dict[str, Any]:
    body = read_json(ReportBody)
    if len(body.reason) > MAX_REASON:
        raise InvalidRequestError(f"'reason' has at most {MAX_REASON} characters")
    said = msgspec.structs.asdict(body)
    return runtime().store.write(
        lambda tx: service.report(tx, principal, wake_id, said), principal.id
    )
