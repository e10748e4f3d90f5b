"""Every statement of notices, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.deadlines import Deadlines
from bus.store.schema import notice_people, notice_sends, notice_targets, notices
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.store.statement import Row

WHO = bind("whose")
PERSON = Statement(sa.select(notice_people).where(notice_people.c.id == WHO))
INSERT_PERSON = insert(notice_people)
UPDATE_PERSON = Update(notice_people, "id")
DEADLINES = Deadlines(notice_people, sa.select(notice_people))
due, first_due = DEADLINES.due, DEADLINES.first_due

OF = sa.select(notice_targets).where(notice_targets.c.participant_id == WHO)
TARGETS = Statement(OF.order_by(notice_targets.c.name))
NAMED = Statement(OF.where(notice_targets.c.name == bind("name")))
TARGET = Statement(sa.select(notice_targets).where(notice_targets.c.id == bind("target_id")))
TARGET_COLUMNS = [column.name for column in notice_targets.c if column.name != "id"]
INSERT_TARGET = insert(notice_targets, *TARGET_COLUMNS, returning="id")
UPDATE_TARGET = Update(notice_targets, "id")

NOTICES = Statement(
    sa.select(notices).where(notices.c.participant_id == WHO).order_by(notices.c.id)
)
ABOUT = Statement(
    sa.select(notices).where(notices.c.participant_id == WHO, notices.c.about == bind("about"))
)
INSERT_NOTICE = insert(
    notices, *("participant_id", "about", "count", "sender_id", "facts", "created_ms", "seen_ms")
)
UPDATE_NOTICE = Update(notices, "id")

SENDS = sa.select(notice_sends).order_by(
    notice_sends.c.target_id, notice_sends.c.created_ms, notice_sends.c.id
)
WAITING = Statement(
    SENDS.with_only_columns(notice_sends.c.id, notice_sends.c.target_id, notice_sends.c.due_ms)
)
SEND = Statement(sa.select(notice_sends).where(notice_sends.c.id == bind("send_id")))
UNTRIED = Statement(
    SENDS.where(notice_sends.c.target_id == bind("target_id"), notice_sends.c.attempts == 0)
)
INSERT_SEND = insert(notice_sends)
UPDATE_SEND = Update(notice_sends, "id")


def person(conn: sa.Connection, participant_id: int) -> Row | None:
    """Read how far somebody with targets was told; None where there is none."""
    return PERSON.first(conn, whose=participant_id)


def insert_person(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_PERSON.run(conn, values)


def update_person(conn: sa.Connection, participant_id: int, values: Mapping[str, Any]) -> None:
    UPDATE_PERSON.run(conn, participant_id, values)


def targets(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    return TARGETS.rows(conn, whose=participant_id)


def named(conn: sa.Connection, participant_id: int, name: str) -> Row | None:
    return NAMED.first(conn, whose=participant_id, name=name)


def target(conn: sa.Connection, target_id: int) -> Row | None:
    return TARGET.first(conn, target_id=target_id)


def insert_target(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    empty = dict.fromkeys(TARGET_COLUMNS) | {"error": ""}
    return int(INSERT_TARGET.scalar(conn, **empty | dict(values)))


def update_target(conn: sa.Connection, target_id: int, values: Mapping[str, Any]) -> None:
    UPDATE_TARGET.run(conn, target_id, values)


def remove_target(conn: sa.Connection, target_id: int) -> None:
    """Remove a target with what was on its way there."""
    conn.execute(notice_sends.delete().where(notice_sends.c.target_id == target_id))
    conn.execute(notice_targets.delete().where(notice_targets.c.id == target_id))


def remove_person(conn: sa.Connection, participant_id: int) -> None:
    """Forget somebody without targets, and what was to be told."""
    conn.execute(notices.delete().where(notices.c.participant_id == participant_id))
    conn.execute(notice_people.delete().where(notice_people.c.id == participant_id))


def waiting_for(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    """Read what somebody is to be told, the oldest first."""
    return NOTICES.rows(conn, whose=participant_id)


def about(conn: sa.Connection, participant_id: int, what: str) -> Row | None:
    return ABOUT.first(conn, whose=participant_id, about=what)


def insert_notice(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_NOTICE.run(conn, values)


def update_notice(conn: sa.Connection, notice_id: int, values: Mapping[str, Any]) -> None:
    UPDATE_NOTICE.run(conn, notice_id, values)


def remove_notices(conn: sa.Connection, ids: Sequence[int]) -> None:
    if ids:
        conn.execute(notices.delete().where(notices.c.id.in_(ids)))


def sends(conn: sa.Connection) -> Sequence[Row]:
    """Read all that is on its way, by target, the oldest first: two of a target at most."""
    return WAITING.rows(conn)


def send(conn: sa.Connection, send_id: str) -> Row | None:
    return SEND.first(conn, send_id=send_id)


def untried(conn: sa.Connection, target_id: int) -> Row | None:
    """Find what has not gone out to a target yet, so that more can go with it."""
    return UNTRIED.first(conn, target_id=target_id)


def insert_send(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_SEND.run(conn, values)


def update_send(conn: sa.Connection, send_id: str, values: Mapping[str, Any]) -> None:
    UPDATE_SEND.run(conn, send_id, values)


def remove_send(conn: sa.Connection, send_id: str) -> None:
    conn.execute(notice_sends.delete().where(notice_sends.c.id == send_id))


def hasten(conn: sa.Connection, people_ms: int, sends_ms: int) -> None:
    """Have nothing wait longer than until these times."""
    people, on_way = notice_people.c.due_ms, notice_sends.c.due_ms
    conn.execute(notice_people.update().where(people > people_ms).values(due_ms=people_ms))
    conn.execute(notice_sends.update().where(on_way > sends_ms).values(due_ms=sends_ms))


def count_sends(conn: sa.Connection) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(notice_sends)).scalar_one())


def count_failing(conn: sa.Connection) -> int:
    query = sa.select(sa.func.count()).select_from(notice_targets)
    return int(conn.execute(query.where(notice_targets.c.failing_ms.is_not(None))).scalar_one())
