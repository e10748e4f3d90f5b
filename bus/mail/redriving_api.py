"""The routes of what is done about mail later: take it back, see dead letters, send them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.mail import render, rules, service
from bus.mail.api import WRITERS
from bus.mail.model import FAILED
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("redriving")
CORRECTORS = (*WRITERS, "admin")
LARGEST = 2**63 - 1
"""What a place in the database can be."""


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose copies to take back, all where left out, and why."""

    to: str | list[str] | None = None
    reason: str = ""


class RedriveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose copies to send again, all that failed where left out; `ttl` in seconds from now."""

    to: str | list[str] | None = None
    ttl: float | None = None


def names(to: str | list[str] | None) -> list[str]:
    """Read one name, several, or none for all."""
    return [to] if isinstance(to, str) else list(to or ())


@calls.add(
    "POST",
    "/api/messages/<message_id>/cancel",
    who=CORRECTORS,
    summary="Take back what is not acked",
    body=CancelBody,
)
def cancel(principal: Principal, message_id: str) -> dict[str, Any]:
    body = read_json(CancelBody)
    to, reason = names(body.to), render.one_line(body.reason)
    return runtime().store.write(
        lambda tx: service.cancel(tx, principal, message_id, to, reason), principal.id
    )


@calls.add(
    "POST",
    "/api/messages/<message_id>/redrive",
    who=CORRECTORS,
    summary="Send again what failed of a message",
    body=RedriveBody,
)
def redrive(principal: Principal, message_id: str) -> dict[str, Any]:
    body = read_json(RedriveBody)
    to, expires_ms = names(body.to), read_ttl(body.ttl)
    return runtime().store.write(
        lambda tx: service.redrive(tx, principal, message_id, to, expires_ms), principal.id
    )


def read_ttl(seconds: float | None) -> int | None:
    """Read a new time to live as the time when it ends."""
    return rules.read_expiry({"ttl": seconds}, runtime().clock.now_ms())


class DeadQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters: in which state, to whom, ended since when, and how far one has come."""

    state: Literal["failed", "dead", "expired", "refused"] = "failed"
    agent: str | None = None
    since: str | None = None
    before: Annotated[int, msgspec.Meta(ge=1, le=LARGEST)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100

    def which(self) -> service.Which:
        """Give it as mail knows it."""
        states = FAILED if self.state == "failed" else (self.state,)
        since_ms = rules.read_time({"since": self.since}, ("since", ""), runtime().clock.now_ms())
        return service.Which(states, self.agent, since_ms, self.before, self.limit)


@calls.add(
    "GET",
    "/api/deliveries",
    who=CORRECTORS,
    summary="Dead letters: what ended without an ack",
    query=DeadQuery,
)
def dead(principal: Principal) -> dict[str, Any]:
    which = read_query(DeadQuery).which()
    with runtime().store.read() as conn:
        return service.list_dead(conn, principal, which)


class RedriveAllBody(DeadQuery, forbid_unknown_fields=True):
    """Which dead letters to send again: those that the list shows, at most so many at once."""

    ttl: float | None = None


@calls.add(
    "POST",
    "/api/deliveries/redrive",
    who=CORRECTORS,
    summary="Send dead letters again, a page at a time",
    body=RedriveAllBody,
)
def redrive_all(principal: Principal) -> dict[str, Any]:
    body = read_json(RedriveAllBody)
    which, expires_ms = body.which(), read_ttl(body.ttl)
    return runtime().store.write(
        lambda tx: service.redrive_all(tx, principal, which, expires_ms), principal.id
    )
