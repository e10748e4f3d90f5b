"""Where the watcher is in the stream, kept over restarts, with the name of this watcher's life.

Losing the file costs nothing but a repeated question: the bus then sends what is pending. So an
unreadable cursor is no cursor, never a reason not to start. It must not know what an id means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import log, privatefile

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.clock import Clock

END_MARK = "."  # a file cut short by a full disk lacks it
LONGEST_ID = 200


class Cursor:
    """The last event id that was taken care of, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last_event_id = _load(path)

    def save(self, event_id: str) -> None:
        """Keep a new position on the disk; a disk that refuses is logged, and work goes on."""
        if not event_id or event_id == self.last_event_id or not is_plain(event_id):
            return
        self.last_event_id = event_id
        try:
            privatefile.write(self._path, event_id + END_MARK + "\n")
        except OSError as error:
            log.warn("cursor_unsaved", path=self._path, error=error)


def _load(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    event_id, mark, rest = text.rpartition(END_MARK)
    return event_id if mark and rest == "\n" and is_plain(event_id) else ""


def is_plain(event_id: str) -> bool:
    """Say whether it can go into a header: what the bus hands out is a few letters and digits."""
    return 0 < len(event_id) <= LONGEST_ID and event_id.isascii() and event_id.isprintable()


def read_instance(path: Path, clock: Clock) -> str:
    """Give this state folder's lasting name for itself, made at first use.

    The bus lets the same instance replace its own half-open stream at once, and no other.
    """
    try:
        name = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    if not is_plain(name):
        name = clock.new_id("i")
        privatefile.write(path, name + "\n")
    return name
