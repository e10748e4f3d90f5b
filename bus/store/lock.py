"""One bus process per SQLite file: a lock beside it, held as long as the process lives.

On PostgreSQL there may be many; there a command has the database for itself where none runs.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bus.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bus.config import Config


@contextmanager
def alone(config: Config) -> Iterator[None]:
    """Have a bus's database for oneself, wherever it is, for as long as the block lasts.

    Raises:
        LockedError: a bus runs on it, or another command works on it.
    """
    if not config.is_postgresql:
        with held(config.db_path):
            yield
        return
    from bus.store import servermigrate  # noqa: PLC0415 - what serves may not load it

    with servermigrate.held(config):
        yield


@contextmanager
def held(db_path: Path) -> Iterator[None]:
    """Hold the lock for as long as the block lasts: the database is nobody else's.

    Raises:
        LockedError: another process has it.
    """
    descriptor = take_lock(db_path)
    try:
        yield
    finally:
        os.close(descriptor)


def take_lock(db_path: Path) -> int:
    """Take the lock; gives the descriptor, which a fork inherits and which must stay open.

    Raises:
        LockedError: another process has it; its id is named.
    """
    path = lock_file(db_path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LockedError(
            f"another bus (process {holder_of(db_path)}) has {db_path}; stop it first, or use "
            "another BUS_DATA_DIR"
        ) from error
    if os.geteuid() == 0:  # what root does by hand must not lock the bus's own user out
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def holder_of(db_path: Path) -> str:
    """Name the process that took the lock last."""
    text = lock_file(db_path).read_text(encoding="ascii", errors="replace")
    return text.strip() or "unknown"


def lock_file(db_path: Path) -> Path:
    """Give the lock's place."""
    return db_path.with_name(f"{db_path.name}.lock")
