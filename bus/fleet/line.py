"""A process's own connection to the PostgreSQL, past any pooler: made anew where it has failed.

One statement after another, each a transaction, and none without end. It must not know what is
said.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gevent
import sqlalchemy as sa
from gevent.lock import RLock

from bus.errors import StorageFailedError

if TYPE_CHECKING:
    import psycopg

WITHIN_S = 5.0
"""How long one statement may take, and making the connection."""


def connect(url: str, name: str) -> psycopg.Connection[Any]:
    """Make a connection; it has an end, whatever the server does."""
    import psycopg  # noqa: PLC0415 - an extra, that SQLite does not need

    read = sa.make_url(url)
    words: dict[str, Any] = dict(read.get_dialect()().create_connect_args(read)[1])
    words.pop("context", None)  # SQLAlchemy's own
    alive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    given: dict[str, Any] = {
        "connect_timeout": round(WITHIN_S),
        "application_name": f"wakebus {name}",
        **alive,
    }
    return psycopg.connect(**(given | words), autocommit=True, prepare_threshold=None)


class Line:
    """A connection for statements."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._conn: psycopg.Connection[Any] | None = None
        self._turn = RLock()
        self._silences = 0
        """How often the database has not answered."""

    def ask(self, statement: str, values: Any = ()) -> list[Any]:
        """Run one statement; gives its rows.

        Raises:
            StorageFailedError: it could not be, within its time.
        """
        import psycopg  # noqa: PLC0415

        late, silences = gevent.Timeout(WITHIN_S), self._silences
        with self._turn:
            if silences != self._silences:
                raise silent()  # who was before has waited for all who wait
            try:
                with late:
                    if self._conn is None:
                        self._conn = connect(self._url, self._name)
                    cursor = self._conn.execute(statement, values)
                    return cursor.fetchall() if cursor.description else []
            except gevent.Timeout as over:
                self.close()
                if over is not late:
                    raise
                self._silences += 1
                raise silent() from over
            except (psycopg.Error, OSError) as error:
                self.close()
                said = str(error).strip().partition("\n")[0]
                raise StorageFailedError(f"the database: {said}", retry_after_s=5) from error
            except BaseException:  # what is under way would be the next one's
                self.close()
                raise

    def close(self) -> None:
        """Let the connection go."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(Exception):
                conn.close()


def silent() -> StorageFailedError:
    return StorageFailedError(
        f"the database has not answered within {WITHIN_S:g} s", retry_after_s=5
    )
