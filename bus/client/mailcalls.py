"""The calls about mail, each a method: typed arguments in, the JSON object of the answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.client.asking import Json


class MailCalls(Asking):
    """Sending, reading, answering, and what becomes of a message."""

    def send(self, message: Json | Sequence[Json], *, key: str | None = None) -> Json:
        """Send one message, or a list in one transaction.

        Without a `key` it gets one of its own, so that a send whose answer was lost is repeated
        without becoming two messages.
        """
        body = message if isinstance(message, dict) else list(message)
        return self._post_once("/api/send", body, key)

    def inbox(  # noqa: PLR0913 - the call's own parameters
        self,
        *,
        wait_s: int = 0,
        headers: bool = False,
        limit: int | None = None,
        max_bytes: int | None = None,
        message_id: str | None = None,
        text: bool = False,
    ) -> Json:
        """Read and lease what waits; `headers` leases nothing; `text` adds how a model reads it."""
        params = self._inbox_params(wait_s, limit, max_bytes, message_id)
        params |= {"view": "headers" if headers else None, "text": "1" if text else None}
        return self._ask(
            "GET",
            "/api/inbox",
            params=params,
            headers={"Accept": "application/json"},
            wait_s=wait_s,
            repeatable=True,
        )

    def inbox_text(
        self,
        *,
        wait_s: int = 0,
        limit: int | None = None,
        max_bytes: int | None = None,
        message_id: str | None = None,
    ) -> str:
        """Read and lease what waits, as the text that a model gets."""
        params = self._inbox_params(wait_s, limit, max_bytes, message_id)
        answer = self._http.call(
            "GET",
            "/api/inbox",
            params=params,
            headers={"Accept": "text/plain"},
            wait_s=wait_s,
            repeatable=True,
        )
        return answer.content.decode("utf-8", errors="replace")

    def ack(self, handles: Sequence[str]) -> Json:
        body = {"handles": list(handles)}
        return self._ask("POST", "/api/ack", json=body, repeatable=True)

    def release(self, handles: Sequence[str], mode: str, reason: str = "") -> Json:
        """Give items back; `mode` is silent, fail, fatal or refuse."""
        body = {"handles": list(handles), "mode": mode, "reason": reason}
        return self._ask("POST", "/api/release", json=body)

    def extend(self, handles: Sequence[str], lease_s: int | None = None) -> Json:
        body = present({"handles": list(handles), "lease_s": lease_s})
        return self._ask("POST", "/api/extend", json=body, repeatable=True)

    def reply(  # noqa: PLR0913 - the call's own fields
        self,
        handle: str,
        body: str,
        *,
        type: str | None = None,  # noqa: A002 - the name it has on the bus
        subject: str | None = None,
        reply_expected: bool | None = None,
        ack: bool = False,
        unless_replied: bool = False,
    ) -> Json:
        """Answer an item; the same answer again is still one reply."""
        fields = {
            "body": body,
            "type": type,
            "subject": subject,
            "reply_expected": reply_expected,
            "ack": ack,
        }
        return self._ask(
            "POST",
            f"/api/messages/{quote(handle, safe='')}/reply",
            params={"unless_replied": "1" if unless_replied else None},
            json=present(fields),
            repeatable=True,
        )

    def message(self, message_id: str) -> Json:
        """Give a message and its ladder."""
        return self._get(f"/api/messages/{quote(message_id, safe='')}")

    def history(self, other: str, limit: int = 5) -> Json:
        return self._get("/api/messages", {"with": other, "limit": limit})

    def cancel(self, message_id: str, to: Sequence[str] = (), reason: str = "") -> Json:
        """Take back what of a message is not acked; to nobody in particular means to all."""
        path = f"/api/messages/{quote(message_id, safe='')}/cancel"
        body = present({"to": list(to) or None, "reason": reason})
        return self._ask("POST", path, json=body, repeatable=True)

    def dead(self, **which: Any) -> Json:
        """List a page of dead letters: `state`, `agent`, `since`, `before`, `limit`."""
        return self._get("/api/deliveries", which)

    def redrive(self, message_id: str, to: Sequence[str] = (), ttl_s: float | None = None) -> Json:
        """Send again what failed of a message."""
        path = f"/api/messages/{quote(message_id, safe='')}/redrive"
        body = present({"to": list(to) or None, "ttl": ttl_s})
        return self._ask("POST", path, json=body)

    def redrive_all(self, **which: Any) -> Json:
        """Send a page of dead letters again: as `dead`, and `ttl`."""
        return self._ask("POST", "/api/deliveries/redrive", json=present(which))

    def release_thread(self, thread: str) -> Json:
        return self._ask("POST", f"/api/threads/{quote(thread, safe='')}/release", repeatable=True)

    def release_agent(self, name: str) -> Json:
        """Let an agent be woken again that the guard stopped."""
        return self._ask("POST", f"/api/agents/{quote(name, safe='')}/release", repeatable=True)

    def held(self, limit: int | None = None) -> Json:
        """List what the guard holds."""
        return self._get("/api/held", {"limit": limit})

    def cost(self, **which: Any) -> Json:
        """Sum what turns cost: `by`, `agent`, `thread`, `since`, `until`, `limit`."""
        return self._get("/api/cost", which)

    @staticmethod
    def _inbox_params(
        wait_s: int, limit: int | None, max_bytes: int | None, message_id: str | None
    ) -> Json:
        return {"wait": wait_s or None, "limit": limit, "max_bytes": max_bytes, "id": message_id}
