"""Whose notices they are, and how targets are shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.clock import shown_time
from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.notices import queries, rules
from bus.notices.model import EMAIL, EVENTS, NTFY

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.directory.model import Participant
    from bus.store.statement import Row

SELF = "self"


def whose(conn: sa.Connection, principal: Principal, name: str) -> Participant:
    """Find whose notices they are: a person's own, or for the administration any person's."""
    one = directory.find(conn, (principal.name or "") if name == SELF else name)
    is_mine = one is not None and one.id == principal.participant_id
    if one is None or one.kind != "person" or not (is_mine or principal.kind == "admin"):
        raise NotFoundError(f"there are no notices of {name[:70]!r} that you can see; yours: self")
    return one


def show_all(
    conn: sa.Connection, config: Config, principal: Principal, name: str
) -> dict[str, Any]:
    """Show somebody's targets, and what targets there can be."""
    one = whose(conn, principal, name)
    is_mine = one.id == principal.participant_id
    waiting = sum(row.count for row in queries.waiting_for(conn, one.id))
    shown = {
        "person": one.name,
        "targets": [show(target, is_mine=is_mine) for target in queries.targets(conn, one.id)],
        "waiting": waiting,
        "allowed": rules.show_places(rules.read_hosts(config.notice_hosts)),
        "email": bool(config.smtp_host),
        "events": list(EVENTS),
    }
    if not config.notice_hosts:
        shown["why"] = off()
    return shown


def off() -> str:
    """Say that nobody is told, and who can change that."""
    return (
        "nobody is told of anything when away: the administration has allowed no host "
        "(BUS_NOTICE_HOSTS is empty)"
    )


def show(target: Row, *, is_mine: bool) -> dict[str, Any]:
    """Show a target: no secret ever, and to others not where exactly it is."""
    return {
        "name": target.name,
        "kind": target.kind,
        **(show_where(target) if is_mine else {"where": show_roughly(target)}),
        "events": json.loads(target.events),
        "previews": bool(target.previews),
        "made_at": shown_time(target.created_ms),
        "ok_at": shown_time(target.ok_ms),
        "failing_since": shown_time(target.failing_ms),
        "error_at": shown_time(target.error_ms),
        "error": target.error or None,
    }


def show_where(target: Row) -> dict[str, Any]:
    """Show somebody where their own target is."""
    if target.kind == EMAIL:
        return {"address": target.address}
    if target.kind == NTFY:
        return {"url": target.address, "topic": target.topic, "token": bool(target.secret)}
    return {"url": target.address}


def show_roughly(target: Row) -> str:
    """Show the host alone: a topic or a path may be as good as a password."""
    if target.kind == EMAIL:
        return f"@{target.address.rpartition('@')[2]}"
    return rules.show_host(rules.read_url(target.address))


def find(conn: sa.Connection, one: Participant, name: str) -> Row:
    """Find a target of somebody's."""
    target = queries.named(conn, one.id, name)
    if target is None:
        raise NotFoundError(f"there is no target {name[:40]!r}: bus notice list shows them")
    return target
