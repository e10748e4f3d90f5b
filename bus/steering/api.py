"""The route of steering a session's work: stop, and also do this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.mail.api import WRITERS, key_of
from bus.mail.rules import count_bytes
from bus.sessions.rules import check_body
from bus.steering import rules, service
from bus.web.calls import Calls
from bus.web.request import read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("steering")
MOST_NAMES = 200


class SteerBody(msgspec.Struct, forbid_unknown_fields=True):
    """Stop, or also do this; whom it is for, or which run."""

    what: Literal["stop", "also"]
    body: str = ""
    to: str | Annotated[list[str], msgspec.Meta(max_length=MOST_NAMES)] = []
    run_id: str | None = None
    entry: str | None = None


@calls.add(
    "POST",
    "/api/sessions/<session_id>/steer",
    who=WRITERS,
    summary="Stop the work of a session, or have it do more",
    body=SteerBody,
    is_told=True,
)
def steer(principal: Principal, session_id: str) -> tuple[dict[str, Any], int]:
    body = read_json(SteerBody)
    count_bytes(body.body, "'body'")
    if body.body.strip():
        check_body(body.body, runtime().config.max_body_bytes)
    how = rules.read_steer(msgspec.structs.asdict(body))
    key = key_of(principal, f"steer {session_id[:40]}")
    answer = runtime().store.write(
        lambda tx: service.steer(tx, principal, session_id, how, key), principal.id
    )
    return answer, 201
