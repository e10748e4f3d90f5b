"""The calls about sessions, each a method."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bus.client.asking import Json


def path_of(session_id: str, *more: str) -> str:
    """Write the path of a session, or of something of it."""
    return "/".join(["/api/sessions", *(quote(part, safe="") for part in (session_id, *more))])


class SessionCalls(Asking):
    """Sessions: making them, who is in one, what is said there, and how far one has read."""

    def sessions(self, **which: Any) -> Json:
        """List a page of your sessions: `state`, `after`, `limit`."""
        return self._get("/api/sessions", which)

    def session(self, session_id: str) -> Json:
        return self._get(path_of(session_id))

    def new_session(
        self,
        title: str,
        participants: Sequence[str] = (),
        *,
        wake: str | None = None,
        key: str | None = None,
    ) -> Json:
        """Make a session; the agents among the participants are woken by `wake`."""
        invited = [present({"name": name, "wake": wake}) for name in participants]
        return self._post_once("/api/sessions", {"title": title, "participants": invited}, key)

    def change_session(self, session_id: str, **fields: Any) -> Json:
        """Rename a session by its `title`; close it or open it again by its `state`."""
        return self._ask("PATCH", path_of(session_id), json=present(fields))

    def invite(self, session_id: str, name: str, wake: str | None = None) -> Json:
        body = present({"name": name, "wake": wake})
        return self._ask("POST", path_of(session_id, "participants"), json=body)

    def leave_session(self, session_id: str, name: str = "me") -> Json:
        """Leave a session, or remove another from it."""
        return self._ask("DELETE", path_of(session_id, "participants", name))

    def set_wake(self, session_id: str, name: str, wake: str) -> Json:
        """Set by what an agent in a session is woken."""
        path = path_of(session_id, "participants", name)
        return self._ask("PATCH", path, json={"wake": wake})

    def say(self, session_id: str, body: str, *, key: str | None = None, **fields: Any) -> Json:
        """Say something: `to`, `in_reply_to`, `ack`; without a `key` it gets one of its own."""
        given = present({"body": body, **fields})
        return self._post_once(path_of(session_id, "entries"), given, key)

    def entries(self, session_id: str, **page: Any) -> Json:
        """Read a page of what was said: `before` or `after` a place, `limit`, `ack`."""
        return self._get(path_of(session_id, "entries"), page)

    def missed(self, session_id: str, **page: Any) -> str:
        """Read what you missed, as the text that a model gets."""
        headers = {"Accept": "text/plain"}
        path = path_of(session_id, "entries")
        return self._http.call("GET", path, params=page, headers=headers, repeatable=True).text

    def read_to(self, session_id: str, place: int) -> Json:
        """Take everything up to a place as read."""
        path = path_of(session_id, "cursor")
        return self._ask("POST", path, json={"place": place}, repeatable=True)

    def search_sessions(self, text: str, session_id: str | None = None, **page: Any) -> Json:
        """Find what was said, in one session or in all of yours: `after`, `limit`."""
        path = path_of("search") if session_id is None else path_of(session_id, "search")
        return self._get(path, {"q": text, **page})

    def export_session(self, session_id: str) -> Iterator[str]:
        """Give a session as the lines of one file."""
        answer = self._http.call("GET", path_of(session_id, "export"), repeatable=True)
        return (line.decode() + "\n" for line in answer.content.split(b"\n") if line)

    def import_session(self, text: str, *, key: str | None = None) -> Json:
        """Make a session of such a file; without a `key` it gets one of its own."""
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": key or str(uuid.uuid4()),
        }
        data = text.encode()
        path = path_of("import")
        return self._ask("POST", path, data=data, headers=headers, repeatable=True)
