"""What an installation made on this machine, in the watcher's state folder: the way back.

It must not know why a file is there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from watcher import privatefile, wholefile


@dataclass
class Record:
    """The files as they were written (by their hashes), the folders made for them, the rest."""

    path: Path
    unit: str = ""
    has_enabled_linger: bool = False
    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read it; one that is not there, or not ours, is empty."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                path,
                str(raw["unit"]),
                raw["has_enabled_linger"] is True,
                {str(name): str(mark) for name, mark in raw["files"].items()},
                [str(name) for name in raw["folders"]],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path)

    def save(self) -> None:
        """Keep it: before the next step, so that a step that fails is known of."""
        privatefile.make_folder(self.path.parent)
        raw = asdict(self)
        del raw["path"]
        privatefile.write(self.path, json.dumps(raw, indent=2, sort_keys=True) + "\n")

    def wrote(self, path: Path) -> bool:
        """Say whether the file is as it was written here: nobody has changed it since."""
        return self.files.get(str(path)) == mark_of(path)

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Write a file whole, with the folders it needs, and note them."""
        missing = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        self.folders += [str(folder) for folder in reversed(missing)]
        wholefile.write(path, data, mode)
        self.files[str(path)] = hashlib.sha256(data).hexdigest()
        self.save()

    def remove(self, path: Path) -> None:
        """Remove a file that was written here; the folders go with the last of them."""
        path.unlink(missing_ok=True)
        self.files.pop(str(path), None)
        self.save()

    def remove_folders(self) -> None:
        """Remove what folders were made and are empty now."""
        for name in reversed(self.folders):
            folder = Path(name)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self.folders.clear()


def mark_of(path: Path) -> str | None:
    """Give the hash of a file's content; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
