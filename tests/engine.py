"""The engine a run of tests is on: SQLite, or PostgreSQL where WAKEBUS_TEST_ENGINE=postgresql.

On PostgreSQL a run has one cluster, whichever of its processes asks, and every data folder has a
database in it that goes with the test. A test of what only one engine has says so by the marker
`sqlite_only`; any other looks into a bus's database by `look` and `change`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.postgres import Cluster, program

if TYPE_CHECKING:
    from pathlib import Path

IS_POSTGRESQL = os.environ.get("WAKEBUS_TEST_ENGINE", "sqlite") == "postgresql"
NUL = "" if IS_POSTGRESQL else "\0"
"""The one character that PostgreSQL keeps in no text: the bus refuses it there."""
TOLD = "WAKEBUS_TEST_CLUSTER"
"""By what the process that started the cluster tells the others of it."""
NUMBERS = count(1)
databases: dict[Path, str] = {}
"""What this process has made, by the data folder it belongs to."""


def start() -> Cluster:
    """Start the cluster of this run, for all its processes."""
    one = Cluster.start()
    os.environ[TOLD] = one.told
    return one


@cache
def cluster() -> Cluster:
    """Give the cluster of this run."""
    return Cluster.at(os.environ[TOLD])


def settings_of(data_dir: Path) -> dict[str, str]:
    """Give what a bus on a data folder needs in its environment for its database.

    Where the folder has none yet, it is an empty one that waits for `bus init`.
    """
    url = url_of(data_dir)
    return {"BUS_DATABASE_URL": url} if url else {}


def url_of(data_dir: Path) -> str:
    """Give the URL of a folder's database; SQLite has none."""
    if not IS_POSTGRESQL:
        return ""
    if data_dir not in databases:
        make(data_dir)
    return cluster().url(databases[data_dir])


def make(data_dir: Path, template: str | None = None) -> str:
    """Make the database of a data folder, empty or as another one is; gives its URL."""
    name = f"of_{os.getpid()}_{next(NUMBERS)}"
    url = cluster().create(name, template)
    databases[data_dir] = name
    return url


def copy_data(made: Path, data_dir: Path) -> None:
    """Copy a data folder of which no bus is running, with its database."""
    shutil.copytree(made, data_dir)
    if IS_POSTGRESQL:
        make(data_dir, databases[made])


def drop(data_dir: Path) -> None:
    """Remove the database of a data folder, where it has one."""
    if data_dir in databases:
        cluster().drop(databases.pop(data_dir))


def new_gate() -> Any:
    """Make what an operation of many rows can hang at: it has a thread on SQLite alone."""
    if not IS_POSTGRESQL:
        return threading.Event()
    import gevent.event  # noqa: PLC0415 - not where no PostgreSQL is asked

    return gevent.event.Event()


def cut(data_dir: Path) -> None:
    """End every connection to the database of a data folder."""
    where = f"datname = '{databases[data_dir]}'"
    cluster().execute(
        f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {where}"
    )


def dump(data_dir: Path) -> bytes:
    """Give all that is kept in a database, as it is kept or as text."""
    if not IS_POSTGRESQL:
        return b"".join(path.read_bytes() for path in data_dir.glob("*.db*"))
    words = cluster().admin_words(databases[data_dir])
    return subprocess.run(
        [str(program("pg_dump")), "-d", words], check=True, capture_output=True
    ).stdout


def look(data_dir: Path, statement: str, *values: Any) -> list[Any]:
    """Give the rows of one statement on the database of a bus, which may be running."""
    if IS_POSTGRESQL:
        return run_on_server(data_dir, statement, values)
    with closing(sqlite3.connect(f"file:{data_dir / 'bus.db'}?mode=ro", uri=True)) as conn:
        return conn.execute(statement, values).fetchall()


def change(data_dir: Path, statement: str, *values: Any) -> None:
    """Run one statement that writes to the database of a bus, and commit it."""
    if IS_POSTGRESQL:
        run_on_server(data_dir, statement, values)
        return
    with closing(sqlite3.connect(data_dir / "bus.db", timeout=30)) as conn, conn:
        conn.execute(statement, values)


def run_on_server(data_dir: Path, statement: str, values: tuple[Any, ...]) -> list[Any]:
    import psycopg  # noqa: PLC0415 - not where no PostgreSQL is asked

    words = url_of(data_dir).replace("+psycopg", "")
    with psycopg.connect(words, autocommit=True) as conn:
        cursor = conn.execute(statement.replace("%", "%%").replace("?", "%s"), values)
        return cursor.fetchall() if cursor.description else []
