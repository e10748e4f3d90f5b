"""The routes of outputs: begin to say something word by word, and end it; parse, call, answer.

The words themselves go to the stream, by the routes of durable streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.errors import InvalidRequestError
from bus.mail.api import WRITERS
from bus.sessions import outputs
from bus.sessions.model import OutputAsk
from bus.web.calls import Calls
from bus.web.request import read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("outputs")
Key = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[A-Za-z0-9_.-]*$")]


class OutputBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be said: for which wake or item, of which type, and how it is known to live.

    Who begins twice for the same `wake_id` or `handle` goes on; `resume` begins nothing.
    """

    wake_id: Key = ""
    handle: Key = ""
    content_type: str = "text/plain; charset=utf-8"
    lease_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 60
    resume: bool = False


class EndBody(msgspec.Struct, forbid_unknown_fields=True):
    """How it went, and why it broke off where it did."""

    state: Literal["closed", "failed"] = "closed"
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    epoch: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


@calls.add(
    "POST",
    "/api/sessions/<session_id>/outputs",
    who=WRITERS,
    summary="Begin to say something word by word",
    body=OutputBody,
    is_told=True,
)
def begin(principal: Principal, session_id: str) -> tuple[dict[str, Any], int]:
    body = read_json(OutputBody)
    if body.wake_id and body.handle:
        raise InvalidRequestError("give 'wake_id' or 'handle': it is said for one of them")
    key = body.wake_id or body.handle
    if body.resume and not key:
        raise InvalidRequestError("'resume' goes with the 'wake_id' or 'handle' it was begun for")
    wanted = OutputAsk(key, outputs.check_type(body.content_type), body.lease_s, body.resume)
    opened = runtime().store.write(
        lambda tx: outputs.open_output(tx, principal, session_id, wanted), principal.id
    )
    return with_url(opened.shown), 201 if opened.is_new else 200


@calls.add(
    "POST",
    "/api/sessions/<session_id>/outputs/<entry_id>/end",
    who=WRITERS,
    summary="End what is being said, or say that it broke off",
    body=EndBody,
    is_told=True,
)
def end(principal: Principal, session_id: str, entry_id: str) -> dict[str, Any]:
    body = read_json(EndBody)
    failure = body.reason or "no reason given" if body.state == "failed" else None
    shown = runtime().store.write(
        lambda tx: outputs.end_output(tx, principal, session_id, entry_id, failure, body.epoch),
        principal.id,
    )
    return with_url(shown)


def with_url(shown: dict[str, Any]) -> dict[str, Any]:
    """Say where the words go, by the bus's own address."""
    return shown | {"url": f"{runtime().config.url}/streams/{shown['stream']}"}
