"""Put a backup in the database's place: made ready beside it, then exchanged in one step.

The lock is held from the first to the last line. Whatever fails before the exchange leaves the
present database as it was; the exchange keeps it under another name.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bus.errors import InvalidRequestError, SchemaError
from bus.store import movemark
from bus.store.backup import stamp
from bus.store.beside import open_beside
from bus.store.copying import copy_checked, own_like, schema_of, silent, sync
from bus.store.migrate import migrate, pending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bus.config import Config
    from bus.store.copying import Progress

DRAFT = ".restoring"


@contextmanager
def prepare(config: Config, file: Path, progress: Progress = silent) -> Iterator[Config]:
    """Make a backup ready under another name, at this program's schema; gives where.

    Raises:
        BusError: it is no backup, is broken, or is of a newer program.
    """
    check_file(config, file)
    ready = replace(config, data_dir=config.data_dir / DRAFT)
    shutil.rmtree(ready.data_dir, ignore_errors=True)  # what one that was killed has left
    ready.data_dir.mkdir(mode=0o700)
    try:
        copy_checked(file, ready.db_path, progress)
        migrate(ready)
        movemark.set_mark(ready.db_path, None)
        yield ready
    finally:
        shutil.rmtree(ready.data_dir, ignore_errors=True)


def check_file(config: Config, file: Path) -> None:
    """Refuse what is no backup of a bus, or of a newer program's."""
    if config.db_path.exists() and file.samefile(config.db_path):
        raise InvalidRequestError(f"{file} is the database itself; name a backup")
    with file.open("rb") as begun:
        if begun.read(5) == b"PGDMP":
            raise InvalidRequestError(f"{file} is a backup of PostgreSQL: set BUS_DATABASE_URL")
    with open_beside(file) as looked:
        schema = schema_of(looked)
        tables = {row[0] for row in looked.execute("SELECT name FROM sqlite_master")}
    if not schema or not {"meta", "log", "messages", "deliveries"} <= tables:
        raise SchemaError(f"{file} is a database, but none of a bus")
    try:
        pending(schema)
    except SchemaError as error:
        raise SchemaError(f"{file}: {error.detail}") from error


def exchange(config: Config, ready: Config, now_ms: int) -> Path | None:
    """Put the ready database in its place; gives the name under which the one before is kept."""
    own_like(config.data_dir, ready.db_path)
    sync(ready.db_path)
    kept = None
    if config.db_path.exists():
        kept = config.db_path.with_name(f"{config.db_path.name}.before-restore-{stamp(now_ms)}")
        put_aside(config.db_path, kept)
    ready.db_path.replace(config.db_path)
    sync(config.data_dir)
    return kept


def put_aside(path: Path, kept: Path) -> None:
    """Give the present database a second name, and take what SQLite keeps beside it away."""
    finish_writes(path)
    wal, index = (path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))
    if wal.exists() and wal.stat().st_size:
        wal.replace(kept.with_name(f"{kept.name}-wal"))  # a broken one keeps what it could not take
    for gone in (wal, index):
        gone.unlink(missing_ok=True)
    kept.unlink(missing_ok=True)
    os.link(path, kept)


def finish_writes(path: Path) -> None:
    """Have everything be in the one file, as far as it is sound."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as last:
        last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
