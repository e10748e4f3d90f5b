"""The calls about alerts, each a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from bus.client.asking import Json


class AlertCalls(Asking):
    """Alerts: raising, seeing and settling them."""

    def alerts(self, **which: Any) -> Json:
        """List a page of alerts: `state`, `after`, `limit` as the call has them."""
        return self._get("/api/alerts", which)

    def alert(self, alert_id: str) -> Json:
        return self._get(f"/api/alerts/{quote(alert_id, safe='')}")

    def raise_alert(
        self, severity: str, subject: str, *, key: str | None = None, **fields: Any
    ) -> Json:
        """Raise an alert; without a `key` it gets one of its own, as a message does."""
        body = present({"severity": severity, "subject": subject, **fields})
        return self._post_once("/api/alerts", body, key)

    def settle_alert(self, alert_id: str, reason: str = "") -> Json:
        path = f"/api/alerts/{quote(alert_id, safe='')}/settle"
        return self._ask("POST", path, json={"reason": reason})
