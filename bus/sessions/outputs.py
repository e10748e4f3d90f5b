"""Outputs: what somebody says in a session as it is made, word by word, as a durable stream.

The entry stands from the first word on; when the stream ends, its text becomes the entry's, in the
same transaction, so that it is searched, exported and told like any other. The stream has the name
of its entry. A whole text needs its stream no longer: it stays a while for who is still reading it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.errors import ForbiddenError, InvalidRequestError, NotFoundError, StaleEpochError
from bus.sessions import finding, queries
from bus.sessions.model import CLOSED, DIED, FAILED, OPEN, OUTPUT, OutputAsk, Word
from bus.sessions.writing import announce, change_entry, get_entry, write_entry
from bus.streams import service as streams
from bus.streams.model import CLOSED as STREAM_CLOSED

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

OUTPUT_KEY = "output "
PRODUCER = "watcher"
"""Under which name of a producer a turn is said, whichever life of its watcher says it."""
KEPT_S = 3600
REASON = 500


@dataclass(frozen=True)
class Opened:
    """An output, and whether it is new."""

    shown: dict[str, Any]
    is_new: bool


def open_output(
    tx: Transaction, principal: Principal, session_id: str, wanted: OutputAsk
) -> Opened:
    """Begin to say something; what was begun under the same key and still lasts is gone on with.

    Raises:
        NotFoundError: no such session, or nothing to go on with where only that is wanted.
        SessionClosedError: the session takes nothing now.
    """
    session = finding.find(tx.conn, principal, session_id)
    me = principal.participant_id or 0
    key = f"{OUTPUT_KEY}{me} {wanted.key}" if wanted.key else None
    there = None if key is None else queries.by_reply_key(tx.conn, key)
    if there is not None:
        return Opened(show(tx, session, there), is_new=False)
    if wanted.resumes:
        raise NotFoundError(f"nothing was begun to be said for {wanted.key[:70]!r}")
    finding.check_open(session)
    word = Word(OUTPUT, "", {"state": OPEN, "bytes": 0}, trust=principal.trust, reply_key=key)
    entry = write_entry(tx, session, me, word).entry
    stream = streams.Wanted(wanted.content_type, lease_s=wanted.lease_s, session_id=session.id)
    streams.create(tx, me, entry.id, stream)
    data = {"stream": entry.id, **json.loads(entry.data)}
    queries.update_entry(tx.conn, entry, {"data": json.dumps(data)})
    return Opened(show(tx, session, get_entry(tx, entry.id)), is_new=True)


def end_output(  # noqa: PLR0913, PLR0917 - which, by whom, and how it went
    tx: Transaction,
    principal: Principal,
    session_id: str,
    entry_id: str,
    failure: str | None,
    epoch: int | None,
) -> dict[str, Any]:
    """End what is being said; with why it broke off, where it did. Ended again it stays as it is.

    Raises:
        NotFoundError: no such output.
        ForbiddenError: it is another's.
        StaleEpochError: a newer life of its producer goes on with it.
    """
    session = finding.find(tx.conn, principal, session_id)
    entry = queries.entry(tx.conn, entry_id)
    if entry is None or entry.session_number != session.number or entry.kind != OUTPUT:
        raise NotFoundError(f"no output {entry_id[:40]!r} in this session")
    if entry.author_id != principal.participant_id:
        raise ForbiddenError(f"{entry_id} is another's: only who says it ends it")
    data = json.loads(entry.data)
    if data["state"] == OPEN:
        newest = streams.epoch_of(tx.conn, entry.id, PRODUCER)
        if epoch is not None and newest is not None and epoch < newest:
            raise StaleEpochError(f"epoch {newest} goes on with it", epoch=newest)
        if failure is not None:
            fail(tx, entry, failure)
        else:
            streams.close(tx, entry.id)
    return show(tx, session, get_entry(tx, entry_id))


def break_off(tx: Transaction, session: Row, member: Row) -> None:
    """End what somebody is saying who goes out of a session, and what they copied of it."""
    for stream_id in streams.open_of(tx.conn, session.id, member.participant_id):
        fail(tx, get_entry(tx, stream_id), f"{member.name} is no longer in the session")
    streams.delete_forks(tx, session.id, member.participant_id)


def fail(tx: Transaction, entry: Row, reason: str) -> None:
    """End what is being said, with why it broke off."""
    data = json.loads(entry.data) | {"state": FAILED, "reason": reason[:REASON]}
    queries.update_entry(tx.conn, entry, {"data": json.dumps(data)})
    streams.close(tx, entry.id)


def on_stream_closed(tx: Transaction, stream: Row, how: str) -> None:
    """Hear that a stream has ended: what was said is the entry's text, as far as one holds it."""
    entry = None if stream.session_id is None else queries.entry(tx.conn, stream.id)
    if entry is None or entry.kind != OUTPUT:
        return
    data = json.loads(entry.data)
    if data["state"] == OPEN:
        data["state"] = CLOSED if how == STREAM_CLOSED else DIED
    text = streams.read_text(tx.conn, stream.id, tx.config.max_body_bytes)
    body, is_whole = ("", True) if text is None else (text.text, text.is_whole)
    data |= {"bytes": stream.size, **({} if is_whole else {"cut": True})}
    if data["state"] != CLOSED:  # what is said for the same again is said anew
        queries.update_entry(tx.conn, entry, {"reply_key": None})
    session = finding.get(tx.conn, stream.session_id)
    body = body.replace("\0", "\ufffd")
    tells = data["state"] == CLOSED and bool(body.strip())
    entry = change_entry(tx, session, entry.id, body=body, data=data, tells=tells)
    if body.strip():
        announce(tx, session, entry)
    if is_whole:
        streams.let_expire(tx, stream.id, KEPT_S)
    tx.record("output_ended", session=session.id, entry=entry.id, state=data["state"])


def show(tx: Transaction, session: Row, entry: Row) -> dict[str, Any]:
    """Show an output to whom it is of: where its words go, and where its next life goes on."""
    data = json.loads(entry.data)
    stream = streams.find_stream(tx.conn, entry.id)
    epoch = streams.epoch_of(tx.conn, entry.id, PRODUCER)
    return {
        "entry_id": entry.id,
        "place": entry.place,
        "session_id": session.id,
        "stream": entry.id,
        "state": data["state"],
        "bytes": data["bytes"] if stream is None else stream.size,
        "content_type": None if stream is None else stream.content_type,
        "lease_s": None if stream is None else stream.lease_s,
        "epoch": 0 if epoch is None else epoch + 1,
    }


def check_type(content_type: str) -> str:
    """Refuse what is no text: a session is read by people and models."""
    if not content_type.lower().startswith("text/"):
        raise InvalidRequestError(
            "'content_type' is a text, such as text/plain or text/markdown; other bytes go to a "
            "stream of your own: PUT /streams/ID"
        )
    return content_type


def may_read_stream(conn: sa.Connection, stream: Row, principal: Principal) -> bool:
    """Say whether somebody may read what is said in a session: whoever is in it."""
    session = queries.find(conn, stream.session_id)
    return session is not None and finding.is_in(conn, session, principal.participant_id)


def may_speak(conn: sa.Connection, participant_id: int, session_id: str) -> bool:
    """Say whether something can be said in a session by somebody now."""
    session = queries.find(conn, session_id)
    return (
        session is not None
        and session.state == OPEN
        and finding.is_in(conn, session, participant_id)
    )
