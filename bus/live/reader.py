"""Who reads a stream, how far it has come, and what of the log comes next for it.

Replay and live are the same question, what lies behind the cursor, so nothing can fall between
them or overtake. It must not know the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bus.clock import to_text
from bus.errors import InvalidRequestError
from bus.live.audience import audience_of, sight_of
from bus.live.sse import frame, frame_of
from bus.serving.drain import DRAIN
from bus.store.log import end_of_stretch, read_between
from bus.store.transaction import EVERYTHING, node_topic, participant_topic, token_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bus.access.model import Principal
    from bus.live.presence import Link
    from bus.store.log import Bounds, Row
    from bus.web.papers import Papers
    from bus.web.runtime import Runtime

STRETCH = 1000
"""So many rows a reader that is behind is given together, and of so much of the log at first."""
WIDER = 8
WIDEST = 256 * STRETCH
"""Where little of a stretch is the reader's, the next is wider: others' rows are passed over."""
MOST_DIGITS = 19


class Reads(Protocol):
    """Whoever reads a stream, of the log or another: what the pump asks of it."""

    run: Runtime
    principal: Principal
    until_s: float
    link: Link | None

    def look(self) -> bytes: ...
    def is_behind(self) -> bool: ...
    def is_over(self) -> bool: ...
    def farewell(self, reason: str) -> bytes: ...
    def why_end(self, now_s: float) -> str: ...
    def why_out(self) -> str: ...
    def end(self) -> None: ...


@dataclass(slots=True)
class Reader:
    """Whose stream it is, how far it has come, and when it must end."""

    run: Runtime
    principal: Principal
    papers: Papers
    cursor: int
    epoch: str
    until_s: float
    link: Link | None = None
    stretch: int = STRETCH
    sees: Callable[[Row], bool] = lambda _row: False
    rights: int = -1

    def look(self) -> bytes:
        """Read what is next; where none is the reader's, its place still moves with the log."""
        run, tail, after = self.run, self.run.tail, self.cursor
        tail.look()
        # What a person sees hangs on others' compartments too, which a commit may have changed that
        # nobody here was told of yet: it is judged in the snapshot that has the rows.
        if after >= tail.since and self.principal.kind != "person":
            self.cursor = max(after, tail.head)
            return tail.after(after, self.sees)
        with run.store.read() as conn:
            end = min(end_of_stretch(conn, after, self.stretch) or tail.head, tail.head)
            rows = read_between(conn, after, end, audience_of(self.principal), STRETCH)
        self.cursor = end if len(rows) < STRETCH else rows[-1].seq
        is_dense = len(rows) * WIDER > STRETCH
        self.stretch = STRETCH if is_dense else min(self.stretch * WIDER, WIDEST)
        return b"".join(frame_of(row, self.epoch) for row in rows)

    def is_behind(self) -> bool:
        """Say whether there is more to read than was read by the last look."""
        return self.cursor < self.run.tail.head

    def is_over(self) -> bool:
        """Say whether nothing can come any more: the log has no end."""
        return False

    def farewell(self, reason: str) -> bytes:
        """Say why a stream ends, and where to go on."""
        cursor = f"{self.epoch}-{self.cursor}"
        return frame("bye", {"to_agent": None, "reason": reason}, cursor)

    def why_end(self, now_s: float) -> str:
        """Say why a stream must end now, or nothing."""
        if self.run.drain.begun:
            return "shutdown"
        if self.link is not None and self.link.replaced:
            return "replaced"
        return "lifetime" if now_s >= self.until_s else ""

    def why_out(self) -> str:
        """Have a reader show its papers again when somebody's rights have changed."""
        run = self.run
        rights = run.hub.rights
        if self.rights == rights:
            return ""
        with run.store.read() as conn:
            self.sees = sight_of(self.principal)
            changed = self.papers.changed(conn, self.principal)
        self.rights = rights  # only now: what could not be read is asked again
        return changed

    def end(self) -> None:
        """Give back what only this kind of reader holds."""


@dataclass(frozen=True)
class Start:
    """Where a stream begins."""

    asked: str
    at: int | None
    lost: str
    bounds: Bounds


def topics_of(principal: Principal) -> set[str]:
    """Name what wakes this reader's stream."""
    topics = {DRAIN, token_topic(principal.token_id)}
    if principal.node_id is not None:
        return topics | {node_topic(principal.node_id)}
    if principal.participant_id is not None:
        topics |= {participant_topic(principal.participant_id)}
    return topics if principal.kind == "agent" else topics | {EVERYTHING}


def place(cursor: str, bounds: Bounds) -> tuple[int | None, str]:
    """Find the place of a cursor in the log, or None with the reason why it has none."""
    if cursor == "earliest":
        return bounds.oldest, ""
    if cursor == "now":
        return bounds.head, ""
    epoch, _, number = cursor.rpartition("-")
    if not epoch.isalnum() or not number.isdigit() or len(number) > MOST_DIGITS:
        raise InvalidRequestError(f"{cursor!r} is no cursor: EPOCH-SEQ, earliest or now")
    seq = int(number)
    if epoch != bounds.epoch:
        return None, "the cursor is of another epoch: the database was restored or made anew"
    if seq < bounds.oldest:
        return None, "the log before this was trimmed"
    if seq > bounds.head:
        return None, "the cursor is ahead of the log"
    return seq, ""


def begin(reader: Reader, start: Start) -> Iterator[bytes]:
    """Say where the log is; without a good cursor, give what is pending before what is new."""
    run, bounds = reader.run, start.bounds
    hello = {
        "to_agent": None,
        "epoch": bounds.epoch,
        "head": bounds.head,
        "oldest": bounds.oldest,
        "heartbeat_s": run.config.heartbeat_s,
        "server_time": to_text(run.clock.now_ms()),
    }
    yield frame("hello", hello)
    if start.at is not None:
        return
    if start.lost:
        gap = {"requested": start.asked, "oldest": bounds.oldest, "epoch": bounds.epoch}
        yield frame("gap", {"to_agent": None, **gap, "reason": start.lost})
    with run.store.read() as conn:
        asked = run.store.hooks.called("pending_events")
        now_ms = run.clock.now_ms()
        pending = [one for call in asked for one in call(conn, reader.principal, now_ms)]
    for event, data in pending:
        yield frame(event, data)
    ready = {"to_agent": None, "pending": len(pending)}
    yield frame("ready", ready, f"{reader.epoch}-{reader.cursor}")
