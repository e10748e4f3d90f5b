"""A session as one file, and back: a line of JSON each for what it is, who is in it, what was said.

A file is a stranger's: what is taken in is new, of nobody's own, and says so.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.clock import from_text, to_text
from bus.directory.rules import NAME
from bus.errors import BatchTooLargeError, InvalidRequestError
from bus.mail.model import SYSTEM
from bus.sessions import finding, queries, rules, showing
from bus.sessions.model import IMPORTED, KINDS, NOTE, OPEN, Imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from bus.access.model import Principal

FORMAT, VERSION = "session", 1
MOST_ENTRIES = 20_000
PAGE = 500
KEPT = ("what", "state", "answer")
"""What is kept of an entry's data: words, and no name of anything that is on this bus."""
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""Each is one word, as the bus writes them: they stand beside its own, outside of the text."""


class HeaderLine(msgspec.Struct):
    """The first line of a file."""

    wakebus: Literal["session"]
    version: Literal[1]
    title: str


class EntryLine(msgspec.Struct, rename={"sender": "from"}):
    """What was said, as a file has it."""

    at: str
    kind: str
    sender: str
    body: str
    to: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    data: dict[str, Any] = {}


class Line(msgspec.Struct):
    """Any further line; who was in it is for people to read."""

    entry: EntryLine | None = None


HEADER, LINE = msgspec.json.Decoder(HeaderLine), msgspec.json.Decoder(Line)


def write_head(
    conn: sa.Connection, principal: Principal, session_id: str, now_ms: int
) -> tuple[list[str], int]:
    """Write what a session is and who is in it; gives its last place, too."""
    row = finding.find(conn, principal, session_id)
    header = {
        "wakebus": FORMAT,
        "version": VERSION,
        "session_id": row.id,
        "title": row.title,
        "state": row.state,
        "by": row.creator,
        "created_at": to_text(row.created_ms),
        "exported_at": to_text(now_ms),
        "entries": row.place,
    }
    people = [
        {"participant": {"name": one.name, "kind": one.kind, "joined_at": to_text(one.joined_ms)}}
        for one in queries.members(conn, row.number)
    ]
    return [write(line) for line in (header, *people)], row.place


def write_entries(
    conn: sa.Connection, principal: Principal, session_id: str, after: int, upto: int
) -> tuple[list[str], int]:
    """Write the next entries behind a place, and give how far that came."""
    row = finding.find(conn, principal, session_id)
    rows = [one for one in queries.after(conn, row.number, after, PAGE) if one.place <= upto]
    return [write({"entry": showing.show_entry(one)}) for one in rows], after + len(rows)


def write(line: dict[str, Any]) -> str:
    """Write a line; in ASCII, so that nothing in it ends the line or steers a terminal."""
    return json.dumps(line) + "\n"


def read_file(text: str, now_ms: int, most_bytes: int) -> tuple[str, list[Imported]]:
    """Read a file: its title and its entries, or which line is wrong and why."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise InvalidRequestError("the file is empty; `bus session export` writes one")
    if len(lines) > MOST_ENTRIES:
        raise BatchTooLargeError(f"the file has {len(lines)} lines; at most {MOST_ENTRIES}")
    header: HeaderLine = decode(HEADER, lines[0], 1)
    title = rules.check_title(header.title)
    return title, list(read_entries(lines[1:], now_ms, most_bytes))


def read_entries(lines: list[str], now_ms: int, most_bytes: int) -> Iterator[Imported]:
    """Read what was said, line by line."""
    for number, text in enumerate(lines, 2):
        line: Line = decode(LINE, text, number)
        if line.entry is not None:
            try:
                yield read_entry(line.entry, now_ms, most_bytes)
            except InvalidRequestError as error:
                raise InvalidRequestError(f"line {number}: {error.detail}") from error


def decode(decoder: msgspec.json.Decoder[Any], text: str, number: int) -> Any:
    """Read a line as JSON of its shape."""
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidRequestError(f"line {number} is not right: {error}") from error


def read_entry(line: EntryLine, now_ms: int, most_bytes: int) -> Imported:
    """Check one entry of a file."""
    if line.kind not in KINDS:
        raise InvalidRequestError(f"'kind' is one of {', '.join(KINDS)}, not {line.kind[:40]!r}")
    is_note = line.kind == NOTE
    if not NAME.fullmatch(line.sender) or (line.sender == SYSTEM and not is_note):
        raise InvalidRequestError(f"'from' is no name: {line.sender[:40]!r}")
    if line.body.strip() or line.kind == "message":
        rules.check_body(line.body, most_bytes)
    if not all(NAME.fullmatch(name) for name in line.to):
        raise InvalidRequestError("'to' has what is no name")
    try:
        at_ms = from_text(line.at)
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(f"'at' is not a time: {line.at[:40]!r}") from error
    author = "" if line.sender == SYSTEM else line.sender
    at_ms = min(max(at_ms, 0), now_ms)
    return Imported(at_ms, line.kind, author, line.body, tuple(line.to), keep_words(line.data))


def keep_words(data: dict[str, Any]) -> dict[str, Any]:
    """Keep of an entry's data a few words; what was not done is not done here."""
    given = {name: data[name] for name in KEPT if isinstance(data.get(name), str)}
    kept: dict[str, Any] = {name: word for name, word in given.items() if WORD.fullmatch(word)}
    if kept.get("state") == OPEN:  # it will never come to its end here
        kept["state"] = IMPORTED
    return kept | {"imported": True}
