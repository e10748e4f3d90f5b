"""The calls about the board, each a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from bus.client.asking import Json


class BoardCalls(Asking):
    """Tasks: adding, listing, moving them, and writing on them."""

    def tasks(self, **which: Any) -> Json:
        """List a page of tasks: `status`, `holder`, `order`, `after`, ... as the call has them."""
        return self._get("/api/tasks", which)

    def task(self, task_id: str) -> Json:
        return self._get(f"/api/tasks/{quote(task_id, safe='')}")

    def add_task(self, title: str, *, key: str | None = None, **fields: Any) -> Json:
        """Add a task; without a `key` it gets one of its own, as a message does."""
        body = present({"title": title, **fields})
        return self._post_once("/api/tasks", body, key)

    def change_task(self, task_id: str, **fields: Any) -> Json:
        """Move a task by its `status`, with a `note`; or change what it says."""
        path = f"/api/tasks/{quote(task_id, safe='')}"
        return self._ask("PATCH", path, json=present(fields))

    def note_task(self, task_id: str, text: str, message_id: str | None = None) -> Json:
        body = present({"text": text, "message_id": message_id})
        return self._ask("POST", f"/api/tasks/{quote(task_id, safe='')}/notes", json=body)
