"""A statement that is built and compiled once, and from then on costs what the database costs.

SQLAlchemy says what a statement is and writes it for the database at hand; run by SQLAlchemy, most
of a short statement's time would go into building it again. It runs in the transaction of the
connection that it is given; outside of one it is a snapshot of its own. It knows no table.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

POSTGRESQL = "postgresql"
Row = Any
"""A named tuple of the statement's columns; `_asdict()` gives them by name."""


def bind(name: str) -> sa.BindParameter[Any]:
    """Make the place of a value that is given at each run."""
    return sa.bindparam(name, required=False)


def beginning(column: Any, length: Any) -> sa.ColumnElement[Any]:
    """Cut what a column has of text or bytes; PostgreSQL knows no length of 64 bits."""
    return sa.func.substr(column, 1, sa.cast(length, sa.Integer))


class Statement:
    """A select, insert, update or delete; its values are `bind`s, or fixed."""

    def __init__(self, clause: Any) -> None:
        self._clause = clause
        self._text = self._for = ""
        self._pick: Callable[[Mapping[str, Any]], Sequence[Any]] = tuple
        self._fixed: dict[str, Any] = {}
        self._make: Any = tuple

    def written(self, conn: sa.Connection, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """Give the statement as the database gets it, and its values in their order."""
        if self._for != conn.dialect.name:
            self._write(conn)
        given = {**self._fixed, **values} if self._fixed else values
        return self._text, self._pick(given)

    def rows(self, conn: sa.Connection, **values: Any) -> list[Row]:
        """Read every row."""
        text, given = self.written(conn, values)
        try:
            found = cursor_of(conn).execute(text, given).fetchall()
        except conn.dialect.loaded_dbapi.Error as error:
            raise wrapped(conn, text, error) from error
        make = self._make
        return list(map(make, found))

    def first(self, conn: sa.Connection, **values: Any) -> Row | None:
        """Read the first row, or None. A row or two are meant: it reads them all."""
        rows = self.rows(conn, **values)
        return rows[0] if rows else None

    def scalar(self, conn: sa.Connection, **values: Any) -> Any:
        """Read the first column of the first row, or None."""
        rows = self.rows(conn, **values)
        return rows[0][0] if rows else None

    def run(self, conn: sa.Connection, values: Mapping[str, Any]) -> None:
        """Write."""
        text, given = self.written(conn, values)
        try:
            cursor_of(conn).execute(text, given)
        except conn.dialect.loaded_dbapi.Error as error:
            raise wrapped(conn, text, error) from error

    def run_each(self, conn: sa.Connection, many: Iterable[Mapping[str, Any]]) -> None:
        """Write once for each set of values."""
        rows = list(many)
        if not rows:
            return
        self.written(conn, rows[0])
        fixed, pick = self._fixed, self._pick
        given = [pick(fixed | dict(values)) for values in rows] if fixed else list(map(pick, rows))
        try:
            cursor_of(conn).executemany(self._text, given)
        except conn.dialect.loaded_dbapi.Error as error:
            raise wrapped(conn, self._text, error) from error

    def _write(self, conn: sa.Connection) -> None:
        written = self._clause.compile(
            dialect=written_for(conn), compile_kwargs={"render_postcompile": True}
        )
        names = tuple(written.positiontup or ())
        self._fixed = {name: value for name, value in written.params.items() if value is not None}
        columns = [column[0] for column in written._result_columns]  # noqa: SLF001 - else only a run tells
        if columns:
            self._make = make_row_type(columns)
        self._pick, self._text, self._for = picker(names), str(written), conn.dialect.name


def picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Make what takes the values of these names, in their order."""
    if len(names) > 1:
        return itemgetter(*names)
    if not names:
        return lambda _given: ()
    (name,) = names
    return lambda given: (given[name],)


def make_row_type(columns: list[str]) -> Any:
    """Make what turns a plain row into one whose columns have names."""
    row_type: Any = namedtuple("Row", columns)  # type: ignore[misc]  # noqa: PYI024 - known at run time only
    return partial(tuple.__new__, row_type)


def written_for(conn: sa.Connection) -> sa.Dialect:
    """Give the dialect in which a value is a place: PostgreSQL's own `$1`, SQLite's `?`."""
    return by_number() if conn.dialect.name == POSTGRESQL else conn.dialect


@cache
def by_number() -> sa.Dialect:
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg  # noqa: PLC0415

    made: sa.Dialect = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    return made


def cursor_of(conn: sa.Connection) -> Any:
    """Give what runs a statement as it is written: SQLite's connection does.

    PostgreSQL's answers later (`bus.store.pipeline`): what writes is not waited for.
    """
    own = connection_of(conn)
    return own.direct if conn.dialect.name == POSTGRESQL else own


def settle(conn: sa.Connection, *, forget: bool = False) -> None:
    """Wait until all that was written is: what is wrong with it is raised, or forgotten."""
    if conn.dialect.name == POSTGRESQL:
        try:
            cursor_of(conn).settle(forget=forget)
        except conn.dialect.loaded_dbapi.Error as error:
            raise wrapped(conn, "", error) from error


def connection_of(conn: sa.Connection) -> Any:
    """Give the driver's own connection, by the shortest way: every statement asks for it."""
    return conn.connection.dbapi_connection


def wrapped(conn: sa.Connection, text: str, error: Exception) -> Exception:
    """Give a driver's error as SQLAlchemy would, without the values: those are people's words."""
    base = conn.dialect.loaded_dbapi.Error
    made: Exception = sa.exc.DBAPIError.instance(
        text, None, error, base, hide_parameters=True, dialect=conn.dialect
    )
    return made


class Update:
    """Updates of one row of a table, by its key, of whichever columns; each set compiled once."""

    def __init__(self, table: sa.Table, key: str) -> None:
        self._table, self._key = table, key
        self._known: dict[tuple[str, ...], Statement] = {}

    def run(self, conn: sa.Connection, key: Any, values: Mapping[str, Any]) -> None:
        """Set some columns of the row with this key."""
        names = tuple(values)
        known = self._known.get(names)
        if known is None:
            where = self._table.c[self._key] == bind("the_key")
            change = self._table.update().where(where).values({name: bind(name) for name in names})
            known = self._known[names] = Statement(change)
        known.run(conn, {**values, "the_key": key})


def insert(table: sa.Table, *names: str, returning: str | None = None) -> Statement:
    """Make an insert of these columns, or of all but a serial key."""
    wanted = names or [column.name for column in table.c if column.autoincrement is not True]
    statement: Any = table.insert().values({name: bind(name) for name in wanted})
    return Statement(statement if returning is None else statement.returning(table.c[returning]))
