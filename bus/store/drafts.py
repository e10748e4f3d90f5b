"""Where a copy is written until it is whole: where nobody but its writer can put anything.

Root may make a backup in a folder of the bus's user, who could put a link in the draft's place
between two steps and have root write behind it. So root's draft is in the nearest folder above that
is root's alone, on the same file system, and is moved from there: a move follows no link.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bus.errors import ConflictError

if TYPE_CHECKING:
    from pathlib import Path


def draft_of(target: Path) -> Path:
    """Name the file that a copy is until it is whole.

    Raises:
        ConflictError: root would have to write it where another user can meddle.
    """
    folder = safe_place(target.parent)
    if folder == target.parent:
        return beside(target)
    return folder / f".{target.name}.{mark(target.parent)}.part"


def beside(target: Path) -> Path:
    """Name it in the target's own folder."""
    return target.with_name(f".{target.name}.part")


def drafts_for(folder: Path) -> list[Path]:
    """List what killed copies to a folder have left of a backup's name."""
    place = safe_place(folder)
    name = "" if place == folder else f".{mark(folder)}"
    return list(place.glob(f".wakebus-*{name}.part*"))


def mark(folder: Path) -> int:
    """Tell the drafts for one folder from those for another."""
    return folder.stat().st_ino


def safe_place(folder: Path) -> Path:
    """Choose a draft's folder: its target's own, wherever nobody else can write."""
    if os.geteuid() != 0:
        return folder
    there = folder.resolve(strict=True)
    device = there.stat().st_dev
    for place in (there, *there.parents):
        if place.stat().st_dev != device:
            break
        if all(is_roots(one) for one in (place, *place.parents)):
            return folder if place == there else place
    if is_roots(there):
        return folder
    raise ConflictError(
        f"{folder} is not root's, nor any folder above it on its disk; somebody could have root "
        "write elsewhere. Name a folder of root's, or run it as the owner of that one"
    )


def is_roots(folder: Path) -> bool:
    """Say whether nobody but root can replace what root has in a folder."""
    found = folder.stat()
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid == 0 and (not others or bool(found.st_mode & stat.S_ISVTX))


def make(draft: Path) -> None:
    """Make it anew, for its owner alone."""
    draft.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    os.close(os.open(draft, flags, 0o600))


def put(draft: Path, folder: int, name: str) -> None:
    """Give it its name in an open folder, and have that on the disk."""
    os.replace(draft, name, dst_dir_fd=folder)
    os.fsync(folder)
