"""What `bus doctor` looks at in the database and its folder: each check says what it found.

A check is a function of `Looked`; it raises nothing for what it is there to find.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.cli import installed
from bus.cli.calling import ADMIN_FILE, PERSON_FILE, read_token
from bus.cli.failing import Failure
from bus.errors import StorageFailedError
from bus.ids import hash_secret
from bus.store import facts
from bus.store.backup import list_backups
from bus.store.copying import check_sound, megabytes, schema_of
from bus.store.version import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bus.config import Config
    from bus.store.copying import Progress

OK, WARN, BAD = "ok", "warn", "bad"
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WAL_RESET_MENDED = (3, 51, 3)
STUCK_MS, UNSEEN_MS = 10 * MINUTE_MS, 20 * MINUTE_MS
"""A stream lives for some ten minutes, and each begin and end of it is noted."""
OLD_BACKUP_MS = 2 * DAY_MS
BACK_MS = 5_000
LEAST_FREE_BYTES, LARGE_WAL_BYTES = 200_000_000, 256_000_000
SHOWN = 5


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, what was found, and how to mend it."""

    name: str
    state: str
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Looked:
    """What the checks look at, and the time."""

    config: Config
    conn: sqlite3.Connection
    now_ms: int
    holder: str
    """The process that has the database; empty where the bus is stopped."""
    backups: Path
    progress: Progress


def age(ms: int) -> str:
    """Write a length of time for a person."""
    for unit, name in ((DAY_MS, "days"), (HOUR_MS, "hours"), (MINUTE_MS, "minutes")):
        if ms >= 2 * unit:
            return f"{ms // unit} {name}"
    return f"{max(ms, 0) // 1000} s"


def some(names: list[str]) -> str:
    """Name a few of many."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def check_database(look: Looked) -> Check:
    name = "database"
    try:
        check_sound(look.conn, look.progress, "quick_check")
    except (StorageFailedError, sqlite3.DatabaseError) as error:
        mend = "Stop the bus and go back to the last good backup: bus restore FILE"
        return Check(name, BAD, str(error), mend)
    size = look.config.db_path.stat().st_size
    return Check(name, OK, f"{megabytes(size)}, every table is sound")


def check_wal(look: Looked) -> Check:
    path = look.config.db_path
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size < LARGE_WAL_BYTES:
        return Check("recent writes", OK, f"{wal.name} has {megabytes(size)}")
    mend = "Somebody reads for long (a backup, a tool); else restart the bus, which writes it back."
    return Check("recent writes", WARN, f"{wal.name} has grown to {megabytes(size)}", mend)


def check_disk(look: Looked) -> Check:
    free, size = shutil.disk_usage(look.config.data_dir).free, look.config.db_path.stat().st_size
    found = f"{megabytes(free)} free in {look.config.data_dir}"
    mend = "Make room: docs/howto/a-full-disk.md"
    if free < LEAST_FREE_BYTES:
        return Check("disk", BAD, found, mend)
    if free < 2 * size:
        return Check("disk", WARN, f"{found}: too little for a backup and a migration", mend)
    return Check("disk", OK, found)


def check_sqlite(_look: Looked) -> Check:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= WAL_RESET_MENDED:
        return Check("SQLite", OK, version)
    why = "before 3.51.3 two writers can spoil a database; the bus has one, all else only reads"
    return Check("SQLite", OK, f"{version}: {why}")


def check_schema(look: Looked) -> Check:
    at = schema_of(look.conn)
    if at == HEAD:
        return Check("schema", OK, at)
    mend = "Stop the bus, then: bus migrate --backup"
    newer = "" if at < HEAD else "; a newer program made it: install that one"
    return Check("schema", BAD, f"{at or 'none'}; this program needs {HEAD}{newer}", mend)


def check_modes(look: Looked) -> Check:
    folder, db = look.config.data_dir, look.config.db_path
    secret = [folder, db, folder / ADMIN_FILE, folder / PERSON_FILE, *list_backups(look.backups)]
    open_ones = [str(one) for one in secret if one.exists() and one.stat().st_mode & 0o077]
    if not open_ones:
        return Check("file modes", OK, "only the owner reads the data")
    mend = f"chmod go= {some(open_ones)}"
    return Check("file modes", BAD, f"others may read {some(open_ones)}", mend)


def check_owner(look: Looked) -> Check:
    owner, mine = look.config.db_path.stat().st_uid, look.config.data_dir.stat().st_uid
    if owner == mine:
        return Check("owner", OK, "the database belongs to whom the folder belongs")
    path = look.config.data_dir
    mend = f"chown -R --reference={path} {path}"
    return Check("owner", BAD, f"user {owner} has the database, user {mine} its folder", mend)


def check_lock(look: Looked) -> Check:
    found = f"process {look.holder} has the database" if look.holder else "the bus is stopped"
    mend = "" if look.holder else installed.how_to_start(look.config.data_dir)
    return Check("bus", OK if look.holder else WARN, found, mend)


def check_clock(look: Looked) -> Check:
    newest = facts.newest_ms(look.conn)
    if newest is None:
        return Check("clock", OK, "nothing has happened yet")
    if newest > look.now_ms + BACK_MS:
        found = f"the last entry is {age(newest - look.now_ms)} in the future: the clock went back"
        return Check("clock", BAD, found, "Set it: timedatectl set-ntp true")
    return Check("clock", OK, f"the last entry is {age(look.now_ms - newest)} old")


def check_wakes(look: Looked) -> Check:
    stuck = facts.stuck_wakes(look.conn, look.now_ms - STUCK_MS)
    if not stuck:
        return Check("wakes", OK, f"none asked for over {age(STUCK_MS)} ago waits for its turn")
    names = some([f"{name} (try {tries})" for name, tries in stuck])
    mend = "Why: bus wakes; on its machine: bus-watcher agents, journalctl --user -u bus-watcher"
    return Check("wakes", WARN, f"asked for over {age(STUCK_MS)} ago: {names}", mend)


def check_nodes(look: Looked) -> Check:
    at = look.now_ms if look.holder else (facts.newest_ms(look.conn) or look.now_ms)
    unseen = facts.unseen_nodes(look.conn, at - UNSEEN_MS)
    if not unseen:
        return Check("nodes", OK, f"each was seen within {age(UNSEEN_MS)}")
    names = some(
        [f"{name} ({f'for {age(at - seen)}' if seen else 'never'})" for name, seen in unseen]
    )
    mend = "There: systemctl --user status bus-watcher; one that is gone: bus node remove NAME"
    return Check("nodes", WARN, f"not seen: {names}", mend)


def check_given_up(look: Looked) -> Check:
    dead = [message for message, _ in facts.dead_since(look.conn, look.now_ms - DAY_MS)]
    if not dead:
        return Check("given up", OK, "none in the last day")
    mend = "Why: bus trace ID; to send one again: bus redrive ID; all dead letters: bus dead"
    return Check("given up", WARN, f"{len(dead)} in the last day: {some(dead)}", mend)


def check_holds(look: Looked) -> Check:
    held = [thread for thread, _ in facts.held_threads(look.conn)]
    if not held:
        return Check("held threads", OK, "none")
    mend = "Let one go: bus release THREAD"
    return Check("held threads", WARN, f"{len(held)}: {some(held)}", mend)


def check_backups(look: Looked) -> Check:
    found = list_backups(look.backups)
    mend = "bus backup --keep 14; every day: the unit wakebus-backup.timer"
    if not found:
        return Check("backups", WARN, f"none in {look.backups}", mend)
    old = look.now_ms - round(found[0].stat().st_mtime * 1000)
    said = f"the newest of {len(found)} is {age(old)} old"
    return Check("backups", WARN, said, mend) if old > OLD_BACKUP_MS else Check("backups", OK, said)


def check_tokens(look: Looked) -> Check:
    good = facts.good_admin_tokens(look.conn)
    mend = "Stop the bus, then: bus init --replace-admin-token"
    if not good:
        return Check("admin token", BAD, "no token to administer is good", mend)
    path = look.config.data_dir / ADMIN_FILE
    if not path.exists():
        return Check("admin token", OK, f"{len(good)} good; none in {path.parent}")
    try:
        is_good = hash_secret(read_token(path)) in good
    except (Failure, OSError):
        is_good = False
    if is_good:
        return Check("admin token", OK, f"{path} is good")
    return Check("admin token", WARN, f"{path} is not good (any more)", mend)


CHECKS = (
    check_lock,
    check_schema,
    check_database,
    check_wal,
    check_disk,
    check_modes,
    check_owner,
    check_sqlite,
    check_clock,
    check_tokens,
    check_backups,
    check_nodes,
    check_wakes,
    check_given_up,
    check_holds,
)
NEED_SCHEMA = frozenset(
    {check_clock, check_tokens, check_nodes, check_wakes, check_given_up, check_holds}
)


def look_inside(look: Looked) -> list[Check]:
    """Make every check; those that ask tables only where the schema has them."""
    is_ours = check_schema(look).state == OK
    return [guarded(check, look) for check in CHECKS if is_ours or check not in NEED_SCHEMA]


def guarded(check: Callable[[Looked], Check], look: Looked) -> Check:
    """Make a check; one that a broken database or a wrong right hinders does not hide the rest."""
    try:
        return check(look)
    except (sqlite3.DatabaseError, OSError) as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return Check(name, BAD, f"could not be looked at: {error}")
