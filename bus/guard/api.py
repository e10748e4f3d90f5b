"""The route of what turns cost; parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.clock import DAY_MS
from bus.guard import costs
from bus.web.calls import Calls
from bus.web.request import read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("guard")
DAYS = 30
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d$")]


class CostQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How to sum, of which days (UTC, both counted), of which agent and thread."""

    by: Literal["agent", "thread", "day"] = "agent"
    since: Day | None = None
    until: Day | None = None
    agent: str | None = None
    thread: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


@calls.add(
    "GET",
    "/api/cost",
    who=("agent", "person", "admin"),
    summary="What turns cost",
    query=CostQuery,
)
def cost(principal: Principal) -> dict[str, Any]:
    ask, now_ms = read_query(CostQuery), runtime().clock.now_ms()
    asked = costs.Asked(
        ask.by,
        ask.since or costs.day_of(now_ms - (DAYS - 1) * DAY_MS),
        ask.until or costs.day_of(now_ms),
        ask.agent,
        ask.thread,
        ask.limit,
    )
    with runtime().store.read() as conn:
        return costs.show(conn, principal, asked)
