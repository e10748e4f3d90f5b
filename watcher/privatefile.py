"""Files that only their owner may read, written whole or not at all.

Its own module because every secret and every position of the watcher goes through the same two
promises: never readable by others, never half written. It must not know what is inside.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from watcher import wholefile

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


class LooseFileError(Exception):
    """Others can read a file that holds a secret; the message has the command that mends it."""


def make_folder(path: Path) -> None:
    """Make a folder and its parents; the folder itself is for its owner only."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def write(path: Path, text: str) -> None:
    """Put `text` in the place of the file's content and onto the disk, with mode 0600."""
    wholefile.write(path, text.encode(), FILE_MODE)


def read_secret(path: Path) -> str:
    """Give the stripped text of a file that nobody but its owner may read.

    Raises:
        LooseFileError: the mode lets others read it.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise LooseFileError(
                f"{path} can be read by others (mode {mode:04o}); run: chmod 600 '{path}'"
            )
        return file.read().strip()
