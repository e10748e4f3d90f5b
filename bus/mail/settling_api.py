"""The routes of what a reader does with its items: ack, release, extend, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import request

from bus.errors import EndedError, FencedError, InvalidRequestError, UnknownHandleError
from bus.mail import render, rules, service
from bus.mail.api import WRITERS, limits
from bus.mail.model import LONGEST_LEASE_S, Draft
from bus.web.calls import Calls
from bus.web.request import check_together, read_body, read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("settling")
WORST = {"fenced": FencedError, "ended": EndedError, "unknown": UnknownHandleError}


class HandlesBody(msgspec.Struct, forbid_unknown_fields=True):
    """One handle or several."""

    handle: str | None = None
    handles: list[str] | None = None
    mode: str = "fail"
    reason: str = ""
    lease_s: int | None = None

    def given(self) -> list[str]:
        """List the handles."""
        handles = [self.handle] if self.handle else self.handles
        if not handles:
            raise InvalidRequestError('give "handle" or "handles" (GET /api/inbox shows them)')
        check_together(len(handles), "handles")
        return list(dict.fromkeys(handles))


def settle(results: list[dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """Answer with a result a handle; the worst of them is the status."""
    for word, error in WORST.items():
        bad = [result for result in results if result["result"] == word]
        if bad:
            detail = error.__doc__ or ""
            raise error(f"{bad[0]['handle']}: {detail}", results=results)
    return {"results": results}, 200


@calls.add("POST", "/api/ack", who=WRITERS, summary="End items as done", body=HandlesBody)
def ack(principal: Principal) -> tuple[dict[str, Any], int]:
    handles = read_json(HandlesBody).given()
    return settle(
        runtime().store.write(lambda tx: service.ack(tx, principal, handles), principal.id)
    )


@calls.add("POST", "/api/release", who=WRITERS, summary="Give items back", body=HandlesBody)
def release(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(HandlesBody)
    handles = body.given()
    if body.mode not in {"silent", "fail", "fatal", "refuse"}:
        raise InvalidRequestError("'mode' is silent, fail, fatal or refuse")
    reason = render.one_line(body.reason)
    results = runtime().store.write(
        lambda tx: service.release(tx, principal, handles, body.mode, reason), principal.id
    )
    return settle(results)


@calls.add("POST", "/api/extend", who=WRITERS, summary="Lengthen leases", body=HandlesBody)
def extend(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(HandlesBody)
    handles = body.given()
    lease_s = body.lease_s or runtime().config.lease_s
    if not 1 <= lease_s <= LONGEST_LEASE_S:
        raise InvalidRequestError(f"'lease_s' is 1 to {LONGEST_LEASE_S} seconds")
    results = runtime().store.write(
        lambda tx: service.extend(tx, principal, handles, lease_s), principal.id
    )
    return settle(results)


class ReplyBody(msgspec.Struct, forbid_unknown_fields=True):
    """An answer, as JSON; plain text does as well."""

    body: Any
    type: str = "REPLY"
    subject: str = ""
    reply_expected: bool = False
    ack: bool = False


class ReplyQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Whether an answer carries its ack, and whether it is only for want of another."""

    ack: bool = False
    unless_replied: bool = False


def read_reply() -> tuple[Draft, bool]:
    """Read an answer, plain text or JSON, and whether its body says that it carries its ack."""
    if request.mimetype == "application/json":
        given = read_json(ReplyBody)
    else:
        # curl's own default type is a form's; what was sent is still the answer's text.
        try:
            given = ReplyBody(read_body().decode())
        except UnicodeDecodeError as error:
            raise InvalidRequestError("the answer is not UTF-8 text") from error
    draft = Draft(
        to=(),
        body=rules.read_body(given.body, limits()),
        type=rules.read_type(given.type),
        subject=rules.read_subject(given.subject),
        reply_expected=given.reply_expected,
    )
    return draft, given.ack


@calls.add(
    "POST",
    "/api/messages/<handle>/reply",
    who=WRITERS,
    summary="Answer an item",
    body=ReplyBody,
    query=ReplyQuery,
)
def reply(principal: Principal, handle: str) -> tuple[dict[str, Any], int]:
    query = read_query(ReplyQuery)
    draft, acks = read_reply()
    acks, unless = acks or query.ack, query.unless_replied
    answer = runtime().store.write(
        lambda tx: service.reply(tx, principal, handle, draft, acks=acks, unless_replied=unless),
        principal.id,
    )
    return answer, 202 if answer["status"] == "accepted" else 200
