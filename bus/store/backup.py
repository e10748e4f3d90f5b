"""Backups: where they lie, what they are called, and which go.

A name has the time and the epoch, `wakebus-20261120T210405Z-1a2b3c4d.db`, or `.dump` of PostgreSQL;
what is called otherwise, or is of another bus, is never removed.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bus.errors import ConflictError, InvalidRequestError, NoDatabaseError
from bus.store.beside import FORMER, open_beside, read_meta
from bus.store.copying import Copied, copy_checked, own_like, silent
from bus.store.drafts import drafts_for, mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.config import Config
    from bus.store.copying import Progress

NAME = re.compile(r"wakebus-(\d{8}T\d{6}Z)-([0-9a-zA-Z]+)\.(?:db|dump)")


@dataclass(frozen=True)
class Backup:
    """A backup that was made, and the older ones that went for it."""

    path: Path
    copied: Copied
    removed: list[Path]


def back_up(
    config: Config,
    path: Path | None,
    now_ms: int,
    *,
    keep: int | None = None,
    progress: Progress = silent,
) -> Backup:
    """Copy the database, live or not, into a folder or to a file; keep the newest `keep`.

    Raises:
        BusError: there is no database, something is there already, the disk is full, or another
            backup is being written there.
    """
    source: FileSource | ServerSource
    source = ServerSource(config) if config.is_postgresql else FileSource(config)
    meta = source.read_meta()
    epochs = {meta.get("epoch", ""), *meta.get(FORMER, "").split()}
    ending = source.ending
    folder, name = place(config, path, f"wakebus-{stamp(now_ms)}-{meta.get('epoch', '')}{ending}")
    if keep is not None and path is not None and not path.is_dir():
        raise InvalidRequestError("--keep goes with a folder: name one, or none")
    if path is None and not folder.exists():
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        own_like(source.owner, folder)
    with alone_in(folder, is_ours=path is None) as held:
        clear_drafts(folder)
        if (folder / name).exists():
            raise ConflictError(f"{folder / name} is there already; it is left as it is")
        copied = source.copy(folder / name, held, progress)
        removed = remove_older(folder, epochs, keep) if keep is not None else []
    return Backup(folder / name, copied, removed)


class FileSource:
    """The SQLite file of a bus."""

    ending = ".db"

    def __init__(self, config: Config) -> None:
        if not config.db_path.exists():
            raise NoDatabaseError(f"there is no database at {config.db_path}")
        self.owner = config.db_path

    def read_meta(self) -> dict[str, str]:
        with open_beside(self.owner) as looked:
            return read_meta(looked)

    def copy(self, target: Path, folder: int, progress: Progress) -> Copied:
        return copy_checked(self.owner, target, progress, folder=folder)


class ServerSource:
    """The PostgreSQL of a bus."""

    ending = ".dump"

    def __init__(self, config: Config) -> None:
        from bus.store import connecting  # noqa: PLC0415 - psycopg may be missing

        self.owner, self._place = config.data_dir, connecting.place_of(config)

    def read_meta(self) -> dict[str, str]:
        from bus.store import connecting, servermigrate  # noqa: PLC0415 - likewise

        with connecting.connected(self._place) as conn:
            return servermigrate.read_meta(conn)

    def copy(self, target: Path, folder: int, progress: Progress) -> Copied:
        from bus.store.dumping import dump_checked  # noqa: PLC0415 - likewise

        return dump_checked(self._place, target, progress, folder=folder)


def place(config: Config, path: Path | None, name: str) -> tuple[Path, str]:
    """Choose the folder and the name of a backup."""
    if path is None:
        return config.data_dir / "backups", name
    ending = Path(name).suffix
    if not path.is_dir() and path.suffix != ending:
        raise InvalidRequestError(f"{path} is no folder, and no name of a backup (NAME{ending})")
    return (path, name) if path.is_dir() else (path.absolute().parent, path.name)


def stamp(at_ms: int) -> str:
    """Write a time for a name."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%dT%H%M%SZ}"


@contextmanager
def alone_in(folder: Path, *, is_ours: bool) -> Iterator[int]:
    """Be the only one who writes backups into a folder; ours in the data folder is no link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | (os.O_NOFOLLOW if is_ours else 0)
    descriptor = os.open(folder, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise ConflictError(f"another backup is being written to {folder}") from error
    finally:
        os.close(descriptor)


def list_backups(folder: Path, epochs: set[str] | None = None) -> list[Path]:
    """List the backups in a folder, newest first; of some epochs only, where they are given."""
    found = [path for path in folder.iterdir() if is_one(path, epochs)] if folder.is_dir() else []
    # Two of one second are told apart by when they were written.
    made = {path: (path.name.split("-")[1], path.stat().st_mtime_ns) for path in found}
    return sorted(found, key=made.__getitem__, reverse=True)


def is_one(path: Path, epochs: set[str] | None) -> bool:
    """Say whether a file is a backup, of one of some epochs."""
    named = NAME.fullmatch(path.name)
    known = named is not None and (epochs is None or named[2] in epochs)
    return known and path.is_file() and not path.is_symlink()


def clear_drafts(folder: Path) -> None:
    """Remove what a backup that was killed has left."""
    for path in drafts_for(folder):
        name = path.name.partition(".part")[0][1:].removesuffix(f".{mark(folder)}")
        if NAME.fullmatch(name):
            path.unlink(missing_ok=True)


def remove_older(folder: Path, epochs: set[str], keep: int) -> list[Path]:
    """Remove this bus's own backups but the newest; gives those that went."""
    gone = list_backups(folder, epochs)[keep:]
    for path in gone:
        with suppress(FileNotFoundError):
            path.unlink()
    return gone
