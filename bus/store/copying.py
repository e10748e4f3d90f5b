"""Copy a database whole, page by page, from one moment of it, and check what came of it.

The source may be live: the copy reads one snapshot from first to last page, so that it is the
database of one moment, however much is written meanwhile. The copy is written under another name,
checked, synced and only then given its own: under a good name there is never half a file.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.errors import StorageFailedError
from bus.store import drafts
from bus.store.beside import open_beside, read_meta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Progress = Callable[[str, int, int], None]
    """Told the step, how much of it is done, and how much there is."""

PAGES = 2048
SPARE_BYTES = 1 << 20
"""What is left free beside the copy, for the file system itself."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class Copied:
    """What was copied: whose, how much, and how many rows each table had."""

    epoch: str
    schema: str
    rows: dict[str, int]
    bytes: int


def silent(_step: str, _done: int, _whole: int) -> None:
    """Tell nobody."""


def copy_checked(
    source: Path, target: Path, progress: Progress = silent, *, folder: int | None = None
) -> Copied:
    """Copy a database to a new file that only its owner reads, and check the copy.

    `folder` is the target's folder held open, where another user may be at work in it.

    Raises:
        StorageFailedError: the source cannot be read, the disk is full, or the copy is not sound;
            no file is left.
    """
    with new_file(target, source, folder) as draft:
        return fill(source, draft, progress)


@contextmanager
def new_file(target: Path, like: Path, folder: int | None) -> Iterator[Path]:
    """Give a draft that is the new file `target`, of the owner of `like`, once the block is done.

    Raises:
        StorageFailedError: the disk is full. Whatever the block raises, no file is left.
    """
    draft = drafts.beside(target) if folder is None else drafts.draft_of(target)
    held = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY) if folder is None else folder
    try:
        drafts.make(draft)
        yield draft
        own_like(like, draft)
        sync(draft)
        drafts.put(draft, held, target.name)
    except OSError as error:
        if error.errno in FULL:
            raise StorageFailedError(full(target)) from error
        raise
    finally:
        draft.unlink(missing_ok=True)
        if folder is None:
            os.close(held)


def fill(source: Path, draft: Path, progress: Progress) -> Copied:
    """Copy one snapshot into a draft, and hold the two against each other."""
    with open_beside(source) as old:
        # The snapshot is the transaction's: without it a busy bus would make each step begin anew.
        old.execute("BEGIN")
        (pages,) = old.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = old.execute("PRAGMA page_size").fetchone()
        check_room(draft, pages * page_bytes)
        try:
            rows = count_rows(old)
            copy_pages(old, draft, rows, progress)
        except sqlite3.DatabaseError as error:
            raise StorageFailedError(f"the copy failed: {why(error, draft)}") from error
        return Copied(read_meta(old).get("epoch", ""), schema_of(old), rows, draft.stat().st_size)


def copy_pages(
    old: sqlite3.Connection, draft: Path, rows: dict[str, int], progress: Progress
) -> None:
    """Copy page by page, and check what came of it."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as new:
        new.execute("PRAGMA synchronous=OFF")  # the whole file is synced once, at its end
        old.backup(
            new,
            pages=PAGES,
            progress=lambda _code, left, whole: progress("copying", whole - left, whole),
        )
        new.execute("PRAGMA journal_mode=DELETE")  # one file, whole without a second
        check_sound(new, progress)
        if count_rows(new) != rows:
            raise StorageFailedError("the copy has not the rows of the original; try again")


def check_room(draft: Path, needed_bytes: int) -> None:
    """Refuse at once what cannot fit."""
    free = shutil.disk_usage(draft.parent).free
    if free < needed_bytes + SPARE_BYTES:
        raise StorageFailedError(full(draft, needed_bytes))


def full(path: Path, needed_bytes: int = 0) -> str:
    """Say that a disk is full, and how full."""
    free = shutil.disk_usage(path.parent).free
    needs = f"; the copy needs {megabytes(needed_bytes)}" if needed_bytes else ""
    return f"the disk of {path.parent} is full: {megabytes(free)} are free{needs}; nothing was kept"


def megabytes(count: int) -> str:
    """Write a number of bytes for a person."""
    return f"{count / 1e6:.1f} MB"


def why(error: sqlite3.DatabaseError, draft: Path) -> str:
    """Say what SQLite meant."""
    is_full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    return full(draft) if is_full else str(error)


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """List the tables."""
    found = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        " ORDER BY name"
    )
    return [name for (name,) in found]


def check_sound(
    connection: sqlite3.Connection, progress: Progress = silent, how: str = "integrity_check"
) -> None:
    """Check every table and index, a table at a time so that there is something to show.

    `quick_check` leaves out whether the indexes have what the tables have.

    Raises:
        StorageFailedError: one is broken.
    """
    found = tables_of(connection)
    for done, table in enumerate(found):
        progress("checking", done, len(found))
        (said,) = connection.execute(f"PRAGMA {how}({quoted(table)})").fetchone()
        if said != "ok":
            raise StorageFailedError(f"table {table} is broken: {said.splitlines()[0]}")
    progress("checking", len(found), len(found))


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Count each table's rows."""
    return {
        table: connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0]  # noqa: S608 - quoted
        for table in tables_of(connection)
    }


def quoted(name: str) -> str:
    """Write a name for a statement."""
    return '"' + name.replace('"', '""') + '"'


def schema_of(connection: sqlite3.Connection) -> str:
    """Give the schema's version; nothing where the database is none of a bus."""
    if "alembic_version" not in tables_of(connection):
        return ""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def own_like(source: Path, made: Path) -> None:
    """Give what root made to the owner of what it is a copy of.

    The folder may be that owner's, who could put a link to another's file there meanwhile.
    """
    if os.geteuid() == 0:
        owner = source.stat()
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def sync(path: Path) -> None:
    """Have a file, or a folder's list of files, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
