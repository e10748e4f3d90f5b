"""The routes of who is in a session: take somebody in, by what it is woken, leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bus.errors import UnknownRecipientError
from bus.mail.api import WRITERS, hinted
from bus.sessions import rules, service
from bus.sessions.api import ParticipantBody
from bus.web.calls import Calls
from bus.web.request import read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("participants")


class WakeBody(msgspec.Struct, forbid_unknown_fields=True):
    """By what an agent is woken."""

    wake: str


@calls.add(
    "POST",
    "/api/sessions/<session_id>/participants",
    who=WRITERS,
    summary="Take somebody in",
    body=ParticipantBody,
)
def invite(principal: Principal, session_id: str) -> tuple[dict[str, Any], int]:
    body = read_json(ParticipantBody)
    invited = [service.Invited(body.name, body.wake)]
    try:
        answer = runtime().store.write(
            lambda tx: service.invite(tx, principal, session_id, invited), principal.id
        )
    except UnknownRecipientError as error:
        raise hinted(principal, error) from error
    return answer, 201 if answer["invited"] else 200


@calls.add(
    "PATCH",
    "/api/sessions/<session_id>/participants/<name>",
    who=WRITERS,
    summary="By what an agent in it is woken",
    body=WakeBody,
)
def set_wake(principal: Principal, session_id: str, name: str) -> dict[str, Any]:
    wake = rules.check_wake(read_json(WakeBody).wake)
    return runtime().store.write(
        lambda tx: service.set_wake(tx, principal, session_id, name, wake), principal.id
    )


@calls.add(
    "DELETE",
    "/api/sessions/<session_id>/participants/<name>",
    who=WRITERS,
    summary="Leave a session, or remove another from it",
)
def leave(principal: Principal, session_id: str, name: str) -> dict[str, Any]:
    return runtime().store.write(
        lambda tx: service.leave(tx, principal, session_id, name), principal.id
    )
