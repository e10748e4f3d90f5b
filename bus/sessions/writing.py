"""The one place where an entry is made: its place, whom its fact is told, and who is woken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.access.model import Principal
from bus.directory import service as directory
from bus.errors import InvalidRequestError
from bus.mail import service as mail
from bus.mail.model import SYSTEM
from bus.sessions import finding, queries, rules
from bus.sessions.model import IMPORTED, MESSAGE, NOTE, OUTPUT, PREVIEW, Word
from bus.store.log import Concerns, append

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from bus.directory.model import Participant
    from bus.sessions.model import Imported
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Written:
    """An entry as it was written, and what became of the agents that it wakes."""

    entry: Row
    deliveries: list[dict[str, Any]]


def write_entry(  # noqa: PLR0913 - where, by whom, what, and who hears of it
    tx: Transaction,
    session: Row,
    author_id: int | None,
    word: Word,
    *,
    by_id: int | None = None,
    tells: bool | None = None,
) -> Written:
    """Write an entry of an open session, by whom is in it or by the bus (None).

    Its author's cursor goes with it where nothing was unread; `by_id` is whose doing a note is.
    `tells` says whether agents are woken by it; a message does, and nothing else by itself.
    """
    finding.check_open(session)
    there = queries.members(tx.conn, session.number)
    named = find_named(word, there)
    place = queries.take_place(tx.conn, session.number, tx.now_ms)
    author = None if author_id is None else directory.get(tx.conn, author_id)
    entry_id = tx.ids.new("e", tx.now_ms)
    values = {
        "id": entry_id,
        "session_number": session.number,
        "place": place,
        "at_ms": tx.now_ms,
        "kind": word.kind,
        "author_id": author_id,
        "author": "",
        "trust": word.trust or trust_of(author),
        "body": word.body,
        "named": json.dumps(named),
        "data": json.dumps(word.data),
        "in_reply_to": check_answered(tx, session, word.in_reply_to),
        "reply_key": word.reply_key,
    }
    queries.insert_entry(tx.conn, values)
    entry = get_entry(tx, entry_id)
    for one in there:
        if one.participant_id in {author_id, by_id} and one.cursor == place - 1:
            queries.move_cursor(tx.conn, session.number, one.participant_id, place)
    tell_streams(tx, session, entry, there)
    tx.record("entry_written", session=session.id, place=place, kind=word.kind)
    deliveries: list[dict[str, Any]] = []
    if author is not None and (word.kind == MESSAGE if tells is None else tells):
        deliveries = tell_agents(tx, session, entry, author, word)
    if word.kind != OUTPUT:  # there is nothing to read of it yet
        announce(tx, session, entry, by_id)
    return Written(entry, deliveries)


def announce(tx: Transaction, session: Row, entry: Row, by_id: int | None = None) -> None:
    """Have people hear of an entry who are away, but for whose doing it is."""
    there = queries.members(tx.conn, session.number)
    people = [one.participant_id for one in there if one.kind == "person"]
    others = [who for who in people if who not in {entry.author_id, by_id}]
    tx.announce("session_entry", session=session, entry=entry, person_ids=others)


def change_entry(  # noqa: PLR0913 - of which entry, and what changes
    tx: Transaction,
    session: Row,
    entry_id: str,
    *,
    body: str | None = None,
    data: dict[str, Any] | None = None,
    tells: bool = False,
) -> Row:
    """Give an entry its end: another text, other data. Its place stays, and streams hear of it.

    Also in a session that was closed meanwhile. `tells` has agents woken by it now, as by one.
    """
    entry = get_entry(tx, entry_id)
    changes: dict[str, Any] = {} if body is None else {"body": body}
    if body is not None and tells:
        names = [one.name for one in queries.members(tx.conn, session.number)]
        changes["named"] = json.dumps(rules.find_named(body, names))
    if data is not None:
        changes["data"] = json.dumps(data)
    queries.update_entry(tx.conn, entry, changes)
    entry = get_entry(tx, entry_id)
    tell_streams(tx, session, entry, queries.members(tx.conn, session.number))
    if tells and entry.author_id is not None:
        author = directory.get(tx.conn, entry.author_id)
        tell_agents(tx, session, entry, author, Word(entry.kind, entry.body))
    return entry


def write_imported(
    tx: Transaction, session: Row, me: Participant, several: Iterable[Imported]
) -> int:
    """Write what a file has into a session that was just made; gives how much it was."""
    place = 0
    for place, one in enumerate(several, 1):
        values = {
            "id": tx.ids.new("e", tx.now_ms),
            "session_number": session.number,
            "place": place,
            "at_ms": one.at_ms,
            "kind": one.kind,
            "author_id": None,
            "author": one.author,
            "trust": IMPORTED,
            "body": one.body,
            "named": json.dumps(one.named),
            "data": json.dumps(one.data),
            "in_reply_to": None,
            "reply_key": None,
        }
        queries.insert_entry(tx.conn, values)
    queries.update(tx.conn, session.number, {"place": place})
    queries.move_cursor(tx.conn, session.number, me.id, place)
    return place


def write_note(  # noqa: PLR0913, PLR0917 - of what, by whom, and whom it concerns
    tx: Transaction,
    session: Row,
    what: str,
    body: str,
    by: Participant | None,
    who: Iterable[str] = (),
) -> None:
    """Note what was done with the session itself; `who` are those whom it was done to."""
    data = {"what": what, "by": SYSTEM if by is None else by.name, "who": list(who)}
    word = Word(NOTE, body, data, trust="system")
    write_entry(tx, session, None, word, by_id=None if by is None else by.id)


def get_entry(tx: Transaction, entry_id: str) -> Row:
    """Get an entry that is known to exist."""
    entry = queries.entry(tx.conn, entry_id)
    if entry is None:
        raise InvalidRequestError(f"no entry {entry_id[:40]!r}")
    return entry


def author_of(conn: sa.Connection, session: Row, entry_id: str) -> str:
    """Name the author of an entry of a session."""
    entry = queries.entry(conn, entry_id)
    if entry is None or entry.session_number != session.number:
        raise InvalidRequestError(f"'entry': no entry {entry_id[:40]!r} of this session")
    return name_of(entry)


def trust_of(author: Participant | None) -> str:
    """Say how far an author is known, in the words that mail has for it."""
    if author is None:
        return "system"
    return "person" if author.kind == "person" else "peer"


def find_named(word: Word, there: Sequence[Row]) -> list[str]:
    """Find whom a word names: those it is said to, and those whom its text names."""
    names = [one.name for one in there]
    wrong = [name for name in word.to if name.lower() not in names]
    if wrong:
        raise InvalidRequestError(
            f"{', '.join(repr(name[:70]) for name in wrong[:3])} is not in this session; "
            f"in it are {', '.join(names)}"
        )
    said = rules.find_named(word.body, names) if word.kind == MESSAGE else ()
    return [*dict.fromkeys([*(name.lower() for name in word.to), *said])]


def check_answered(tx: Transaction, session: Row, entry_id: str | None) -> str | None:
    """Refuse an answer to what was not said here."""
    if entry_id is not None:
        entry = queries.entry(tx.conn, entry_id)
        if entry is None or entry.session_number != session.number:
            raise InvalidRequestError(f"'in_reply_to': no entry {entry_id[:40]!r} of this session")
    return entry_id


def tell_streams(tx: Transaction, session: Row, entry: Row, there: Sequence[Row]) -> None:
    """Put an entry on the stream of everyone in the session, and of nobody else."""
    data = {
        "session": session.id,
        "entry_id": entry.id,
        "place": entry.place,
        "kind": entry.kind,
        "from": name_of(entry),
        "preview": preview(entry.body),
        "state": json.loads(entry.data).get("state"),
        "at": tx.now_text,
    }
    for one in there:
        append(tx, "entry", {"to_agent": one.name, **data}, concerns(session, one.participant_id))


def concerns(session: Row, participant_id: int) -> Concerns:
    """Say whom a fact of a session is about: one who is in it.

    The session stands as a compartment of its own, so that nobody sees it for seeing that one.
    """
    return Concerns(participant_id=participant_id, compartment=session.id)


def name_of(entry: Row) -> str:
    """Name who wrote an entry; of an imported one as the file had it."""
    return entry.author_name or entry.author or SYSTEM


def preview(body: str) -> str:
    """Give the beginning of a text as one harmless line."""
    return mail.one_line(body[: 2 * PREVIEW])[:PREVIEW]


def tell_agents(
    tx: Transaction, session: Row, entry: Row, author: Participant, word: Word
) -> list[dict[str, Any]]:
    """Have the agents hear of an entry that are to be woken by it; gives what became of each."""
    named, by_person = json.loads(entry.named), author.kind == "person"
    principal = Principal(
        "person" if by_person else "agent",
        author.name,
        "",
        author.id,
        compartments=author.compartments,
        trust=entry.trust,
    )
    if not by_person:
        mail.note_said(tx, principal, session.thread)
    hearers = []
    for one in queries.members(tx.conn, session.number):
        if one.participant_id == author.id or one.kind == "person":
            continue
        known = {"is_named": one.name in named, "names_nobody": not named, "by_person": by_person}
        if rules.is_woken(one.wake, **known):
            agent = directory.get(tx.conn, one.participant_id)
            hearers.append(mail.Hearer(agent, rules.is_asked(**known)))
    if not hearers:
        return []
    said = mail.Said(
        principal,
        session.id,
        session.thread,
        entry.place,
        entry.body,
        word.priority,
        word.mail_type,
    )
    return mail.tell_entry(tx, said, hearers)
