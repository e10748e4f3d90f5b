"""Every call of the bus as one method: typed arguments in, the JSON object of the answer out.

It knows the names of the calls and nothing of how an answer is shown.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from bus.client.events import EventParser, Follower
from bus.client.transport import ANSWER_TIMEOUT_S, Transport, json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from requests import Session

    from bus.client.events import Event

Json = dict[str, Any]
SILENCE_S = 45.0
"""Three heartbeats: after so long without a byte a stream is taken for dead."""


class BusClient:
    """A client of one bus with one token; every method raises `ClientError` when refused.

    Good for one thread. Use it as a context manager, or close it.
    """

    def __init__(
        self,
        url: str,
        token: str,
        session: Session | None = None,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Take the bus's address and a token; a session only where it needs settings of its own."""
        self._http = Transport(url, token, session, timeout_s=timeout_s)

    @property
    def url(self) -> str:
        """The bus's address, without a slash at its end."""
        return self._http.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- mail ---

    def send(self, message: Json | Sequence[Json], *, key: str | None = None) -> Json:
        """Send one message, or a list in one transaction.

        Without a `key` it gets one of its own, so that a send whose answer was lost is repeated
        without becoming two messages.
        """
        body = message if isinstance(message, dict) else list(message)
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self._ask("POST", "/api/send", json=body, headers=headers, repeatable=True)

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
        body = present_fields({"handles": list(handles), "lease_s": lease_s})
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
            json=present_fields(fields),
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
        body = present_fields({"to": list(to) or None, "reason": reason})
        return self._ask("POST", path, json=body, repeatable=True)

    def dead(self, **which: Any) -> Json:
        """List a page of dead letters: `state`, `agent`, `since`, `before`, `limit`."""
        return self._get("/api/deliveries", which)

    def redrive(self, message_id: str, to: Sequence[str] = (), ttl_s: float | None = None) -> Json:
        """Send again what failed of a message."""
        path = f"/api/messages/{quote(message_id, safe='')}/redrive"
        body = present_fields({"to": list(to) or None, "ttl": ttl_s})
        return self._ask("POST", path, json=body)

    def redrive_all(self, **which: Any) -> Json:
        """Send a page of dead letters again: as `dead`, and `ttl`."""
        return self._ask("POST", "/api/deliveries/redrive", json=present_fields(which))

    def release_thread(self, thread: str) -> Json:
        return self._ask("POST", f"/api/threads/{quote(thread, safe='')}/release", repeatable=True)

    # --- what happens ---

    def tail(
        self,
        start: str = "",
        *,
        instance: str | None = None,
        silence_s: float = SILENCE_S,
        beats: bool = False,
        broken: Callable[[str, float, str], None] = lambda _why, _pause_s, _code: None,
    ) -> Iterator[Event]:
        """Follow the stream for ever, from a cursor, `earliest`, `now`, or what is pending.

        `broken(why, pause_s, code)` is told before each reconnection and may raise to stop. With
        `beats` the heartbeats of a silent stream come too, as events of that kind without data.
        """
        params = {"instance": instance}
        follower = Follower(
            connect=lambda cursor: self._http.open_stream(params, cursor, silence_s),
            broken=broken,
            parser=EventParser(cursor=start, has_beats=beats),
        )
        return follower.events()

    def wakes(
        self, *, agent: str | None = None, every: bool = False, limit: int | None = None
    ) -> Json:
        """List the open wakes, or with `every` the closed ones too."""
        params = {"agent": agent, "state": "all" if every else None, "limit": limit}
        return self._get("/api/wakes", params)

    # --- who ---

    def whoami(self) -> Json:
        return self._get("/api/whoami")

    def ready(self) -> Json:
        """Say how a bus stands that takes work; `ClientError` when it does not, or is away."""
        return json_object(self._http.call("GET", "/readyz"))

    def is_alive(self) -> bool:
        """Say whether what answers is a bus; `ClientError` when nothing does."""
        answer = json_object(self._http.call("GET", "/healthz"))
        return answer.get("status") == "ok" and "version" in answer

    def agents(self) -> Json:
        return self._get("/api/agents")

    def agent(self, name: str) -> Json:
        return self._get(f"/api/agents/{quote(name, safe='')}")

    def add_agent(self, name: str, **fields: Any) -> Json:
        return self._ask("POST", "/api/agents", json={"name": name, **fields})

    def change_agent(self, agent: str, /, **fields: Any) -> Json:
        """Change what is given; `name` renames it."""
        return self._ask("PATCH", f"/api/agents/{quote(agent, safe='')}", json=fields)

    def remove_agent(self, name: str) -> Json:
        return self._ask("DELETE", f"/api/agents/{quote(name, safe='')}")

    def groups(self) -> Json:
        return self._get("/api/groups")

    def add_group(self, name: str, members: Sequence[str]) -> Json:
        return self._ask("POST", "/api/groups", json={"name": name, "members": list(members)})

    def set_group(self, name: str, members: Sequence[str]) -> Json:
        path = f"/api/groups/{quote(name, safe='')}"
        return self._ask("PUT", path, json={"members": list(members)})

    def remove_group(self, name: str) -> Json:
        return self._ask("DELETE", f"/api/groups/{quote(name, safe='')}")

    def nodes(self) -> Json:
        return self._get("/api/nodes")

    def add_node(self, name: str, agents: Sequence[str], url: str | None = None) -> Json:
        """Add a node for these agents, made where absent; gives its enrolment code."""
        body = {"name": name, "agents": list(agents), "url": url}
        return self._ask("POST", "/api/nodes", json=present_fields(body))

    def new_code(self, node: str) -> Json:
        return self._ask("POST", f"/api/nodes/{quote(node, safe='')}/code")

    def rename_node(self, name: str, new: str) -> Json:
        return self._ask("PATCH", f"/api/nodes/{quote(name, safe='')}", json={"name": new})

    def remove_node(self, name: str, *, force: bool = False, move_to: str | None = None) -> Json:
        params = {"force": "1" if force else None, "move_to": move_to}
        return self._ask("DELETE", f"/api/nodes/{quote(name, safe='')}", params=params)

    def tokens(self) -> Json:
        return self._get("/api/tokens")

    def new_token(self, kind: str, subject: str = "", label: str = "") -> Json:
        """Make a token; the answer is the only place where it is ever shown."""
        body = {"kind": kind, "subject": subject, "label": label}
        return self._ask("POST", "/api/tokens", json=body)

    def rotate_token(self, kind: str, subject: str, grace_s: float, *, here: bool = False) -> Json:
        """Have a new token take the place of the old ones, which go on for a while."""
        body = {"kind": kind, "subject": subject, "grace_s": round(grace_s), "here": here}
        return self._ask("POST", "/api/tokens/rotate", json=body)

    def revoke_token(self, token_id: str) -> Json:
        return self._ask("DELETE", f"/api/tokens/{quote(token_id, safe='')}")

    def compartments(self) -> Json:
        return self._get("/api/compartments")

    # --- how ---

    def _get(self, path: str, params: Json | None = None) -> Json:
        return self._ask("GET", path, params=params, repeatable=True)

    def _ask(self, method: str, path: str, **request: Any) -> Json:
        return json_object(self._http.call(method, path, **request))

    @staticmethod
    def _inbox_params(
        wait_s: int, limit: int | None, max_bytes: int | None, message_id: str | None
    ) -> Json:
        return {"wait": wait_s or None, "limit": limit, "max_bytes": max_bytes, "id": message_id}


def present_fields(fields: Json) -> Json:
    """Leave out what was not given."""
    return {name: value for name, value in fields.items() if value is not None}
