"""Which words start the watcher tomorrow: its installed command, or a copy of it as one file.

A clone or a download may be gone tomorrow, so what runs from one is packed into the watcher's own
folder. It must not know units.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from watcher import onefile

if TYPE_CHECKING:
    from watcher.settings import Folder

COMMAND = "bus-watcher"


class Launcher(NamedTuple):
    """The words; where they name a copy of ours, also that copy and what is to be in it."""

    argv: tuple[str, ...]
    copy: Path | None = None
    content: bytes = b""


def find(folder: Folder) -> Launcher:
    """Choose for the way in which the watcher runs now."""
    command = find_command()
    if command is not None:
        return Launcher((str(command),))
    copy = folder.path / f"{COMMAND}.pyz"
    return Launcher((sys.executable, str(copy)), copy, _read_archive())


def find_command() -> Path | None:
    """Give the command that pip or pipx made, if this runs from there."""
    if onefile.find_archive() is not None:
        return None
    called, beside = Path(sys.argv[0]), Path(sys.executable).parent / COMMAND
    for path in (called.absolute(), beside):
        if path.name == COMMAND and path.is_file():
            return path
    return None


def _read_archive() -> bytes:
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "watcher.pyz"
        onefile.build(path)
        return path.read_bytes()
