"""Carry a stopped bus from its SQLite file over to an empty PostgreSQL, without losing a cursor.

Epoch, numbers of the log, ids and tokens stay what they are. The file is marked before the first
row is copied and the copy is marked until every row was found alike: at no time can both be served,
and after an interruption at any point the same command goes on.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bus.errors import ConflictError, NoDatabaseError, SchemaError
from bus.ids import RandomIds
from bus.store import connecting, given, lock, movemark, servermigrate, whole
from bus.store.beside import open_beside, read_meta
from bus.store.copying import count_rows, schema_of, silent
from bus.store.movemark import Mark
from bus.store.movetables import (
    WORDS,
    Carrier,
    Way,
    list_carried,
    read_ways,
    serial_columns,
)
from bus.store.version import HEAD

if TYPE_CHECKING:
    import sqlite3

    import psycopg

    from bus.config import Config
    from bus.store.connecting import Place
    from bus.store.copying import Progress

FROM = "moved_from"
"""The row of `meta` of a bus that was carried over: by which move."""
NOTES = ("move_places", "move_later")
MAKE_NOTES = (
    "CREATE TABLE move_places (name text PRIMARY KEY, way text NOT NULL)",
    "CREATE TABLE move_later (number serial PRIMARY KEY, words text NOT NULL)",
)
LATER = """
SELECT 2, format('ALTER TABLE %I DROP CONSTRAINT %I', r.relname, c.conname),
       format('ALTER TABLE %I ADD CONSTRAINT %I %s', r.relname, c.conname,
              pg_get_constraintdef(c.oid))
FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
WHERE r.relnamespace = current_schema()::regnamespace AND c.contype IN ('f', 'u')
UNION ALL
SELECT 1, format('DROP INDEX %I', r.relname), pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid
WHERE r.relnamespace = current_schema()::regnamespace AND NOT i.indisprimary
  AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""
"""What is dropped while the rows come and made again behind them, which is much faster: the indexes
and the constraints between tables, as the database itself writes them."""
SETTINGS = (
    "SET synchronous_commit = off",  # a piece that is lost is lost with the note of its place
    "SET maintenance_work_mem = '256MB'",
    "SET work_mem = '64MB'",
    "SET extra_float_digits = 3",
)


@dataclass(frozen=True)
class Moved:
    """What was carried over; `changed` has the rows that had a NUL in a text, by table."""

    to: str
    epoch: str
    rows: dict[str, int]
    checksums: dict[str, str]
    changed: dict[str, Way] = field(default_factory=dict)
    went_on: bool = False


def move(
    config: Config, place: Place, now_ms: int, *, anew: bool = False, progress: Progress = silent
) -> Moved:
    """Carry the bus of the data folder over; `anew` throws away what another move has left there.

    Raises:
        BusError: a bus runs on either, the target is not empty or of another source, or something
            could not be copied; the same command goes on.
    """
    if not config.db_path.exists():
        raise NoDatabaseError(f"there is no database at {config.db_path}")
    with ExitStack() as held:
        held.enter_context(lock.held(config.db_path))
        mark = check_source(config, place, now_ms)
        target = held.enter_context(connecting.connected(place, writes=True))
        servermigrate.take(target)
        went_on = prepare_target(target, place, mark, anew=anew)
        movemark.set_mark(config.db_path, mark)
        source = held.enter_context(open_beside(config.db_path))
        source.execute("BEGIN")
        return Move(source, target, mark, progress).run(config, went_on=went_on)


def check_source(config: Config, place: Place, now_ms: int) -> Mark:
    """Refuse a file that is not at this program's schema or has gone elsewhere; gives its mark."""
    with open_beside(config.db_path) as looked:
        at, mark = schema_of(looked), movemark.read_mark(looked)
    if at != HEAD:
        raise SchemaError(
            f"{config.db_path} is at schema {at or 'none'}, this program at {HEAD}; first, without "
            "BUS_DATABASE_URL: bus migrate --backup"
        )
    if mark is None:
        return Mark(RandomIds().secret(12), place.shown, now_ms)
    if mark.to != place.shown:
        begun = "has moved" if mark.is_done else "is being moved"
        raise ConflictError(
            f"this bus {begun} to {mark.to}. To go elsewhere, first: bus move --undo"
        )
    return mark


def prepare_target(conn: psycopg.Connection[Any], place: Place, mark: Mark, *, anew: bool) -> bool:
    """Have an empty schema there that is marked as not whole; says whether a move went on.

    Raises:
        ConflictError: it has a bus of its own, or half of another move.
    """
    begun = whole.read_mark(conn)
    if begun is not None and begun[1].get("move") == mark.move and not anew:
        return True
    if begun is not None and not anew:
        raise ConflictError(
            f"{place.shown} has half of another move or restore; to throw that away: bus move "
            "--anew"
        )
    if begun is not None:
        whole.clear(conn)
    if servermigrate.read_schema(conn) is None:
        servermigrate.bring_up(place, is_held=True)
    check_empty(conn, place, mark)
    with conn.transaction():
        whole.begin(conn, "move", {"move": mark.move})
        for words in MAKE_NOTES:
            conn.execute(words.encode())
        conn.execute("DELETE FROM meta")
        later = sorted(conn.execute(LATER.encode()).fetchall(), reverse=True)
        for _, drop, _ in later:
            conn.execute(drop)
        for _, _, words in reversed(later):
            conn.execute("INSERT INTO move_later (words) VALUES (%s)", (words,))
    return False


def check_empty(conn: psycopg.Connection[Any], place: Place, mark: Mark) -> None:
    """Refuse a database with anything in it, and say what it is where that is known."""
    at = servermigrate.read_schema(conn)
    if at != HEAD:
        raise SchemaError(f"{place.shown} is at schema {at}, this program at {HEAD}: bus migrate")
    if mark.is_done and servermigrate.read_meta(conn).get(FROM) == mark.move:
        raise ConflictError(f"this bus has moved already, and all of it is in {place.shown}")
    filled = whole.filled(conn)
    if filled:
        fresh = place.but(f"{place.name}_moved")
        raise ConflictError(
            f"{place.shown} is not empty: it has {', '.join(filled[:3])}. Name an empty database; "
            f"a new one, as the server's administrator: {fresh.createdb}"
        )


class Move:
    """One move: every table, what was put off, the keys that are given out next, the check."""

    def __init__(
        self,
        source: sqlite3.Connection,
        target: psycopg.Connection[Any],
        mark: Mark,
        progress: Progress,
    ) -> None:
        self._source, self._target = source, target
        self._mark, self._progress = mark, progress
        self._tables = list_carried()
        self._carrier = Carrier(source, target)

    def run(self, config: Config, *, went_on: bool) -> Moved:
        """Do all that is not done yet; the last step makes the copy whole."""
        for words in SETTINGS:
            self._target.execute(words.encode())
        counted = count_rows(self._source)
        whole_rows = sum(counted[table.name] for table in self._tables)
        ways = self._carry(whole_rows + counted["entries"])
        self._make_later()
        self._set_serials()
        sums = self._compare(ways, whole_rows)
        movemark.set_mark(config.db_path, replace(self._mark, is_done=True))
        self._progress("ending", 0, 1)
        self._finish()
        self._progress("ending", 1, 1)
        return Moved(
            self._mark.to,
            read_meta(self._source)["epoch"],
            {table.name: ways[table.name].rows for table in self._tables},
            sums,
            {name: way for name, way in ways.items() if way.changed},
            went_on,
        )

    def _carry(self, whole_rows: int) -> dict[str, Way]:
        ways = read_ways(self._target)
        done = sum(way.rows for way in ways.values())
        for table in (*self._tables, WORDS):
            way = ways.get(table.name, Way())
            before = done - way.rows
            ways[table.name] = self._carrier.carry(
                table,
                way,
                partial(self._tell, "copying", before, whole_rows),
            )
            done = before + ways[table.name].rows
        return ways

    def _tell(self, step: str, before: int, whole_rows: int, rows: int) -> None:
        self._progress(step, before + rows, whole_rows)

    def _make_later(self) -> None:
        """Make the indexes and the constraints, each with the note that it is made."""
        later = self._target.execute("SELECT number, words FROM move_later ORDER BY number")
        todo = later.fetchall()
        for done, (number, words) in enumerate(todo):
            self._progress("indexing", done, len(todo))
            with self._target.transaction():
                self._target.execute(words)
                self._target.execute("DELETE FROM move_later WHERE number = %s", (number,))
        self._progress("indexing", len(todo), len(todo))
        self._target.execute("ANALYZE")

    def _set_serials(self) -> None:
        """Have keys go on behind the last that was ever given, also where its row has gone."""
        known = dict(self._source.execute("SELECT name, seq FROM sqlite_sequence"))
        for name, column in serial_columns():
            query = f'SELECT coalesce(max("{column}"), 0) FROM "{name}"'  # noqa: S608 - our schema
            (most,) = self._source.execute(query).fetchone()
            last = max(most, known.get(name, 0))
            if last:
                self._target.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s)", (name, column, last)
                )

    def _last_place(self) -> int:
        """Give the highest place of the log that was ever given out."""
        row = self._source.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
        return int(row[0]) if row else 0

    def _compare(self, ways: dict[str, Way], whole_rows: int) -> dict[str, str]:
        done, sums = 0, {}
        for table in self._tables:
            way = ways[table.name]
            sums[table.name] = self._carrier.compare(
                table,
                way,
                partial(self._tell, "checking", done, whole_rows),
            )
            done += way.rows
        return sums

    def _finish(self) -> None:
        """Have the copy be whole, on the disk."""
        with self._target.transaction():
            self._target.execute("SET LOCAL synchronous_commit = on")
            facts = ((FROM, self._mark.move), (given.FROM, str(self._last_place())))
            for key, value in facts:
                self._target.execute("INSERT INTO meta VALUES (%s, %s)", (key, value))
            for name in NOTES:
                self._target.execute(f"DROP TABLE {name}".encode())
            whole.end(self._target)
