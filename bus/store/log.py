"""The append-only log that owns `seq`: every fact that somebody may wait for is a row.

A row is written in the transaction that makes it true, so one writer's order of allocation is the
order of commit and nothing ever appears below a cursor already passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from bus.clock import shown_time
from bus.jsontext import write_json
from bus.store.beside import FORMER
from bus.store.given import last_given, set_last_given
from bus.store.meta import read_facts, set_fact
from bus.store.schema import log
from bus.store.statement import Statement, bind, insert
from bus.store.transaction import EVERYTHING, Transaction, node_topic, participant_topic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


EPOCH_CHARS = 8
MOST_FORMER = 50
EVERY_ROW = 2**62
APPEND = insert(log, *(column.name for column in log.c))
HEAD = Statement(sa.select(sa.func.max(log.c.seq)))
ROWS = sa.select(
    *(log.c[name] for name in ("seq", "kind", "data", "participant_id", "sender_id", "node_id")),
    log.c.compartment,
)
BETWEEN = Statement(
    ROWS.where(log.c.seq > bind("after"), log.c.seq <= bind("upto"))
    .order_by(log.c.seq)
    .limit(bind("most"))
)
FIRST = Statement(sa.select(sa.func.min(log.c.seq)).where(log.c.seq > bind("after")))


class Row(NamedTuple):
    """One fact: its place in the log, its kind, whom it concerns, and the JSON a stream shows."""

    seq: int
    kind: str
    text: str
    participant_id: int | None
    sender_id: int | None
    node_id: int | None
    compartment: str | None


@dataclass(frozen=True)
class Bounds:
    """The epoch, the oldest place that a cursor may name, and the newest row."""

    epoch: str
    oldest: int
    head: int


class Concerns(NamedTuple):
    """Whom a fact is about: the participant it is for, the sender of the message, the node.

    One of a compartment is seen by its people, whoever is concerned.
    """

    participant_id: int | None = None
    sender_id: int | None = None
    node_id: int | None = None
    compartment: str | None = None

    def columns(self) -> dict[str, int | str | None]:
        """Give them as a row of the log has them."""
        return {
            "participant_id": self.participant_id,
            "sender_id": self.sender_id,
            "node_id": self.node_id,
            "compartment": self.compartment,
        }

    def topics(self) -> list[str]:
        """Name who must look again."""
        people = (self.participant_id, self.sender_id)
        topics = [participant_topic(who) for who in people if who is not None]
        return topics if self.node_id is None else [*topics, node_topic(self.node_id)]


def append(tx: Transaction, kind: str, data: Mapping[str, Any], concerns: Concerns) -> int:
    """Add a fact for those it concerns, and have them look again; gives its `seq`."""
    last = last_given(tx.conn) if tx.last_seq is None else tx.last_seq
    seq = tx.last_seq = last + 1
    row = {"seq": seq, "at_ms": tx.now_ms, "kind": kind, "data": write_json(data).decode()}
    tx.write_later(APPEND, row | concerns.columns())
    tx.look_again(EVERYTHING, *concerns.topics())
    return seq


def read_between(
    conn: sa.Connection,
    after: int,
    upto: int,
    audience: Sequence[sa.ColumnElement[bool]],
    most: int = EVERY_ROW,
) -> list[Row]:
    """Read the rows of a stretch that the audience may see, oldest first, at most so many.

    A stretch and not so many rows alone: where several indexes are asked, SQLite sorts all that is
    left for each page, and a reader that missed much would have it sorted again and again.
    """
    if not audience:
        return [Row._make(row) for row in BETWEEN.rows(conn, after=after, upto=upto, most=most)]
    query = ROWS.where(log.c.seq > after, log.c.seq <= upto, sa.or_(*audience))
    return [Row._make(row) for row in conn.execute(query.order_by(log.c.seq).limit(most)).all()]


def end_of_stretch(conn: sa.Connection, after: int, rows: int) -> int | None:
    """Find a place at most so many rows on, or None where there are none.

    A restored log has a wide gap in its numbers: it is counted from behind that.
    """
    first: int | None = FIRST.scalar(conn, after=after)
    return None if first is None else first + rows - 1


def read_bounds(conn: sa.Connection) -> Bounds:
    """Read the log's epoch and ends. `oldest` is the last trimmed place: a cursor there is good."""
    facts = read_facts(conn)
    oldest = int(facts.get("log_trimmed_to", "0"))
    head = HEAD.scalar(conn)
    return Bounds(facts["epoch"], oldest, max(oldest, head or 0))


def newest(conn: sa.Connection) -> str | None:
    """Give when the last thing happened, as text; None where nothing has."""
    return shown_time(conn.execute(sa.select(sa.func.max(log.c.at_ms))).scalar())


def begin_epoch(tx: Transaction) -> str:
    """Begin a new epoch, for a database that was put back to an earlier time; gives its name.

    No cursor of before is good any more, and no `seq` that was given out since is given again: the
    numbers go on above the microseconds of the clock.
    """
    facts = read_facts(tx.conn)
    epoch = tx.ids.secret(EPOCH_CHARS).lower()
    former = " ".join([*facts.get(FORMER, "").split(), facts["epoch"]][-MOST_FORMER:])
    set_fact(tx, "epoch", epoch)
    set_fact(tx, FORMER, former)
    tx.write_out()
    head = max(read_bounds(tx.conn).head, tx.now_ms * 1000)
    set_last_given(tx, head)
    tx.last_seq = None
    return epoch


def trim(tx: Transaction, older_than_ms: int, limit: int) -> int:
    """Remove up to `limit` rows from the log's beginning; gives how many went.

    The newest row always stays, so the head is never forgotten.
    """
    tx.write_out()
    oldest = tx.conn.execute(
        sa.select(log.c.seq, log.c.at_ms).order_by(log.c.seq).limit(limit)
    ).all()
    newest = tx.conn.execute(sa.select(sa.func.max(log.c.seq))).scalar() or 0
    last = 0
    for row in oldest:
        if row.at_ms >= older_than_ms or row.seq >= newest:
            break
        last = row.seq
    if not last:
        return 0
    gone = tx.conn.execute(log.delete().where(log.c.seq <= last)).rowcount
    set_fact(tx, "log_trimmed_to", str(last))
    return gone
