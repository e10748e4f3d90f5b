"""The other folders of watchers under this Unix user: their agents can read each other's tokens.

A list in the user's state folder, one path a line, written at enrolment. It must not know what the
bus thinks of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from watcher import privatefile, settingsfile
from watcher.settings import Folder, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def list_file(environ: Mapping[str, str]) -> Path:
    """Give the list's place."""
    home = settingsfile.home_of(environ)
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "wakebus" / "folders"


def find(folder: Folder, environ: Mapping[str, str]) -> list[Folder]:
    """Give the other folders that are enrolled still."""
    others = [Folder(Path(name)) for name in _read(list_file(environ)) if name != str(folder.path)]
    return [one for one in others if one.settings_file.is_file() and one.node_token_file.is_file()]


def find_nodes(folder: Folder, url: str, environ: Mapping[str, str]) -> list[str]:
    """Give the names of the nodes of the same bus in the other folders."""
    names = []
    for one in find(folder, environ):
        try:
            raw = settingsfile.read_raw(one) or {}
        except SettingsError:
            continue
        if raw.get("url") == url and isinstance(raw.get("node"), str):
            names.append(raw["node"])
    return names


def note(folder: Folder, environ: Mapping[str, str]) -> None:
    """Put a folder onto the list."""
    path = list_file(environ)
    known = _read(path)
    if str(folder.path) not in known:
        path.parent.mkdir(parents=True, exist_ok=True)
        privatefile.write(path, "".join(f"{name}\n" for name in [*known, str(folder.path)]))


def forget(folder: Folder, environ: Mapping[str, str]) -> None:
    """Take a folder off the list; the list goes with the last one."""
    path = list_file(environ)
    known = [name for name in _read(path) if name != str(folder.path)]
    if known:
        privatefile.write(path, "".join(f"{name}\n" for name in known))
        return
    path.unlink(missing_ok=True)
    home = settingsfile.home_of(environ)
    for parent in path.parents:  # empty ones within the home folder: nobody has a use for them
        if home not in parent.parents or not parent.is_dir() or any(parent.iterdir()):
            break
        parent.rmdir()


def _read(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError):
        return []
