"""Every statement of alerts, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.alerts.model import OPEN, RAISED
from bus.store.deadlines import Deadlines
from bus.store.schema import alert_steps, alerts, participants
from bus.store.statement import Statement, Update, bind, insert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bus.store.statement import Row

raiser = participants.alias("raiser")
FULL = sa.select(alerts, raiser.c.name.label("by")).select_from(
    alerts.join(raiser, raiser.c.id == alerts.c.for_id)
)
"""An alert with the name that its agent has now: the row that the whole room works on."""
INSERT, INSERT_STEP = insert(alerts), insert(alert_steps)
UPDATE = Update(alerts, "id")
FIND = Statement(FULL.where(alerts.c.id == bind("alert_id")))
STEPS = Statement(
    sa.select(alert_steps, participants.c.name.label("to"))
    .select_from(alert_steps.join(participants, participants.c.id == alert_steps.c.to_id))
    .where(alert_steps.c.alert_id == bind("alert_id"))
    .order_by(alert_steps.c.id)
)
WAITING = Statement(
    sa.select(alert_steps.c.alert_id, alert_steps.c.message_id).where(
        alert_steps.c.waiting_id == bind("whose")
    )
)
CLEAR = Statement(
    alert_steps.update()
    .where(alert_steps.c.alert_id == bind("of_alert"))
    .values(waiting_id=sa.null())
)
OF = FULL.where(alerts.c.for_id == bind("whose"), alerts.c.state == OPEN)
OPEN_OF = Statement(OF)
OPEN_ABOUT = Statement(FULL.where(alerts.c.about == bind("about"), alerts.c.state == OPEN))
DEADLINES = Deadlines(alerts, FULL)
due, first_due = DEADLINES.due, DEADLINES.first_due


def insert_alert(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT.run(conn, values)


def insert_step(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    INSERT_STEP.run(conn, values)


def update(conn: sa.Connection, alert_id: str, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, alert_id, values)


def clear_waiting(conn: sa.Connection, alert_id: str) -> None:
    """Wait for no ack of an alert any more."""
    CLEAR.run(conn, {"of_alert": alert_id})


def find(conn: sa.Connection, alert_id: str) -> Row | None:
    return FIND.first(conn, alert_id=alert_id)


def steps(conn: sa.Connection, alert_id: str) -> Sequence[Row]:
    return STEPS.rows(conn, alert_id=alert_id)


def waiting(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    """List the messages of open alerts that somebody could ack."""
    return WAITING.rows(conn, whose=participant_id)


def open_of(conn: sa.Connection, participant_id: int) -> Sequence[Row]:
    return OPEN_OF.rows(conn, whose=participant_id)


RAISED_SINCE = Statement(
    sa.select(alerts.c.created_ms)
    .where(
        alerts.c.for_id == bind("whose"),
        alerts.c.created_ms > bind("since_ms"),
        alerts.c.cause == RAISED,
    )
    .order_by(alerts.c.created_ms)
)


def raised_since(conn: sa.Connection, participant_id: int, since_ms: int) -> list[int]:
    """List when somebody raised alerts since a time, the oldest first, whatever came of them."""
    rows = RAISED_SINCE.rows(conn, whose=participant_id, since_ms=since_ms)
    return [row.created_ms for row in rows]


def open_about(conn: sa.Connection, about: str) -> Sequence[Row]:
    return OPEN_ABOUT.rows(conn, about=about)


def page(  # noqa: PLR0913, PLR0917 - whose, which, and how far one has come
    conn: sa.Connection,
    seen: Collection[int] | None,
    me: int | None,
    states: Sequence[str],
    after: str,
    limit: int,
) -> Sequence[Row]:
    """List alerts, newest first: of those that are seen (None: all), and what one was told."""
    query = FULL.where(alerts.c.state.in_(states), alerts.c.id < after)
    if seen is not None:
        told = sa.select(alert_steps.c.alert_id).where(alert_steps.c.to_id == me)
        query = query.where(sa.or_(alerts.c.for_id.in_(seen), alerts.c.id.in_(told)))
    return conn.execute(query.order_by(alerts.c.id.desc()).limit(limit)).all()


def hasten(conn: sa.Connection, by_ms: int) -> None:
    """Have no open alert go on later than a time."""
    conn.execute(alerts.update().where(alerts.c.due_ms > by_ms).values(due_ms=by_ms))


def prune(conn: sa.Connection, before_ms: int, limit: int) -> int:
    """Remove alerts that ended before a time, and open ones from before: what told is gone too."""
    left = sa.and_(alerts.c.state == OPEN, alerts.c.created_ms < before_ms)
    query = sa.select(alerts.c.id).where(sa.or_(alerts.c.ended_ms < before_ms, left))
    old = conn.execute(query.limit(limit)).scalars().all()
    conn.execute(alert_steps.delete().where(alert_steps.c.alert_id.in_(old)))
    conn.execute(alerts.delete().where(alerts.c.id.in_(old)))
    return len(old)
