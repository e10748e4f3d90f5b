"""What is asked of a database from beside the bus, by doctor and over a restore; it only looks.

One named function for each question, in words that both engines take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bus.store.looking import Looking

Rows = list[tuple[str, int]]


def newest_ms(look: Looking) -> int | None:
    """Give when the last thing happened."""
    found: int | None = look.one("SELECT max(at_ms) FROM log")
    return found


def stuck_wakes(look: Looking, before_ms: int) -> Rows:
    """List agents whose wake was asked for before a time and became no turn, with its try."""
    query = (
        "SELECT p.name, w.attempt FROM wakes w JOIN participants p ON p.id = w.participant_id"
        " WHERE w.closed_ms IS NULL AND w.admitted_ms IS NULL AND w.asked_ms < ?"
        " ORDER BY w.asked_ms"
    )
    return look.rows(query, before_ms)


def notice_targets(look: Looking) -> tuple[int, list[str]]:
    """Count where people are told when away, and name what fails there, with why."""
    query = (
        "SELECT p.name, t.name, t.error, t.failing_ms FROM notice_targets t"
        " JOIN participants p ON p.id = t.participant_id ORDER BY t.failing_ms"
    )
    rows = look.rows(query)
    return len(rows), [f"{who}'s {name} ({why})" for who, name, why, since in rows if since]


def unseen_nodes(look: Looking, before_ms: int) -> Rows:
    """List the nodes with agents that were last seen before a time, with that time or 0."""
    query = (
        "SELECT n.name, coalesce(n.seen_ms, 0) FROM nodes n WHERE n.removed_ms IS NULL"
        " AND coalesce(n.seen_ms, 0) < ? AND EXISTS (SELECT 1 FROM participants p"
        " WHERE p.node_id = n.id AND p.removed_ms IS NULL) ORDER BY n.name"
    )
    return look.rows(query, before_ms)


def dead_since(look: Looking, since_ms: int) -> Rows:
    """List the deliveries that died since a time, newest first: the message, and when."""
    query = (
        "SELECT message_id, ended_ms FROM deliveries WHERE state = 'dead' AND ended_ms >= ?"
        " ORDER BY ended_ms DESC"
    )
    return look.rows(query, since_ms)


def held_threads(look: Looking) -> Rows:
    """List the threads that are held, longest first, with since when."""
    query = (
        "SELECT thread, at_ms FROM holds WHERE released_ms IS NULL AND reason <> '' ORDER BY at_ms"
    )
    return look.rows(query)


def good_admin_tokens(look: Looking) -> list[str]:
    """List the hashes of the tokens that administer."""
    query = "SELECT hash FROM tokens WHERE kind = 'admin' AND revoked_ms IS NULL"
    return [hash_ for (hash_,) in look.rows(query)]


def tokens_and_holders(look: Looking) -> list[dict[str, Any]]:
    """List every token with since when its holder is there, 0 for the administration's.

    All its columns: an older program's database has fewer, and its tokens are good for all that.
    """
    query = (
        "SELECT t.*, coalesce(p.created_ms, n.created_ms, 0) AS holder_since_ms FROM tokens t"
        " LEFT JOIN participants p ON p.id = t.participant_id LEFT JOIN nodes n ON n.id = t.node_id"
    )
    return look.facts(query)
