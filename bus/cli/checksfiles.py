"""What `bus doctor` looks at in the data folder: the database as a file, and what is beside it."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

from bus.cli import installed
from bus.cli.calling import ADMIN_FILE, PERSON_FILE
from bus.cli.checks import BAD, OK, WARN, Row, Seen, age, some
from bus.clock import DAY_MS
from bus.errors import StorageFailedError
from bus.store.backup import list_backups
from bus.store.copying import check_sound, megabytes, schema_of
from bus.store.movemark import read_mark
from bus.store.version import HEAD

if TYPE_CHECKING:
    from bus.cli.checks import Looked

WAL_RESET_MENDED = (3, 51, 3)
OLD_BACKUP_MS = 2 * DAY_MS
LEAST_FREE_BYTES, LARGE_WAL_BYTES = 200_000_000, 256_000_000


def see_lock(look: Looked) -> Seen:
    if look.holder:
        return Seen(OK, f"process {look.holder} has the database")
    return Seen(WARN, "the bus is stopped", installed.how_to_start(look.config.data_dir))


def see_schema(look: Looked) -> Seen:
    return judge_schema(schema_of(look.ask.conn))


def judge_schema(at: str) -> Seen:
    if at == HEAD:
        return Seen(OK, at)
    newer = "" if at < HEAD else "A newer program made it: install that one"
    return Seen(BAD, f"{at or 'none'}; this program needs {HEAD}", newer)


def see_moved(look: Looked) -> Seen:
    mark = read_mark(look.ask.conn)
    if mark is None:
        return Seen(OK, "it has not moved")
    done = "has moved" if mark.is_done else "is being moved"
    return Seen(WARN, f"the bus {done} to {mark.to}; this file is not served")


def see_database(look: Looked) -> Seen:
    try:
        check_sound(look.ask.conn, look.progress, "quick_check")
    except (StorageFailedError, sqlite3.DatabaseError) as error:
        return Seen(BAD, str(error))
    size = look.config.db_path.stat().st_size
    return Seen(OK, f"{megabytes(size)}, every table is sound")


def see_wal(look: Looked) -> Seen:
    path = look.config.db_path
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size < LARGE_WAL_BYTES:
        return Seen(OK, f"{wal.name} has {megabytes(size)}")
    return Seen(WARN, f"{wal.name} has grown to {megabytes(size)}")


def see_disk(look: Looked) -> Seen:
    free, size = shutil.disk_usage(look.config.data_dir).free, look.config.db_path.stat().st_size
    found = f"{megabytes(free)} free in {look.config.data_dir}"
    if free < LEAST_FREE_BYTES:
        return Seen(BAD, found)
    if free < 2 * size:
        return Seen(WARN, f"{found}: too little for a backup and a migration")
    return Seen(OK, found)


def see_modes(look: Looked) -> Seen:
    folder, db = look.config.data_dir, look.config.db_path
    secret = [folder, db, folder / ADMIN_FILE, folder / PERSON_FILE, *list_backups(look.backups)]
    open_ones = [str(one) for one in secret if one.exists() and one.stat().st_mode & 0o077]
    if not open_ones:
        return Seen(OK, "only the owner reads the data")
    return Seen(BAD, f"others may read {some(open_ones)}", f"chmod go= {some(open_ones)}")


def see_owner(look: Looked) -> Seen:
    path = look.config.data_dir
    owner, mine = look.config.db_path.stat().st_uid, path.stat().st_uid
    if owner == mine:
        return Seen(OK, "the database belongs to whom the folder belongs")
    found = f"user {owner} has the database, user {mine} its folder"
    return Seen(BAD, found, f"chown -R --reference={path} {path}")


def see_sqlite(_look: Looked) -> Seen:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= WAL_RESET_MENDED:
        return Seen(OK, version)
    why = "before 3.51.3 two writers can spoil a database; the bus has one, all else only reads"
    return Seen(OK, f"{version}: {why}")


def see_backups(look: Looked) -> Seen:
    found = list_backups(look.backups)
    if not found:
        return Seen(WARN, f"none in {look.backups}")
    old = look.now_ms - round(found[0].stat().st_mtime * 1000)
    state = WARN if old > OLD_BACKUP_MS else OK
    return Seen(state, f"the newest of {len(found)} is {age(old)} old")


ROWS = (
    Row("bus", see_lock),
    Row("schema", see_schema, "Stop the bus, then: bus migrate --backup"),
    Row("moved", see_moved, "Set BUS_DATABASE_URL; to serve this file again: bus move --undo"),
    Row(
        "database",
        see_database,
        "Stop the bus and go back to the last good backup: bus restore FILE",
    ),
    Row(
        "recent writes",
        see_wal,
        "Somebody reads for long (a backup, a tool); else restart the bus, which writes it back.",
    ),
    Row("disk", see_disk, "Make room: docs/howto/a-full-disk.md"),
    Row("file modes", see_modes),
    Row("owner", see_owner),
    Row("SQLite", see_sqlite),
    Row("backups", see_backups, "bus backup --keep 14; every day: the unit wakebus-backup.timer"),
)
