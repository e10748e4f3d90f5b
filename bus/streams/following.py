"""Who follows a stream by server-sent events: how far it has come, and what comes next for it.

After each event with data stands one that says where the reader is, so that it can come back to the
byte. It is written by the pump, as the log's readers are, and must not know the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.errors import BusError, NotFoundError, StorageFailedError
from bus.streams import messages, reading, rules
from bus.streams.model import DIED, Offset, Page

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.live.presence import Link
    from bus.store.statement import Row
    from bus.streams.spool import Spool
    from bus.web.papers import Papers
    from bus.web.runtime import Runtime

BYE = b":\n"
"""The protocol has no word for it: the reader comes back with its offset."""


@dataclass(slots=True)
class Follower:
    """Whose it is, of which stream, how far it has come, and when it must end."""

    run: Runtime
    principal: Principal
    papers: Papers
    spool: Spool
    at: int
    until_s: float
    least_cursor: int
    rights: int
    link: Link | None = None
    shown: int | None = None
    """The size of the stream when its reader was last told that this is all."""
    has_ended: bool = False
    has_more: bool = False

    def look(self) -> bytes:
        """Read what is next, and say where that leaves the reader."""
        row = self.spool.look()
        if row is None:
            self.has_ended = True
            return BYE
        try:
            page = self.spool.page(row, self.at)
        except NotFoundError:  # deleted just now
            self.has_ended = True
            return BYE
        page = self._show(row, page)
        at_end = page.end == row.size or (not page.data and not self.has_more)
        self.has_ended = row.closed_ms is not None and page.end == row.size
        if not page.data and self.shown == row.size and not self.has_ended:
            return b""
        self.shown = row.size if at_end else None
        least = max(self.least_cursor, rules.cursor_at(self.run.clock.now_ms()))
        key = (self.at, page.end, least)
        found = self.spool.frames.get(key) if self.spool.is_now(row) else None
        if found is None:
            found = self._frame(row, page, least, at_end=at_end)
            if self.spool.is_now(row) and len(self.spool.frames) < reading.MOST_SHARED:
                self.spool.frames[key] = found
        self.at = page.end
        return found

    def _show(self, row: Row, page: Page) -> Page:
        """Leave out the half of a character, which no event can carry; its rest is to come."""
        end = page.end
        if page.data and rules.is_text(row.content_type):
            is_last = row.closed_ms is not None and end == row.size
            length = len(page.data) if is_last else messages.whole_characters(page.data)
            end, page = self.at + length, Page(page.data[:length], self.at + length)
        self.has_more = bool(page.data) and end < row.size
        return page

    def _frame(self, row: Row, page: Page, cursor: int, *, at_end: bool) -> bytes:
        """Write what was read, and where the reader is then."""
        kind = row.content_type
        facts: dict[str, object] = {"streamNextOffset": str(Offset(row.era, page.end))}
        if self.has_ended:
            facts |= {"streamClosed": True} | ({"streamDied": True} if row.how == DIED else {})
        else:
            facts["streamCursor"] = str(cursor)
        if at_end:
            facts["upToDate"] = True
        event = b""
        if page.data:
            shown = {"is_json": rules.is_json(kind), "is_text": rules.is_text(kind)}
            event = messages.data_event(page.data, **shown)
        return event + messages.control_event(facts)

    def is_behind(self) -> bool:
        """Say whether there is more to read than was read by the last look."""
        return self.has_more

    def is_over(self) -> bool:
        """Say whether nothing can come any more."""
        return self.has_ended

    def farewell(self, _reason: str) -> bytes:
        """Say the last word."""
        return BYE

    def why_end(self, now_s: float) -> str:
        """Say why it must end now, or nothing."""
        if self.run.drain.begun:
            return "shutdown"
        return "lifetime" if now_s >= self.until_s else ""

    def why_out(self) -> str:
        """Ask again who it is and what it may read, when somebody's rights have changed."""
        run, row = self.run, self.spool.look()
        rights = run.hub.rights
        if self.rights == rights or row is None:
            return ""
        try:
            with run.store.read() as conn:
                self.principal = self.papers.find(conn)
                may = reading.may_read(conn, run.store.hooks, self.principal, row)
        except StorageFailedError:
            raise
        except BusError:
            return "revoked"
        self.rights = rights  # only now: what could not be read is asked again
        return "" if may else "changed"

    def end(self) -> None:
        """Follow the stream no more."""
        self.run.spools.leave(self.spool)
