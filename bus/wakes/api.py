"""The routes of the wake ledger: a node's open wakes, and a watcher's reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import request

from bus.directory import service as directory
from bus.errors import InvalidRequestError
from bus.wakes import queries, service
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
    only_open = request.args.get("state", "open") == "open"
    limit = int_arg("limit", 50, 1, 500)
    with runtime().store.read() as conn:
        if principal.node_id is not None:
            rows = queries_of_node(conn, principal.node_id)
        else:
            visible = directory.visible(conn, principal)
            if principal.kind == "agent":
                visible = [one for one in visible if one.id == principal.participant_id]
            name = request.args.get("agent")
            ids = [one.id for one in visible if name in {None, one.name}]
            rows = list(queries.recent(conn, ids, limit, only_open=only_open))
        return {"wakes": [service.show(conn, row) for row in rows]}


def queries_of_node(conn: Any, node_id: int) -> list[Any]:
    """List what a watcher must find again after it was away."""
    return list(queries.open_of_node(conn, node_id))


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
