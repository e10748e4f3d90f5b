"""Which wakes a blind method was called for: it must not be called a second time for one wake.

A call is written down before it is made, and again before it is reported: a watcher that is
killed between the two reports in its next life instead of calling again. Only where the machine
itself was started anew is a call that was begun no call: what it may have reached is gone, too.
It must not know how the call is made.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import log, plainjson, privatefile

if TYPE_CHECKING:
    from watcher.clock import Clock

MOST_OPEN = 200
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LATE_S = 60.0  # a list that was written before the report can be read as long after it


class Called:
    """The calls that were made: in a file until they are reported, then for a minute in memory."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._boot_id = _read_boot_id()
        self._open = _load(path, self._boot_id)
        self._begun: set[str] = set()
        self._reported_s: dict[str, float] = {}

    def find(self, wake_id: str) -> str | None:
        """Give the method whose call for this wake is not reported yet."""
        with self._lock:
            return self._open.get(wake_id)

    def is_reported(self, wake_id: str) -> bool:
        """Say whether a call for this wake was just reported: whoever asks again asks late."""
        with self._lock:
            self._forget_old()
            return wake_id in self._reported_s

    def begin(self, wake_id: str, method: str) -> None:
        """Write down that a call is about to be made."""
        with self._lock:
            self._open[wake_id] = method
            self._begun.add(wake_id)
            self._save()

    def drop(self, wake_id: str) -> None:
        """Hear that nothing came of it: it may be made again."""
        with self._lock:
            if wake_id in self._begun:
                self._begun.discard(wake_id)
                del self._open[wake_id]
                self._save()

    def note(self, wake_id: str, method: str) -> None:
        """Write down that a call was made."""
        with self._lock:
            self._open[wake_id] = method
            self._begun.discard(wake_id)
            self._save()

    def close(self, wake_id: str) -> None:
        """Hear that the bus knows of it."""
        with self._lock:
            self._reported_s[wake_id] = self._clock.monotonic_s()
            if self._open.pop(wake_id, None) is not None:
                self._save()

    def _forget_old(self) -> None:
        since_s = self._clock.monotonic_s() - LATE_S
        self._reported_s = {key: at for key, at in self._reported_s.items() if at > since_s}

    def _save(self) -> None:
        for old in list(self._open)[:-MOST_OPEN]:  # the bus gave these up long ago
            del self._open[old]
        self._begun &= self._open.keys()
        marks = dict.fromkeys(self._begun, f" {self._boot_id}")
        kept = {wake: method + marks.get(wake, "") for wake, method in self._open.items()}
        try:
            privatefile.write(self._path, json.dumps(kept) + "\n")
        except OSError as error:
            log.warn("calls_unsaved", path=self._path, error=error)


def _load(path: Path, boot_id: str) -> dict[str, str]:
    try:
        raw = plainjson.read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = raw if isinstance(raw, dict) else {}
    calls = {wake: text.partition(" ") for wake, text in found.items() if isinstance(text, str)}
    return {wake: method for wake, (method, _, boot) in calls.items() if boot in {"", boot_id}}


def _read_boot_id() -> str:
    """Give the name of the machine's present life; "-" where it has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or "-"
    except (OSError, UnicodeDecodeError):
        return "-"
