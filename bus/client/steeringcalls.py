"""The calls about approvals and steering, each a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.sessioncalls import path_of
from bus.client.transport import present

if TYPE_CHECKING:
    from bus.client.asking import Json


class SteeringCalls(Asking):
    """What one asks people first, what they say to it, and how work is stopped or added to."""

    def ask_first(
        self, session_id: str, title: str, *, key: str | None = None, **fields: Any
    ) -> Json:
        """Ask in a session; without a `key` it gets one of its own, as a message does."""
        body = present({"title": title, **fields})
        return self._post_once(path_of(session_id, "approvals"), body, key)

    def ask_person_first(
        self, person: str, title: str, *, key: str | None = None, **fields: Any
    ) -> Json:
        """Ask one person, in the session of the two."""
        body = present({"to": person, "title": title, **fields})
        return self._post_once("/api/approvals", body, key)

    def approvals(self, **which: Any) -> Json:
        """List a page of what is yours to answer or asked by you: `state`, `session`, `after`."""
        return self._get("/api/approvals", which)

    def approval(self, approval_id: str, wait_s: int = 0) -> Json:
        """Give an approval, with `wait_s` when it has come to its end or after that time."""
        path = f"/api/approvals/{quote(approval_id, safe='')}"
        params = {"wait": wait_s or None}
        return self._ask("GET", path, params=params, wait_s=wait_s, repeatable=True)

    def answer_approval(self, approval_id: str, answer: str, note: str = "") -> Json:
        path = f"/api/approvals/{quote(approval_id, safe='')}/answer"
        return self._ask("POST", path, json={"answer": answer, "note": note}, repeatable=True)

    def withdraw_approval(self, approval_id: str, reason: str = "") -> Json:
        path = f"/api/approvals/{quote(approval_id, safe='')}/withdraw"
        return self._ask("POST", path, json={"reason": reason}, repeatable=True)

    def steer(self, session_id: str, what: str, *, key: str | None = None, **fields: Any) -> Json:
        """Stop the work of a session, or have it do more: `body`, `to`, `run_id`, `entry`."""
        body = present({"what": what, **fields})
        return self._post_once(path_of(session_id, "steer"), body, key)
