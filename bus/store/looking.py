"""One way to ask a database from beside the bus, whichever engine has it: a text and its values."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from bus.errors import StorageFailedError


@dataclass(frozen=True)
class Looking:
    """A connection that is asked; in a question `?` stands for each value."""

    conn: Any
    """The driver's own, for what only one engine can be asked."""

    def rows(self, question: str, *given: Any) -> list[tuple[Any, ...]]:
        """Give every row of an answer."""
        with closing(self._ask(question, given)) as found:
            return [tuple(row) for row in found]

    def one(self, question: str, *given: Any) -> Any:
        """Give the first value of the first row, or None."""
        rows = self.rows(question, *given)
        return rows[0][0] if rows else None

    def facts(self, question: str, *given: Any) -> list[dict[str, Any]]:
        """Give every row with the names of its columns."""
        with closing(self._ask(question, given)) as found:
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]

    def _ask(self, question: str, given: tuple[Any, ...]) -> Any:
        if isinstance(self.conn, sqlite3.Connection):
            return self.conn.execute(question, given)
        import psycopg  # noqa: PLC0415 - may be missing

        try:
            return self.conn.execute(question.replace("?", "%s"), given)
        except psycopg.Error as error:
            raise StorageFailedError(str(error).split("\n", maxsplit=1)[0]) from error
