"""What alerts tell in a brief: those that are open, since whenever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.alerts.model import CRITICAL, RAISED
from bus.alerts.showing import list_alerts
from bus.clock import from_text
from bus.mail.rules import quote
from bus.sections import Entry, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sections import Span

QUOTED = 160
MOST = 200
"""So many alerts are looked at, the newest."""
WHERE = ("bus alert list", "/api/alerts")


def tell(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell which alerts are open that somebody may see.

    One that the bus began for a task, and that has not gone to anybody yet, is no news beside it.
    """
    page = list_alerts(conn, principal, every=False, after=None, limit=MOST)
    is_cut = page["next"] is not None
    alerts = [one for one in page["alerts"] if one["told"] or one["cause"] == RAISED]
    grave = [one for one in alerts if one["severity"] == CRITICAL]
    others = [one for one in alerts if one["severity"] != CRITICAL]
    first, then = tell_of(grave, span), tell_of(others, span)
    return [
        Section("critical", "critical alerts", 4, first, len(grave), is_cut, *WHERE),
        Section("alerts", "open alerts", 5, then, len(others), is_cut, *WHERE),
    ]


def tell_of(alerts: Sequence[dict[str, Any]], span: Span) -> tuple[Entry, ...]:
    """Tell of some alerts, a line each; what is of a task stands with that task."""
    return tuple(
        Entry(
            from_text(one["at"]),
            line_of(one),
            one["id"] if one["cause"] == RAISED or not one["about"] else one["about"],
        )
        for one in alerts[: span.most]
    )


def line_of(alert: dict[str, Any]) -> str:
    """Write who raised it, and with whom it is now; its subject is another's words."""
    told = alert["told"][-1]["to"] if alert["told"] else "nobody"
    what = f"{alert['severity']} by {alert['by']}: {quote(alert['subject'], QUOTED)}"
    return f"{what}, last told: {told} ({alert['id']})"
