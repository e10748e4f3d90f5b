"""Which settings the watcher that runs has taken, so that doctor sees where a restart is due.

What the watcher itself writes into them it has taken. It must not know what a setting is for.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from watcher import privatefile

if TYPE_CHECKING:
    from watcher.settings import Folder


def note(folder: Folder) -> None:
    """Note that the settings are taken as they are on the disk now."""
    privatefile.write(folder.taken_file, f"{_mark(folder)}\n")


def is_outdated(folder: Folder) -> bool:
    """Say whether the settings were changed since they were taken; not where none were noted."""
    try:
        return folder.taken_file.read_text(encoding="utf-8").strip() != _mark(folder)
    except OSError:
        return False


def _mark(folder: Folder) -> str:
    return hashlib.sha256(folder.settings_file.read_bytes()).hexdigest()
