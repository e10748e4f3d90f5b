"""What this node knows of each run in hand, on the disk: a file a run.

Written before a run is claimed and before its end is told, and taken away once the bus has the
end: a watcher that is killed in between runs nothing twice and loses no end. It must not know what
is done with it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from watcher import log, plainjson, privatefile
from watcher.runs.order import is_run_id
from watcher.settings import is_name

if TYPE_CHECKING:
    from pathlib import Path

Phase = Literal["claiming", "claimed", "ended", "told"]
PHASES = ("claiming", "claimed", "ended", "told")


@dataclass(frozen=True)
class Entry:
    """One run in hand.

    `claiming`: nothing was begun. `claimed`: it may have been. `ended`: its end is owed to the
    bus. `told`: its transcript is still to be deleted.
    """

    run_id: str
    worker: str
    phase: Phase = "claiming"
    order: dict[str, Any] = field(default_factory=dict)
    workspace: str = ""
    began_at_s: float = 0.0
    before: list[int] | None = None
    """The output file as it was before the run."""
    end: dict[str, Any] = field(default_factory=dict)

    def moved(self, phase: Phase, **changes: Any) -> Entry:
        """Give it as it is one step on."""
        return dataclasses.replace(self, phase=phase, **changes)


class Book:
    """The entries of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, entry: Entry) -> None:
        """Put an entry onto the disk.

        Raises:
            OSError: it could not be written.
        """
        privatefile.make_folder(self._folder)
        text = json.dumps(dataclasses.asdict(entry)) + "\n"
        privatefile.write(self._path(entry.run_id), text)

    def drop(self, run_id: str) -> None:
        """Forget a run."""
        try:
            self._path(run_id).unlink(missing_ok=True)
        except OSError as error:
            log.warn("run_not_forgotten", run=run_id, error=error)

    def find(self, run_id: str) -> Entry | None:
        """Give a run's entry as it is now; None where there is none that can be read."""
        path = self._path(run_id)
        try:
            return _parse(plainjson.read(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            log.warn("run_unreadable", path=path, error=error)
            return None

    def list_runs(self) -> list[str]:
        """Give the ids of all runs in it, oldest first."""
        return sorted(path.stem for path in self._folder.glob("r_*.json"))

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"


def _parse(raw: Any) -> Entry:
    if not isinstance(raw, dict):
        raise ValueError("not a run's entry")  # noqa: TRY004 - a wrong file, not a wrong call
    entry = Entry(**raw)
    if not is_run_id(entry.run_id) or not is_name(entry.worker) or entry.phase not in PHASES:
        raise ValueError("not a run's entry")
    return entry
