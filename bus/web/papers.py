"""By what a request shows who it is, and who that was found to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from bus.access import service as access
from bus.errors import UnauthorizedError
from bus.ids import hash_secret
from bus.web.runtime import runtime

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.live.hub import Hub
    from bus.store.store import Store

MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Papers:
    """What a request showed; a stream shows it again while it is open."""

    config: Config
    authorization: str
    shared_secret: str
    agent: str

    def find(self, conn: sa.Connection) -> Principal:
        """Find the principal, as it is now.

        Raises:
            UnauthorizedError: they are not, or no longer, good.
        """
        return access.authenticate(
            conn, self.config, self.authorization, self.shared_secret, self.agent
        )

    def changed(self, conn: sa.Connection, principal: Principal) -> str:
        """Say what has become of a principal since: `revoked`, `changed` or nothing."""
        try:
            return "" if self.find(conn) == principal else "changed"
        except UnauthorizedError:
            return "revoked"


def papers_of_request() -> Papers:
    """Keep by what this request shows who it is."""
    names = ("HTTP_AUTHORIZATION", "HTTP_X_SHARED_SECRET", "HTTP_X_AGENT")
    shown = request.environ
    return Papers(runtime().config, *(shown.get(name, "") for name in names))


class Known:
    """Whose papers were found good, as long as nobody's rights have changed.

    Whatever changes what papers are worth tells the hub so after its COMMIT and before its answer.
    """

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store, self._hub = store, hub
        self._rights = hub.rights
        self._found: dict[str, Principal] = {}

    def find(self, papers: Papers) -> Principal:
        """Find the principal of papers.

        Raises:
            UnauthorizedError: they are not, or no longer, good.
        """
        # Before the database is read: what it says is of no use after a change meanwhile.
        rights = self._hub.rights
        if rights != self._rights:
            self._rights = rights
            self._found.clear()
        # No secret stays in memory for it.
        shown = papers.authorization or f"{papers.shared_secret}\0{papers.agent}"
        key = hash_secret(shown)
        principal = self._found.get(key)
        if principal is None:
            with self._store.read() as conn:
                principal = papers.find(conn)
            if rights == self._rights:
                self._keep(key, principal)
        return principal

    def _keep(self, key: str, principal: Principal) -> None:
        if len(self._found) >= MOST_KNOWN:
            self._found.clear()
        self._found[key] = principal
