"""The routes of the wake ledger: a node's open wakes, and a watcher's reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.errors import InvalidRequestError
from bus.guard.model import MOST_TOKENS, MOST_USD
from bus.wakes import service
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("wakes")
MAX_REASON = 1000


Word = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[ -~]*$")]
"""What a watcher names: printable ASCII, since it stands in logs and traces."""


Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class ReportBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a watcher says of a wake."""

    state: str
    method: Word = ""
    turn_id: Word = ""
    reason: str = ""
    permanent: bool = False
    shown: bool = False
    tokens_in: Tokens | None = None
    tokens_out: Tokens | None = None
    cost_usd: Annotated[float, msgspec.Meta(ge=0, le=MOST_USD)] | None = None


class WakesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which wakes to list."""

    agent: str | None = None
    state: Literal["open", "all"] = "open"
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50


@calls.add(
    "GET",
    "/api/wakes",
    who=("node", "agent", "person", "admin"),
    summary="Wakes and their ends",
    query=WakesQuery,
)
def wakes(principal: Principal) -> dict[str, Any]:
    ask = read_query(WakesQuery)
    with runtime().store.read() as conn:
        shown = service.list_wakes(
            conn, principal, ask.agent, ask.limit, only_open=ask.state == "open"
        )
    return {"wakes": shown}


class HeldQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many held threads to list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


@calls.add(
    "GET",
    "/api/held",
    who=("agent", "person", "admin"),
    summary="What the guard holds",
    query=HeldQuery,
)
def held(principal: Principal) -> dict[str, Any]:
    ask = read_query(HeldQuery)
    with runtime().store.read() as conn:
        return service.list_held(conn, principal, ask.limit)


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


@calls.add(
    "POST",
    "/api/agents/<name>/release",
    who=("person", "admin"),
    summary="Let an agent be woken again that the guard stopped",
)
def release_agent(principal: Principal, name: str) -> dict[str, Any]:
    return runtime().store.write(
        lambda tx: service.release_agent(tx, principal, name), principal.id
    )
