"""By what a request shows who it is, and who that was found to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bus.access import service as access
from bus.errors import UnauthorizedError
from bus.ids import hash_secret
from bus.web.cookies import check_csrf, read_cookie
from bus.web.request import the_request
from bus.web.runtime import runtime

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.live.hub import Hub
    from bus.store.store import Store

MOST_KNOWN = 10_000


class Papers(NamedTuple):
    """What a request showed; a stream shows it again while it is open."""

    config: Config
    authorization: str
    shared_secret: str
    agent: str
    cookie: str = ""
    """A browser's token; only where it showed nothing else."""

    def find(self, conn: sa.Connection) -> Principal:
        """Find the principal, as it is now.

        Raises:
            UnauthorizedError: they are not, or no longer, good.
        """
        if self.cookie:
            principal = access.by_token(conn, f"Bearer {self.cookie}")
            if principal.kind != "person":
                raise UnauthorizedError("a page is for people; show an agent's token as a header")
            return principal
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
    shown, config = the_request().environ, runtime().config
    papers = Papers(
        config,
        shown.get("HTTP_AUTHORIZATION", ""),
        shown.get("HTTP_X_SHARED_SECRET", ""),
        shown.get("HTTP_X_AGENT", ""),
    )
    if papers.authorization or papers.shared_secret or "HTTP_COOKIE" not in shown:
        return papers
    return papers._replace(cookie=read_cookie(config))


def check_meant() -> None:
    """Refuse what a GET does beside reading, unless a page of the bus had a browser send it.

    By plain HTTP browsers do not say where a request comes from; and a page at another port of the
    same host is given the cookie.

    Raises:
        ForbiddenError: the page's word is missing.
    """
    cookie = papers_of_request().cookie
    if cookie:
        check_csrf(cookie)


class Known:
    """Whose papers were found good, as long as nobody's rights have changed.

    Whatever changes what papers are worth tells the hub so after its COMMIT and before its answer.
    Of other processes the hub hears a moment later; while it is deaf, nobody is known.
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
        if rights != self._rights or self._hub.is_deaf:
            self._rights = rights
            self._found.clear()
        # No secret stays in memory for it.
        others = f"{papers.shared_secret}\0{papers.agent}\0{papers.cookie}"
        shown = papers.authorization or others
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
