"""The routes of approvals: ask, see, answer, take back; parse, call, answer."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.errors import UnknownRecipientError
from bus.mail.api import WRITERS, hinted, key_of
from bus.steering import rules, service
from bus.steering.model import EXPIRE, MAX_NOTE, USUAL_S, Asked
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime
from bus.web.waiting import LONGEST_WAIT_S, wait_until

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.steering.model import Ask

calls = Calls("approvals")
MOST_WORDS = 50


class AskBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked, which answers there are, and what it comes to when nobody answers."""

    title: str
    body: str = ""
    options: Annotated[list[str], msgspec.Meta(max_length=MOST_WORDS)] = []
    expires_in: float = USUAL_S
    on_expiry: str = EXPIRE
    run_id: str | None = None
    who: Annotated[list[str], msgspec.Meta(max_length=MOST_WORDS)] = []


class AskPersonBody(AskBody, kw_only=True):
    """The same, of one person and without a session."""

    to: str


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which of the options, and a word with it."""

    answer: str
    note: Annotated[str, msgspec.Meta(max_length=MAX_NOTE)] = ""


class WithdrawBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is not asked any more."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class ApprovalsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which approvals, and how far one has come."""

    state: Literal["open", "answered", "expired", "withdrawn", "dropped", "all"] = "open"
    session: str | None = None
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class ApprovalQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How long to wait for its end, in seconds."""

    wait: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)] = 0


def ask_of(body: AskBody) -> Ask:
    """Check what is asked."""
    fields = msgspec.structs.asdict(body)
    fields.pop("to", None)
    return rules.read_ask(fields)


@calls.add(
    "POST",
    "/api/sessions/<session_id>/approvals",
    who=WRITERS,
    summary="Ask a person first",
    body=AskBody,
    is_told=True,
)
def ask(principal: Principal, session_id: str) -> tuple[dict[str, Any], int]:
    asked = ask_of(read_json(AskBody))
    key = key_of(principal, f"approvals {session_id[:40]}")
    answer = runtime().store.write(
        lambda tx: service.ask(tx, principal, session_id, asked, key), principal.id
    )
    return answer, 201


@calls.add(
    "POST",
    "/api/approvals",
    who=WRITERS,
    summary="Ask one person first, without a session",
    body=AskPersonBody,
    is_told=True,
)
def ask_person(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(AskPersonBody)
    asked, key = ask_of(body), key_of(principal, "approvals")
    try:
        answer = runtime().store.write(
            lambda tx: service.ask_person(tx, principal, body.to, asked, key), principal.id
        )
    except UnknownRecipientError as error:
        raise hinted(principal, error) from error
    return answer, 201


@calls.add(
    "GET",
    "/api/approvals",
    who=WRITERS,
    summary="What is yours to answer, and what you asked",
    query=ApprovalsQuery,
)
def approvals(principal: Principal) -> dict[str, Any]:
    asked = Asked(**msgspec.structs.asdict(read_query(ApprovalsQuery)))
    with runtime().store.read() as conn:
        return service.list_approvals(conn, principal, asked)


@calls.add(
    "GET",
    "/api/approvals/<approval_id>",
    who=WRITERS,
    summary="An approval, now or at its end",
    query=ApprovalQuery,
)
def approval(principal: Principal, approval_id: str) -> dict[str, Any]:
    seconds = read_query(ApprovalQuery).wait
    with runtime().places.take(principal) if seconds else nullcontext():
        wait_until(
            principal,
            seconds,
            service.topic_of(approval_id),
            lambda conn: service.is_over(conn, principal, approval_id),
        )
    with runtime().store.read() as conn:
        return service.show(conn, principal, approval_id)


@calls.add(
    "POST",
    "/api/approvals/<approval_id>/answer",
    who=WRITERS,
    summary="Answer it, as a person",
    body=AnswerBody,
    is_told=True,
)
def answer(principal: Principal, approval_id: str) -> dict[str, Any]:
    body = read_json(AnswerBody)
    return runtime().store.write(
        lambda tx: service.answer(tx, principal, approval_id, body.answer, body.note), principal.id
    )


@calls.add(
    "POST",
    "/api/approvals/<approval_id>/withdraw",
    who=WRITERS,
    summary="Take back what you asked",
    body=WithdrawBody,
    is_told=True,
)
def withdraw(principal: Principal, approval_id: str) -> dict[str, Any]:
    reason = read_json(WithdrawBody).reason
    return runtime().store.write(
        lambda tx: service.withdraw(tx, principal, approval_id, reason), principal.id
    )
