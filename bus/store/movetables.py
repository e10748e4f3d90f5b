"""The tables of a bus, from a SQLite file to a PostgreSQL, by COPY and in the order of their keys.

A table goes in pieces: each is one transaction together with the place that it came to, so that
whatever ends the move in between, the next one goes on behind the last piece. What is alike on
both sides is seen by reading both again, in the same order.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from bus.errors import ConflictError
from bus.sessions.model import NOTE
from bus.store.movemark import KEY
from bus.store.schema import ENTRIES_FTS, metadata
from bus.store.words import lexemes_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Iterator

    Tell = Callable[[int], None]

PIECE_ROWS, PIECE_BYTES = 20_000, 8_000_000
NAMED = 20
READ_ROWS = 2_000
CHANGED = "somebody has written to one of them meanwhile; begin again: bus move --anew"
LEFT = frozenset({"processes", "leases", "buckets"})
"""What is true of running processes alone."""
NUL, INSTEAD = "\0", "�"
TYPES = {sa.Integer: "int8", sa.Text: "text", sa.Float: "float8", sa.LargeBinary: "bytea"}

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Carried:
    """One table: its columns, and its key, by which both sides are read in one order."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def where_key(self) -> list[int]:
        """Give the places of the key's columns in a row."""
        return [self.columns.index(name) for name in self.key]

    def key_of(self, row: Row) -> list[Any]:
        """Give the key of a row."""
        return [row[at] for at in self.where_key]

    @property
    def is_key_text(self) -> list[bool]:
        """Say of each column of the key whether it is text."""
        return [self.types[at] == "text" for at in self.where_key]


WORDS = Carried(
    ENTRIES_FTS, ("number", "session_number", "words"), ("int8", "int8", "tsvector"), ("number",)
)
"""The index of words, which is made anew: SQLite's own has another shape."""


def list_carried() -> list[Carried]:
    """List what is carried over: every table of the schema that outlives a process."""
    return [
        Carried(
            table.name,
            tuple(column.name for column in table.columns),
            tuple(type_of(column) for column in table.columns),
            tuple(column.name for column in table.primary_key.columns),
        )
        for table in metadata.sorted_tables
        if table.name not in LEFT
    ]


def type_of(column: sa.Column[Any]) -> str:
    """Name PostgreSQL's type of a column."""
    return next(name for kind, name in TYPES.items() if isinstance(column.type, kind))


def serial_columns() -> list[tuple[str, str]]:
    """List the tables whose keys are given out, each with its key."""
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        if table.name not in LEFT
        for column in table.primary_key.columns
        if column.autoincrement is True
    ]


def read_source(
    conn: sqlite3.Connection, table: Carried, after: list[Any] | None = None
) -> Iterator[Row]:
    """Read a table of SQLite in the order of its key, from behind a row."""
    names, key = quoted(table.columns), quoted(table.key)
    where = f"WHERE ({key}) > ({', '.join('?' * len(table.key))})" if after else ""
    if table.name == "meta":
        where = f"{where} {'AND' if where else 'WHERE'} key <> '{KEY}'"
    query = f'SELECT {names} FROM "{table.name}" {where} ORDER BY {key}'  # noqa: S608 - our schema
    found = conn.execute(query, after or ())
    while rows := found.fetchmany(READ_ROWS):
        yield from rows


def read_words(conn: sqlite3.Connection, after: list[Any] | None) -> Iterator[Row]:
    """Read what was said as rows of the index of words, from behind a row."""
    found = conn.execute(
        "SELECT number, session_number, body FROM entries WHERE kind <> ? AND number > ?"
        " ORDER BY number",
        (NOTE, after[0] if after else 0),
    )
    while rows := found.fetchmany(READ_ROWS):
        yield from ((number, session, lexemes_of(body)) for number, session, body in rows)


def read_target(conn: psycopg.Connection[Any], table: Carried) -> Generator[Row, None, None]:
    """Read a table of PostgreSQL in the same order."""
    order = ", ".join(
        f'"{name}" COLLATE "C"' if is_text else f'"{name}"'
        for name, is_text in zip(table.key, table.is_key_text, strict=True)
    )
    names = quoted(table.columns)
    where = f"WHERE key NOT IN ('{KEY}')" if table.name == "meta" else ""
    query = f'SELECT {names} FROM "{table.name}" {where} ORDER BY {order}'  # noqa: S608 - our schema
    with conn.transaction(), conn.cursor("move", binary=True) as found:
        found.execute(query.encode())
        while rows := found.fetchmany(READ_ROWS):
            yield from rows


def quoted(names: tuple[str, ...]) -> str:
    """Write names for a statement."""
    return ", ".join(f'"{name}"' for name in names)


def without_nul(row: Row) -> Row:
    """Give a row as PostgreSQL can hold it: its texts have no NUL."""
    return tuple(
        value.replace(NUL, INSTEAD) if isinstance(value, str) and NUL in value else value
        for value in row
    )


def cut_piece(rows: Iterator[Row]) -> list[Row]:
    """Take as many of the next rows as go together; none where there are no more."""
    piece, size = [], 0
    for row in islice(rows, PIECE_ROWS):
        piece.append(row)
        size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if size > PIECE_BYTES:
            break
    return piece


@dataclass
class Way:
    """How far a table has come: behind which key, with how many rows; and what was changed."""

    after: list[Any] | None = None
    rows: int = 0
    changed: int = 0
    named: list[str] = field(default_factory=list)
    """The keys of the first rows that were changed."""
    is_done: bool = False

    def gone_on(self, table: Carried, piece: list[Row], changed: list[Row]) -> Way:
        """Give how far it is after one more piece; after an empty one it is done."""
        keys = [" ".join(map(str, table.key_of(row))) for row in changed]
        return Way(
            table.key_of(piece[-1]) if piece else self.after,
            self.rows + len(piece),
            self.changed + len(changed),
            [*self.named, *keys][:NAMED],
            is_done=not piece,
        )


class Carrier:
    """Carries one table after another."""

    def __init__(self, source: sqlite3.Connection, target: psycopg.Connection[Any]) -> None:
        self._source, self._target = source, target

    def carry(self, table: Carried, way: Way, tell: Tell) -> Way:
        """Carry a table from where it was left to its end; gives how that was."""
        read = partial(read_source, table=table) if table is not WORDS else read_words
        rows = read(self._source, after=way.after)
        while not way.is_done:
            piece, changed = cut_piece(rows), list[Row]()
            try:
                way = self._carry_piece(table, way, piece, changed)
            except psycopg.errors.CharacterNotInRepertoire:
                cleaned = [without_nul(row) for row in piece]
                changed = [row for row, other in zip(cleaned, piece, strict=True) if row != other]
                way = self._carry_piece(table, way, cleaned, changed)
            tell(way.rows)
        return way

    def _carry_piece(self, table: Carried, way: Way, piece: list[Row], changed: list[Row]) -> Way:
        """Carry so many rows, and note how far that is; both or neither."""
        now = way.gone_on(table, piece, changed)
        form = "TEXT" if table is WORDS else "BINARY"  # psycopg has no binary form of lexemes
        statement = f'COPY "{table.name}" ({quoted(table.columns)}) FROM STDIN (FORMAT {form})'
        with self._target.transaction():
            with self._target.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                if form == "BINARY":
                    copy.set_types(table.types)
                for row in piece:
                    copy.write_row(row)
            note_way(self._target, table.name, now)
        return now

    def compare(self, table: Carried, way: Way, tell: Tell) -> str:
        """Read a table on both sides; gives the checksum that both have.

        Raises:
            ConflictError: they are not alike.
        """
        checksum, count = hashlib.sha256(), 0
        ours: Iterator[Row] = read_source(self._source, table)
        ours = map(without_nul, ours) if way.changed else ours
        theirs = read_target(self._target, table)
        with closing(theirs):
            while True:
                mine, copied = list(islice(ours, READ_ROWS)), list(islice(theirs, READ_ROWS))
                if mine != copied:
                    where = first_difference(table, mine, copied)
                    raise ConflictError(
                        f"table {table.name} and its copy are not alike at {where}; {CHANGED}"
                    )
                if not mine:
                    return checksum.hexdigest()
                checksum.update(repr(mine).encode())
                count += len(mine)
                tell(count)


def first_difference(table: Carried, mine: list[Row], copied: list[Row]) -> str:
    """Name the first row, by its key, that is not the same on both sides, or on one side only."""
    pairs = zip_longest(mine, copied)
    row = next(one or other for one, other in pairs if one != other)
    return " ".join(map(str, table.key_of(row)))


def note_way(conn: psycopg.Connection[Any], name: str, way: Way) -> None:
    """Note how far a table has come."""
    conn.execute(
        "INSERT INTO move_places VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET way ="
        " excluded.way",
        (name, json.dumps(vars(way))),
    )


def read_ways(conn: psycopg.Connection[Any]) -> dict[str, Way]:
    """Read how far each table has come."""
    return {
        name: Way(**json.loads(way))
        for name, way in conn.execute("SELECT name, way FROM move_places")
    }
