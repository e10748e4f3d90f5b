"""Every statement of durable streams, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.deadlines import Deadlines
from bus.store.schema import sessions, streams
from bus.store.schema import stream_chunks as chunks
from bus.store.schema import stream_producers as producers
from bus.store.statement import Statement, Update, beginning, bind, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.store.statement import Row

FULL = sa.select(streams)
INSERT = insert(streams, *(c.name for c in streams.c if c.name != "place"), returning="place")
INSERT_CHUNK, INSERT_PRODUCER = insert(chunks), insert(producers)
UPDATE = Update(streams, "place")
FIND = Statement(FULL.where(streams.c.id == bind("stream_id")))
GET = Statement(FULL.where(streams.c.place == bind("stream")))
PRODUCER = Statement(
    sa.select(producers).where(
        producers.c.stream == bind("stream"), producers.c.producer == bind("producer")
    )
)
SET_PRODUCER = Statement(
    producers.update()
    .where(producers.c.stream == bind("of_stream"), producers.c.producer == bind("who"))
    .values(epoch=bind("epoch"), seq=bind("seq"))
)
LENGTHEN = Statement(
    chunks.update()
    .where(chunks.c.stream == bind("of_stream"), chunks.c.at == bind("at_place"))
    # SQLite calls what `||` gives a text, whatever went in; its bytes stay as they are.
    .values(data=sa.cast(chunks.c.data.op("||")(bind("more")), sa.LargeBinary))
)
BEFORE = (
    sa.select(sa.func.max(chunks.c.at))
    .where(chunks.c.stream == bind("stream"), chunks.c.at <= bind("at"))
    .scalar_subquery()
)
FROM = Statement(
    sa.select(chunks.c.at, chunks.c.data)
    .where(chunks.c.stream == bind("stream"), chunks.c.at >= BEFORE)
    .order_by(chunks.c.at)
    .limit(bind("most"))
)
LAST_AT = Statement(sa.select(sa.func.max(chunks.c.at)).where(chunks.c.stream == bind("stream")))
OF_OWNER = Statement(
    sa.select(sa.func.count().label("count"), sa.func.sum(streams.c.size).label("bytes")).where(
        streams.c.owner_id == bind("owner"), streams.c.deleted_ms.is_(None)
    )
)
DEADLINES = Deadlines(streams, FULL)
due, first_due = DEADLINES.due, DEADLINES.first_due


def find(conn: sa.Connection, stream_id: str) -> Row | None:
    return FIND.first(conn, stream_id=stream_id)


def get(conn: sa.Connection, place: int) -> Row | None:
    return GET.first(conn, stream=place)


def add(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    """Insert a stream; gives its place."""
    place: int = INSERT.scalar(conn, **values)
    return place


def update(conn: sa.Connection, place: int, values: Mapping[str, Any]) -> None:
    UPDATE.run(conn, place, values)


def producer(conn: sa.Connection, place: int, name: str) -> Row | None:
    return PRODUCER.first(conn, stream=place, producer=name)


def keep_producer(
    conn: sa.Connection, place: int, name: str, at: tuple[int, int], *, is_new: bool
) -> None:
    """Keep how far a producer has come: its epoch, and its last append in that."""
    epoch, seq = at
    if is_new:
        INSERT_PRODUCER.run(conn, {"stream": place, "producer": name, "epoch": epoch, "seq": seq})
    else:
        told = {"of_stream": place, "who": name, "epoch": epoch, "seq": seq}
        SET_PRODUCER.run(conn, told)


def add_chunk(conn: sa.Connection, place: int, at: int, data: bytes) -> None:
    INSERT_CHUNK.run(conn, {"stream": place, "at": at, "data": data})


def lengthen(conn: sa.Connection, place: int, at: int, more: bytes) -> None:
    """Add to the last chunk of a stream."""
    LENGTHEN.run(conn, {"of_stream": place, "at_place": at, "more": more})


def chunks_from(conn: sa.Connection, place: int, at: int, most: int) -> Sequence[Row]:
    """Read chunks, from the one that has this place on."""
    return FROM.rows(conn, stream=place, at=at, most=most)


def copy_chunks(conn: sa.Connection, source: int, to: int, upto: int) -> None:
    """Copy what a stream has before a place."""
    begun = beginning(chunks.c.data, upto - chunks.c.at)
    wanted = sa.select(sa.literal(to), chunks.c.at, begun).where(
        chunks.c.stream == source, chunks.c.at < upto
    )
    conn.execute(chunks.insert().from_select(["stream", "at", "data"], wanted))


def last_at(conn: sa.Connection, place: int) -> int:
    """Give where a stream's last chunk begins."""
    return LAST_AT.scalar(conn, stream=place) or 0


def of_owner(conn: sa.Connection, owner_id: int) -> Row:
    """Count somebody's streams, and their bytes."""
    return OF_OWNER.rows(conn, owner=owner_id)[0]


def empty(conn: sa.Connection, place: int) -> None:
    """Remove what a stream holds."""
    conn.execute(chunks.delete().where(chunks.c.stream == place))
    conn.execute(producers.delete().where(producers.c.stream == place))


def remove(conn: sa.Connection, place: int) -> None:
    conn.execute(streams.delete().where(streams.c.place == place))


def has_forks(conn: sa.Connection, place: int) -> bool:
    found = sa.select(streams.c.place).where(streams.c.source == place).limit(1)
    return conn.execute(found).first() is not None


def owned(conn: sa.Connection, owner_id: int) -> Sequence[Row]:
    """List somebody's own streams, those of sessions aside."""
    mine = FULL.where(streams.c.owner_id == owner_id, streams.c.session_id.is_(None))
    return conn.execute(mine.where(streams.c.deleted_ms.is_(None))).all()


def left_behind(conn: sa.Connection, limit: int) -> Sequence[Row]:
    """List streams of sessions that are gone for good."""
    there = sa.select(sessions.c.id).where(sessions.c.id == streams.c.session_id)
    lost = FULL.where(streams.c.session_id.is_not(None), ~there.exists())
    return conn.execute(lost.where(streams.c.deleted_ms.is_(None)).limit(limit)).all()


def open_of(conn: sa.Connection, session_id: str, owner_id: int) -> list[str]:
    """List the streams of a session that somebody still adds to; copies of such aside."""
    theirs = sa.and_(streams.c.session_id == session_id, streams.c.owner_id == owner_id)
    query = sa.select(streams.c.id).where(theirs, streams.c.closed_ms.is_(None))
    is_said = sa.and_(streams.c.deleted_ms.is_(None), streams.c.source.is_(None))
    return list(conn.execute(query.where(is_said)).scalars())


def forks_in(conn: sa.Connection, session_id: str, owner_id: int) -> Sequence[Row]:
    """List what somebody copied of the streams of a session."""
    theirs = FULL.where(streams.c.session_id == session_id, streams.c.owner_id == owner_id)
    is_copy = sa.and_(streams.c.deleted_ms.is_(None), streams.c.source.is_not(None))
    return conn.execute(theirs.where(is_copy)).all()


def begin_era(conn: sa.Connection, era: int) -> int:
    """Begin a new era where each stream ends now; gives how many there are."""
    # A clock that was set back since must not put it before an era that was.
    now = {
        "era": sa.case((streams.c.era >= era, streams.c.era + 1), else_=era),
        "era_from": streams.c.size,
    }
    return conn.execute(streams.update().where(streams.c.deleted_ms.is_(None)).values(now)).rowcount


def hear_all(conn: sa.Connection, now_ms: int) -> None:
    """Have every producer count as heard just now, and the keeper look at all that has an end."""
    leased = sa.and_(streams.c.lease_s.is_not(None), streams.c.closed_ms.is_(None))
    conn.execute(streams.update().where(leased).values(heard_ms=now_ms))
    ahead = streams.c.touched_ms > now_ms
    conn.execute(streams.update().where(ahead).values(touched_ms=now_ms))
    ends = streams.c.due_ms.is_not(None)
    conn.execute(streams.update().where(ends).values(due_ms=now_ms))
