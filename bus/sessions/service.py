"""The verbs of sessions, in one place for its routes and for the rooms below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.mail import service as mail
from bus.sessions import (
    answering,
    briefing,
    changing,
    finding,
    keeping,
    leaving,
    outputs,
    queries,
    reading,
    rules,
    seeing,
    showing,
)
from bus.sessions.answering import show_written
from bus.sessions.exporting import read_file, write_entries, write_head
from bus.sessions.finding import check_open, find, find_open, get, is_in
from bus.sessions.model import PREVIEW, Invited, Page, Word
from bus.sessions.reading import describe, has_read, move_cursor, show_page, write_missed
from bus.sessions.searching import search
from bus.sessions.writing import (
    author_of,
    change_entry,
    write_entry,
    write_imported,
    write_note,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sessions.model import Imported
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

__all__ = [
    "Invited",
    "Page",
    "Word",
    "author_of",
    "between",
    "change",
    "change_entry",
    "check_open",
    "create",
    "find",
    "find_open",
    "get",
    "has_read",
    "invite",
    "is_in",
    "leave",
    "list_mine",
    "members",
    "move_cursor",
    "numbers_of",
    "read_file",
    "register",
    "say",
    "search",
    "set_wake",
    "show",
    "show_page",
    "take_file",
    "write_entries",
    "write_entry",
    "write_head",
    "write_missed",
    "write_note",
]
Shown = dict[str, Any]
members = queries.members
numbers_of = queries.numbers_of
between = queries.between


def register(hooks: Hooks) -> None:
    """Hear of answers and acks of agents; say of which session an item in an inbox tells."""
    hooks.on("say_in_session", answering.say_in_session)
    hooks.on("why_not_said", answering.why_not_said)
    hooks.on("mail_acked", answering.on_acked)
    hooks.on("describe_sessions", describe)
    hooks.on("stream_closed", outputs.on_stream_closed)
    hooks.on("may_read_stream", outputs.may_read_stream)
    hooks.on("may_speak", outputs.may_speak)
    hooks.on("has_company", seeing.has_company)
    hooks.on("participant_seen", seeing.on_seen)
    hooks.on("brief_sections", briefing.tell)
    hooks.on("prune", keeping.prune)
    hooks.on("participant_removed", leaving.on_removed)
    hooks.on("participant_changed", leaving.on_changed)


def create(
    tx: Transaction,
    principal: Principal,
    title: str,
    invited: Sequence[Invited],
    key: mail.Key | None,
) -> Shown:
    """Make a session with others in it; a repeated key gives the first answer again."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    me = finding.me_of(tx.conn, principal)
    several = [
        (who, wake) for who, wake in changing.resolve_all(tx, principal, invited) if who.id != me.id
    ]
    changing.check_together(tx, [me, *(who for who, _ in several)])
    session = changing.make(tx, me, title)
    for who, wake in several:
        changing.take_in(tx, session, who, wake)
    changing.tell(tx, session, "created", me.name)
    tx.record("session_created", session=session.id, by=me.name, participants=len(several) + 1)
    names = [me.name, *sorted(who.name for who, _ in several)]
    answer = showing.show_base(session, 0) | {
        "participants": names,
        "thread": session.thread,
        "deduplicated": False,
    }
    mail.keep_answer(tx, key, answer, 201)
    return answer


def take_file(
    tx: Transaction,
    principal: Principal,
    title: str,
    several: Sequence[Imported],
    key: mail.Key | None,
) -> Shown:
    """Make a session of a file, with nobody in it but who brings it."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    me = finding.me_of(tx.conn, principal)
    session = changing.make(tx, me, title)
    count = write_imported(tx, session, me, several)
    write_note(tx, session, "imported", f"{me.name} imported {count} entries from a file", me)
    changing.tell(tx, get(tx.conn, session.id), "created", me.name)
    tx.record("session_imported", session=session.id, by=me.name, entries=count)
    answer = show(tx.conn, principal, session.id) | {"imported": count, "deduplicated": False}
    mail.keep_answer(tx, key, answer, 201)
    return answer


def list_mine(
    conn: sa.Connection, principal: Principal, state: str | None, after: str | None, limit: int
) -> Shown:
    """List the reader's sessions, the last changed first; `next` is where the rest begins."""
    before = None if after is None else find(conn, principal, after)
    me = principal.participant_id or 0
    rows = queries.list_of(conn, me, state, before, most=limit + 1, preview=2 * PREVIEW)
    page = rows[:limit]
    names = queries.names_in(conn, [row.number for row in page])
    shown = [showing.show_listed(row, names.get(row.number, [])) for row in page]
    return {"sessions": shown, "next": page[-1].id if len(rows) > limit else None}


def show(
    conn: sa.Connection,
    principal: Principal,
    session_id: str,
    is_here: Callable[[int, int | None], bool] = lambda _who, _node: False,
) -> Shown:
    """Show a session with everyone in it; `is_here` says who is there now."""
    session = find(conn, principal, session_id)
    return showing.show_whole(conn, session, principal.participant_id or 0, is_here)


def change(
    tx: Transaction, principal: Principal, session_id: str, title: str | None, state: str | None
) -> Shown:
    """Rename a session, close it or open it again."""
    me = finding.me_of(tx.conn, principal)
    session = find(tx.conn, principal, session_id)
    if state == "open":
        changing.set_state(tx, session, me, state)
        session = get(tx.conn, session_id)
    if title is not None:
        changing.rename(tx, session, me, title)
        session = get(tx.conn, session_id)
    if state == "closed":
        changing.set_state(tx, session, me, state)
    return show(tx.conn, principal, session_id)


def invite(
    tx: Transaction, principal: Principal, session_id: str, invited: Sequence[Invited]
) -> Shown:
    """Take others in: whoever is invited is in it."""
    me = finding.me_of(tx.conn, principal)
    session = find(tx.conn, principal, session_id)
    several = changing.resolve_all(tx, principal, invited)
    new = changing.invite(tx, session, me, several)
    names = [who.name for who, _ in several]
    return {"session_id": session.id, "invited": new, "already": sorted({*names} - {*new})}


def leave(tx: Transaction, principal: Principal, session_id: str, name: str) -> Shown:
    """Leave a session, or remove another from it."""
    me = finding.me_of(tx.conn, principal)
    session = find(tx.conn, principal, session_id)
    member = finding.member_named(tx.conn, session, me.name if name == "me" else name)
    changing.remove(tx, session, me, member)
    return {"session_id": session.id, "left": member.name}


def set_wake(tx: Transaction, principal: Principal, session_id: str, name: str, wake: str) -> Shown:
    """Set by what an agent in a session is woken."""
    me = finding.me_of(tx.conn, principal)
    session = find(tx.conn, principal, session_id)
    member = finding.member_named(tx.conn, session, me.name if name == "me" else name)
    changing.set_wake(tx, session, me, member, rules.check_wake(wake))
    return {"session_id": session.id, "name": member.name, "wake": wake}


def say(  # noqa: PLR0913, PLR0917 - who, where, what, and what goes with it
    tx: Transaction,
    principal: Principal,
    session_id: str,
    word: Word,
    key: mail.Key | None,
    ack: int | None = None,
) -> Shown:
    """Say something, perhaps with how far one has read before; a repeated key says it once."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    session: Row = find_open(tx.conn, principal, session_id)
    if ack is not None:
        reading.move_cursor(tx, principal, session_id, ack)
    written = write_entry(tx, session, principal.participant_id, word)
    answer = show_written(session, written, deduplicated=False)
    mail.keep_answer(tx, key, answer, 201)
    return answer
