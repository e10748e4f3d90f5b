"""Finding what was said, in one session or in all that its reader is in; nothing of any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.errors import InvalidRequestError
from bus.sessions import finding, queries, rules, search_queries
from bus.sessions.reading import HIGHEST
from bus.sessions.writing import name_of, preview
from bus.store import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row

MOST_TITLES = 20


def search(  # noqa: PLR0913, PLR0917 - who looks where for what, and for how much of it
    conn: sa.Connection,
    principal: Principal,
    session_id: str | None,
    text: str,
    after: str | None,
    limit: int,
) -> dict[str, Any]:
    """Find entries with these words, the newest first; and sessions by their titles."""
    wanted = rules.read_search(text)
    if session_id is None:
        numbers = queries.numbers_of(conn, principal.participant_id or 0)
    else:
        numbers = [finding.find(conn, principal, session_id).number]
    below = HIGHEST if after is None else number_of(conn, numbers, after)
    found = words.search(conn, numbers, wanted, below, limit + 1) if numbers else []
    around = {one.number: one.snippet for one in found[:limit]}
    page = search_queries.with_numbers(conn, list(around))
    shown: dict[str, Any] = {
        "entries": [show(row, around[row.number]) for row in page],
        "next": page[-1].id if len(found) > limit else None,
    }
    if session_id is None:
        shown["sessions"] = find_titles(conn, numbers, text) if after is None else []
    return shown


def number_of(conn: sa.Connection, numbers: Sequence[int], entry_id: str) -> int:
    """Find where the page before ended."""
    entry = queries.entry(conn, entry_id)
    if entry is None or entry.session_number not in numbers:
        raise InvalidRequestError(f"'after' is the 'next' of a page before, not {entry_id[:40]!r}")
    return int(entry.number)


def show(row: Row, around: str) -> dict[str, Any]:
    """Show an entry that was found, with what stands around the words."""
    return {
        "session_id": row.session_id,
        "title": row.title,
        "entry_id": row.id,
        "place": row.place,
        "at": to_text(row.at_ms),
        "kind": row.kind,
        "from": name_of(row),
        "trust": row.trust,
        "snippet": preview(around),
    }


def find_titles(conn: sa.Connection, numbers: Sequence[int], text: str) -> list[dict[str, Any]]:
    """Find sessions whose titles have all the words that are looked for."""
    words = [word.strip('"*').casefold() for word in text.split() if not word.startswith("-")]
    return [
        {"session_id": row.id, "title": row.title, "state": row.state}
        for row in search_queries.titles(conn, numbers)
        if all(word in row.title.casefold() for word in words)
    ][:MOST_TITLES]
