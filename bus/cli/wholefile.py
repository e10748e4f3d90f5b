"""Files that are written whole or not at all, and are on the disk before they have their name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OWNER_ONLY, FOR_ALL = 0o600, 0o644


def write(path: Path, text: str, mode: int) -> None:
    """Write a file; an error names it."""
    with draft(path, mode) as keep:
        keep(text)


def write_secret(path: Path, secret: str) -> None:
    """Write a file with a secret that only its owner reads."""
    write(path, f"{secret}\n", OWNER_ONLY)


@contextmanager
def draft(path: Path, mode: int) -> Iterator[Callable[[str], None]]:
    """Give what puts a text on the disk; it has its name where all goes well, and else none."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")

    def keep(text: str) -> None:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)

    try:
        yield keep
        if fresh.exists():
            fresh.replace(path)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        fresh.unlink(missing_ok=True)
