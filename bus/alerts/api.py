"""The routes of alerts; parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.alerts import rules, service
from bus.alerts.model import MAX_REASON
from bus.mail import service as mail
from bus.mail.api import WRITERS, key_of
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("alerts")
READERS = (*WRITERS, "admin")


class AlertBody(msgspec.Struct, forbid_unknown_fields=True):
    """An alert to raise."""

    severity: str
    subject: str
    body: str = ""
    about: str = ""


class SettleBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why an alert is over."""

    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""


class AlertsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which alerts, and how far one has come."""

    state: Literal["open", "all"] = "open"
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


@calls.add("POST", "/api/alerts", who=WRITERS, summary="Raise an alert", body=AlertBody)
def raise_alert(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(AlertBody)
    draft = rules.read_draft(body.severity, body.subject, body.body, body.about)
    key = key_of(principal, "alerts")
    answer = runtime().store.write(
        lambda tx: service.raise_alert(tx, principal, draft, key), principal.id
    )
    return answer, 201


@calls.add("GET", "/api/alerts", who=READERS, summary="Alerts, a page of them", query=AlertsQuery)
def alerts(principal: Principal) -> dict[str, Any]:
    query = read_query(AlertsQuery)
    with runtime().store.read() as conn:
        return service.list_alerts(
            conn, principal, every=query.state == "all", after=query.after, limit=query.limit
        )


@calls.add("GET", "/api/alerts/<alert_id>", who=READERS, summary="An alert with its text")
def alert(principal: Principal, alert_id: str) -> dict[str, Any]:
    with runtime().store.read() as conn:
        return service.show_alert(conn, principal, alert_id)


@calls.add(
    "POST", "/api/alerts/<alert_id>/settle", who=READERS, summary="End an alert", body=SettleBody
)
def settle(principal: Principal, alert_id: str) -> dict[str, Any]:
    reason = mail.one_line(read_json(SettleBody).reason)
    return runtime().store.write(
        lambda tx: service.settle(tx, principal, alert_id, reason), principal.id
    )
