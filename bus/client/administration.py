"""The calls about who there is and who may do what, each a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.client.asking import Json


class AdministrationCalls(Asking):
    """Agents, people, groups, nodes and tokens."""

    def agents(self) -> Json:
        return self._get("/api/agents")

    def agent(self, name: str) -> Json:
        return self._get(f"/api/agents/{quote(name, safe='')}")

    def add_agent(self, name: str, **fields: Any) -> Json:
        return self._ask("POST", "/api/agents", json={"name": name, **fields})

    def change_agent(self, agent: str, /, **fields: Any) -> Json:
        """Change what is given; `name` renames it."""
        return self._ask("PATCH", f"/api/agents/{quote(agent, safe='')}", json=fields)

    def sign_in(self, name: str) -> Json:
        """Make a code by which a person's browser signs in, once, and the link with it."""
        return self._ask("POST", f"/api/people/{quote(name, safe='')}/sign-in")

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
        return self._ask("POST", "/api/nodes", json=present(body))

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
