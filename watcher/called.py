"""Which wakes a blind method was called for: it must not be called a second time for one wake.

The call is written down before it is reported, so that a watcher that is ended between the two
reports in its next life instead of calling again. It must not know how the call is made.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from watcher import log, plainjson, privatefile

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.clock import Clock

MOST_OPEN = 200
LATE_S = 60.0  # a list that was written before the report can be read as long after it


class Called:
    """The calls that were made: in a file until they are reported, then for a minute in memory."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._open = _load(path)
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

    def note(self, wake_id: str, method: str) -> None:
        """Write a call down."""
        with self._lock:
            self._open[wake_id] = method
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
        try:
            privatefile.write(self._path, json.dumps(self._open) + "\n")
        except OSError as error:
            log.warn("calls_unsaved", path=self._path, error=error)


def _load(path: Path) -> dict[str, str]:
    try:
        raw = plainjson.read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = raw if isinstance(raw, dict) else {}
    return {wake: method for wake, method in found.items() if isinstance(method, str)}
