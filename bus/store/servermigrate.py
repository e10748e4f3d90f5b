"""Make the schema of a PostgreSQL, and bring an older one to this program's: one transaction.

An empty database gets the whole of `schema.py` and is stamped with the newest migration; from then
on it goes by the migrations as a SQLite does. Two at once: one waits, and finds it done.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import command

from bus.errors import LockedError, SchemaError, StorageFailedError
from bus.ids import RandomIds
from bus.store import connecting, whole
from bus.store.copying import silent
from bus.store.log import EPOCH_CHARS
from bus.store.migrate import alembic_config, pending
from bus.store.processes import DEAD_MS, NOW_MS
from bus.store.schema import meta, metadata
from bus.store.version import HEAD
from bus.store.words import postgresql_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from bus.config import Config
    from bus.store.connecting import Place
    from bus.store.copying import Progress

MIGRATE_LOCK = 0x77616B65_6D696772
"""The advisory lock of whoever changes the schema, or fills a database."""
BUSY = "another command (migrate, move, restore) is at work on this database; wait for its end"
STAMP = "alembic_version"


def find_schema(config: Config) -> str | None:
    """Give the revision of a bus's database, or None where it is empty."""
    with connecting.connected(connecting.place_of(config), writes=True) as conn:
        whole.check_whole(conn)
        return read_schema(conn)


def migrate_server(
    config: Config, *, backup: bool = False, progress: Progress = silent
) -> list[str]:
    """Bring the database to this program's schema; gives the revisions applied, oldest first.

    Raises:
        SchemaError: it is a newer program's, not whole, or has what is none of a bus.
        LockedError: a bus runs on it and the schema would change.
    """
    place = connecting.place_of(config)
    with connecting.connected(place, writes=True) as conn:
        whole.check_whole(conn)
        at = read_schema(conn)
        if at is not None and pending(at):
            check_stopped(conn)
            if backup:
                keep(config, place, progress)
    return bring_up(place)


def bring_up(place: Place, *, is_held: bool = False) -> list[str]:
    """Do it: everything or nothing, and nothing twice; `is_held`: the caller has the lock."""
    engine = sa.create_engine(place.url, poolclass=sa.NullPool)
    try:
        with engine.connect() as conn, conn.begin(), refusing(place):
            driver: psycopg.Connection[Any] = conn.connection.driver_connection  # type: ignore[assignment]
            if not is_held:
                conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATE_LOCK})")
            at = read_schema(driver)
            if at is None:
                make(conn, driver)
                return [HEAD]
            steps = pending(at)
            if steps:
                from bus.store.postgresql import WRITER_LOCK  # noqa: PLC0415 - loads psycopg

                conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
                # A bus that starts says that it lives before it writes, and then sees the new one.
                check_stopped(driver)
                command.upgrade(alembic_config(conn), "head")
            return steps
    finally:
        engine.dispose()


def make(conn: sa.Connection, driver: psycopg.Connection[Any]) -> None:
    """Make everything in an empty database, with an epoch of its own."""
    there = whole.tables_of(driver)
    if there:
        raise SchemaError(
            f"the database has tables that are none of a bus ({', '.join(there[:3])}): give the "
            "bus one of its own"
        )
    metadata.create_all(conn)
    postgresql_only.create_all(conn)
    conn.exec_driver_sql(f"CREATE TABLE {STAMP} (version_num varchar(32) PRIMARY KEY)")
    conn.exec_driver_sql(f"INSERT INTO {STAMP} VALUES (%s)", (HEAD,))  # noqa: S608 - fixed
    epoch = RandomIds().secret(EPOCH_CHARS).lower()
    conn.execute(meta.insert().values(key="epoch", value=epoch))


def read_schema(conn: psycopg.Connection[Any]) -> str | None:
    """Give the revision, or None where nothing of a bus is there."""
    if STAMP not in whole.tables_of(conn):
        return None
    row = conn.execute(f"SELECT version_num FROM {STAMP}").fetchone()  # noqa: S608 - fixed
    return str(row[0]) if row else None


def read_meta(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Read what a database says of itself; nothing where it is none of a bus."""
    if "meta" not in whole.tables_of(conn):
        return {}
    return dict(conn.execute("SELECT key, value FROM meta").fetchall())


def read_epoch(conn: psycopg.Connection[Any]) -> str:
    """Give the epoch of a database with a schema."""
    return read_meta(conn).get("epoch", "")


@contextmanager
def held(config: Config) -> Iterator[None]:
    """Have the database for oneself: no bus runs on it, and no other command works on it.

    Raises:
        LockedError: somebody is there.
    """
    with connecting.connected(connecting.place_of(config), writes=True) as conn:
        take(conn)
        check_stopped(conn)
        yield


def take(conn: psycopg.Connection[Any]) -> None:
    """Be the only command at work on a database, for as long as the connection lasts."""
    if conn.execute(f"SELECT pg_try_advisory_lock({MIGRATE_LOCK})").fetchone() != (True,):
        raise LockedError(BUSY)


def check_free(conn: psycopg.Connection[Any]) -> None:
    """Refuse where a command has the database for itself now."""
    free = conn.execute(f"SELECT pg_try_advisory_lock_shared({MIGRATE_LOCK})").fetchone()
    if free != (True,):
        raise LockedError(BUSY)


def check_stopped(conn: psycopg.Connection[Any]) -> None:
    """Refuse where a bus runs on it.

    Raises:
        LockedError: its processes have said so within the last seconds.
    """
    running = live_processes(conn)
    if running:
        raise LockedError(
            f"a bus runs on this database: {', '.join(running[:3])}; stop every one of them first "
            f"(one that was killed counts as gone after {DEAD_MS // 1000} s)"
        )


def live_processes(conn: psycopg.Connection[Any]) -> list[str]:
    """Name the processes that are alive, by machine and number."""
    if "processes" not in whole.tables_of(conn):
        return []
    query = f"SELECT host, pid FROM processes WHERE heard_ms > {NOW_MS} - %s ORDER BY 1, 2"  # noqa: S608 - fixed
    return [f"process {pid} on {host}" for host, pid in conn.execute(query, (DEAD_MS,))]


def keep(config: Config, place: Place, progress: Progress) -> None:
    """Copy the database before it changes."""
    from bus.store.dumping import dump_checked  # noqa: PLC0415 - only where it is asked for

    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    dump_checked(place, config.data_dir / f"bus.before-{HEAD}.dump", progress)


@contextmanager
def refusing(place: Place) -> Iterator[None]:
    """Say what the server refused as the bus says such things."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise StorageFailedError(
            f"{place.shown}: {connecting.one_line(error.orig or error)}"
        ) from error
