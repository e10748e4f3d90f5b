"""Every statement of sessions but those of searching, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.sessions.model import NOTE, OPEN
from bus.store import words
from bus.store.schema import entries, participants, session_members, sessions
from bus.store.statement import Statement, Update, beginning, bind, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.store.statement import Row

creator, author = participants.alias("creator"), participants.alias("author")
FULL = sa.select(sessions, creator.c.name.label("creator")).select_from(
    sessions.join(creator, creator.c.id == sessions.c.creator_id)
)
"""A session with who made it: the row that the whole room works on."""
INSERT = insert(sessions, *(column.name for column in sessions.c if column.name != "number"))
UPDATE = Update(sessions, "number")
FIND = Statement(FULL.where(sessions.c.id == bind("session_id")))
NEXT_PLACE = Statement(
    sessions.update()
    .where(sessions.c.number == bind("the_number"))
    .values(place=sessions.c.place + 1, changed_ms=bind("changed_ms"))
    .returning(sessions.c.place)
)


def insert_session(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT.run(conn, values)


def update(conn: sa.Connection, number: int, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, number, values)


def find(conn: sa.Connection, session_id: str) -> Row | None:
    return FIND.first(conn, session_id=session_id)


def take_place(conn: sa.Connection, number: int, now_ms: int) -> int:
    """Give the next place of a session, which is nobody else's."""
    return int(NEXT_PLACE.scalar(conn, the_number=number, changed_ms=now_ms))


MEMBERS = sa.select(
    session_members,
    *(participants.c[name] for name in ("name", "kind", "node_id", "display_name")),
).select_from(session_members.join(participants))
IS_IN = session_members.c.left_ms.is_(None)
OF_SESSION = Statement(
    MEMBERS.where(session_members.c.session_number == bind("number"), IS_IN).order_by(
        session_members.c.joined_ms, participants.c.name
    )
)
MEMBER = Statement(
    MEMBERS.where(
        session_members.c.session_number == bind("number"),
        session_members.c.participant_id == bind("participant_id"),
    )
)
INSERT_MEMBER = insert(session_members)
KEY_OF_MEMBER = (
    session_members.c.session_number == bind("the_number"),
    session_members.c.participant_id == bind("the_participant"),
)
UPDATE_MEMBER: dict[tuple[str, ...], Statement] = {
    names: Statement(
        session_members.update().where(*KEY_OF_MEMBER).values({name: bind(name) for name in names})
    )
    for names in (("wake",), ("left_ms",), ("wake", "cursor", "joined_ms", "left_ms"))
}
MOVE_CURSOR = Statement(
    session_members.update()
    .where(*KEY_OF_MEMBER, session_members.c.cursor < bind("place"))
    .values(cursor=bind("place"))
    .returning(session_members.c.cursor)
)


def members(conn: sa.Connection, number: int) -> Sequence[Row]:
    """Read who is in a session, in the order in which they came."""
    return OF_SESSION.rows(conn, number=number)


def member(conn: sa.Connection, number: int, participant_id: int) -> Row | None:
    """Read what somebody is to a session, or was."""
    return MEMBER.first(conn, number=number, participant_id=participant_id)


def insert_member(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_MEMBER.run(conn, values)


def update_member(
    conn: sa.Connection, number: int, participant_id: int, values: Mapping[str, Any]
) -> None:
    key = {"the_number": number, "the_participant": participant_id}
    UPDATE_MEMBER[tuple(values)].run(conn, {**values, **key})


def move_cursor(conn: sa.Connection, number: int, participant_id: int, place: int) -> bool:
    """Move a cursor to a place that lies ahead; says whether it did."""
    key = {"the_number": number, "the_participant": participant_id}
    return MOVE_CURSOR.first(conn, place=place, **key) is not None


ENTRIES = sa.select(entries, author.c.name.label("author_name")).select_from(
    entries.outerjoin(author, author.c.id == entries.c.author_id)
)
HERE = entries.c.session_number == bind("number")
NEWEST = Statement(
    ENTRIES.where(HERE, entries.c.place < bind("before"))
    .order_by(entries.c.place.desc())
    .limit(bind("most"))
)
OLDEST = Statement(
    ENTRIES.where(HERE, entries.c.place > bind("after"))
    .order_by(entries.c.place)
    .limit(bind("most"))
)
ENTRY = Statement(ENTRIES.where(entries.c.id == bind("entry_id")))
BY_REPLY_KEY = Statement(ENTRIES.where(entries.c.reply_key == bind("key")))
INSERT_ENTRY = insert(
    entries,
    *(column.name for column in entries.c if column.name != "number"),
    returning="number",
)
UPDATE_ENTRY = Update(entries, "number")


def before(conn: sa.Connection, number: int, place: int, limit: int) -> Sequence[Row]:
    """Read the entries before a place, newest first."""
    return NEWEST.rows(conn, number=number, before=place, most=limit)


def after(conn: sa.Connection, number: int, place: int, limit: int) -> Sequence[Row]:
    """Read the entries after a place, oldest first."""
    return OLDEST.rows(conn, number=number, after=place, most=limit)


def entry(conn: sa.Connection, entry_id: str) -> Row | None:
    return ENTRY.first(conn, entry_id=entry_id)


def by_reply_key(conn: sa.Connection, key: str) -> Row | None:
    return BY_REPLY_KEY.first(conn, key=key)


def insert_entry(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    """Add an entry, and its words to the index; a note's are not looked for."""
    number = INSERT_ENTRY.scalar(conn, **values)
    if values["kind"] != NOTE:
        words.index(conn, words.Said(number, values["session_number"], values["body"]))


def update_entry(conn: sa.Connection, row: Row, values: Mapping[str, Any]) -> None:
    """Change an entry, and its words in the index."""
    if "body" in values and row.kind != NOTE:
        was = words.Said(row.number, row.session_number, row.body)
        words.unindex(conn, [was])
        words.index(conn, was._replace(body=values["body"]))
    UPDATE_ENTRY.run(conn, row.number, values)


last = entries.alias("last")
mine = session_members.alias("mine")
LISTED = (
    sa.select(
        sessions,
        creator.c.name.label("creator"),
        mine.c.cursor,
        last.c.id.label("last_id"),
        last.c.kind.label("last_kind"),
        last.c.at_ms.label("last_ms"),
        last.c.author.label("last_author"),
        author.c.name.label("last_author_name"),
        beginning(last.c.body, bind("preview")).label("last_body"),
    )
    .select_from(
        mine.join(sessions, sessions.c.number == mine.c.session_number)
        .join(creator, creator.c.id == sessions.c.creator_id)
        .outerjoin(
            last,
            sa.and_(last.c.session_number == sessions.c.number, last.c.place == sessions.c.place),
        )
        .outerjoin(author, author.c.id == last.c.author_id)
    )
    .where(mine.c.participant_id == bind("participant_id"), mine.c.left_ms.is_(None))
    .order_by(sessions.c.changed_ms.desc(), sessions.c.number.desc())
    .limit(bind("most"))
)
BEYOND = sa.or_(
    sessions.c.changed_ms < bind("changed_ms"),
    sa.and_(sessions.c.changed_ms == bind("changed_ms"), sessions.c.number < bind("below")),
)
LISTS = {
    (by_state, goes_on): Statement(
        LISTED.where(
            *([sessions.c.state == bind("state")] if by_state else []),
            *([BEYOND] if goes_on else []),
        )
    )
    for by_state in (False, True)
    for goes_on in (False, True)
}


def list_of(
    conn: sa.Connection, participant_id: int, state: str | None, after: Row | None, **values: int
) -> Sequence[Row]:
    """List a participant's sessions with its cursor and the last entry, the latest first."""
    given: dict[str, Any] = {"participant_id": participant_id, **values}
    if state is not None:
        given["state"] = state
    if after is not None:
        given |= {"changed_ms": after.changed_ms, "below": after.number}
    return LISTS[state is not None, after is not None].rows(conn, **given)


NUMBERS = Statement(
    sa.select(session_members.c.session_number).where(
        session_members.c.participant_id == bind("participant_id"), IS_IN
    )
)


def numbers_of(conn: sa.Connection, participant_id: int) -> list[int]:
    """List the sessions somebody is in, by number."""
    return [row[0] for row in NUMBERS.rows(conn, participant_id=participant_id)]


other = session_members.alias("other")
someone = session_members.alias("someone")
BETWEEN = Statement(
    FULL.join(session_members, session_members.c.session_number == sessions.c.number)
    .join(other, other.c.session_number == sessions.c.number)
    .where(
        session_members.c.participant_id == bind("one"),
        IS_IN,
        other.c.participant_id == bind("two"),
        other.c.left_ms.is_(None),
        sessions.c.state == OPEN,
        sa.select(sa.func.count())
        .where(someone.c.session_number == sessions.c.number, someone.c.left_ms.is_(None))
        .scalar_subquery()
        == 2,
    )
    .order_by(sessions.c.changed_ms.desc(), sessions.c.number.desc())
    .limit(1)
)


def between(conn: sa.Connection, one: int, two: int) -> Row | None:
    """Find the open session of these two alone, the last changed where there are several."""
    return BETWEEN.first(conn, one=one, two=two)


OTHERS_WITH = Statement(
    sa.select(other.c.session_number, other.c.participant_id)
    .select_from(
        session_members.join(other, other.c.session_number == session_members.c.session_number)
    )
    .where(
        session_members.c.participant_id == bind("participant_id"),
        IS_IN,
        other.c.participant_id != session_members.c.participant_id,
        other.c.left_ms.is_(None),
    )
)


def others_with(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    """Read who else is in the sessions of somebody, and in which."""
    return OTHERS_WITH.rows(conn, participant_id=participant_id)


COMPANY = Statement(
    sa.select(other.c.participant_id, participants.c.name)
    .select_from(
        session_members.join(sessions, sessions.c.number == session_members.c.session_number)
        .join(other, other.c.session_number == session_members.c.session_number)
        .join(participants, participants.c.id == other.c.participant_id)
    )
    .where(
        session_members.c.participant_id == bind("participant_id"),
        IS_IN,
        sessions.c.state == OPEN,
        other.c.participant_id != session_members.c.participant_id,
        other.c.left_ms.is_(None),
    )
    .group_by(other.c.participant_id, participants.c.name)
)


def company_of(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    """Read who is in an open session with somebody, each once."""
    return COMPANY.rows(conn, participant_id=participant_id)


ABANDONED = Statement(
    sa.select(sessions.c.number)
    .where(
        sessions.c.changed_ms < bind("before_ms"),
        ~sa.exists().where(session_members.c.session_number == sessions.c.number, IS_IN),
    )
    .limit(1)
)
GOING = Statement(
    sa.select(*(entries.c[name] for name in ("number", "session_number", "kind", "body")))
    .where(HERE)
    .order_by(entries.c.place)
    .limit(bind("most"))
)


def find_abandoned(conn: sa.Connection, before_ms: int) -> int | None:
    """Find a session in which nobody is, and in which nothing happened since a time."""
    number: int | None = ABANDONED.scalar(conn, before_ms=before_ms)
    return number


def delete_entries(conn: sa.Connection, number: int, limit: int) -> int:
    """Remove the first entries of a session, with their words; gives how many."""
    rows = GOING.rows(conn, number=number, most=limit)
    said = [row for row in rows if row.kind != NOTE]
    words.unindex(conn, [words.Said(row.number, number, row.body) for row in said])
    gone = [row.number for row in rows]
    conn.execute(entries.delete().where(entries.c.number.in_(gone)))
    return len(rows)


def delete_session(conn: sa.Connection, number: int) -> None:
    conn.execute(session_members.delete().where(session_members.c.session_number == number))
    conn.execute(sessions.delete().where(sessions.c.number == number))


def with_numbers(conn: sa.Connection, numbers: Sequence[int]) -> dict[int, Row]:
    rows = conn.execute(FULL.where(sessions.c.number.in_(numbers))).all()
    return {row.number: row for row in rows}


def with_ids(conn: sa.Connection, ids: Sequence[str], participant_id: int) -> Sequence[Row]:
    """Read of these sessions those that somebody is in, with its cursor."""
    query = (
        sa.select(sessions, session_members.c.cursor)
        .select_from(sessions.join(session_members))
        .where(sessions.c.id.in_(ids), session_members.c.participant_id == participant_id, IS_IN)
    )
    return conn.execute(query).all()


def names_in(conn: sa.Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    """List who is in each of some sessions."""
    query = MEMBERS.where(session_members.c.session_number.in_(numbers), IS_IN)
    found: dict[int, list[str]] = {}
    for row in conn.execute(query.order_by(session_members.c.joined_ms, participants.c.name)):
        found.setdefault(row.session_number, []).append(row.name)
    return found
