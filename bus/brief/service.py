"""The verbs of the brief: tell what happened, and keep how far somebody has seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.brief import queries
from bus.brief.rules import arrange, choose_since, show_section
from bus.clock import to_text
from bus.sections import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.sections import Section
    from bus.store.transaction import Transaction

    Tell = Callable[[sa.Connection, Principal, Span], Iterable[Section]]


def tell(  # noqa: PLR0913, PLR0917 - of what time, for whom, how much, and who knows
    conn: sa.Connection,
    principal: Principal,
    rooms: Iterable[Tell],
    since_ms: int | None,
    most: int,
    now_ms: int,
    config: Config,
) -> dict[str, Any]:
    """Tell what happened since a time, or since the reader's last brief; it changes nothing."""
    me = principal.participant_id
    seen_ms = None if me is None else queries.seen_ms(conn, me)
    span = Span(choose_since(since_ms, seen_ms, now_ms), now_ms, most, config)
    told = [section for room in rooms for section in room(conn, principal, span)]
    sections = sorted((one for one in told if one.total), key=lambda one: one.rank)
    return {
        "since": to_text(span.since_ms),
        "until": to_text(span.until_ms),
        "sections": [show_section(one) for one in sections],
        "threads": arrange(sections),
    }


def set_seen(tx: Transaction, principal: Principal, until_ms: int) -> str:
    """Keep until when the reader has seen what happened: there begins its next brief."""
    until_ms = min(until_ms, tx.now_ms)
    queries.set_seen(tx.conn, principal.participant_id or 0, until_ms)
    return to_text(queries.seen_ms(tx.conn, principal.participant_id or 0) or until_ms)
