"""`bus-watcher uninstall`: takes out what `install` put in, and with `purge` the node's files too.

It must not guess: what the record does not name, it leaves and says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from watcher import neighbours, program
from watcher.install import unitfile
from watcher.install.manager import Manager
from watcher.install.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.install.steps import Steps
    from watcher.settings import Folder


class Removal:
    """One run of `uninstall`; it needs no good settings, only the folder."""

    def __init__(self, folder: Folder, environ: Mapping[str, str], steps: Steps) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._steps = steps
        self._manager = Manager(self._environ)
        self._record = Record.load(folder.install_file)

    def run(self, agents: list[str], node: str, *, is_purging: bool) -> None:
        """Take everything out that is known."""
        if self._record.unit:
            self._stop(self._record.unit)
        for name in list(self._record.files):
            self._remove_file(Path(name))
        if self._record.unit:
            self._forget_unit(self._record.unit)
        self._take_linger_back()
        if is_purging:
            self._purge(agents)
        elif self._folder.path.exists():
            self._steps.kept(f"settings, tokens and state in {self._folder.path} (--purge)")
        if not self._steps.is_dry:
            self._record.remove_folders()
            self._folder.install_file.unlink(missing_ok=True)
        if is_purging:
            self._remove_empty_folders()
        if node and is_purging:
            self._steps.leave(f"the bus still knows this node: bus node remove {node}")

    def _stop(self, name: str) -> None:
        if self._manager.find_trouble():
            self._steps.kept(f"no systemd of this user answers: {name} was not stopped")
            return
        self._steps.do(
            f"stop and disable {name}", lambda: self._manager.ctl("disable", "--now", name)
        )

    def _forget_unit(self, name: str) -> None:
        folder = unitfile.unit_folder(self._environ)
        link, changes = folder / "default.target.wants" / name, folder / f"{name}.d"
        if link.is_symlink() and not self._steps.is_dry:  # where no manager was there to do it
            link.unlink()
        if link.parent.is_dir() and not any(link.parent.iterdir()) and not self._steps.is_dry:
            link.parent.rmdir()
        if changes.is_dir():
            self._steps.kept(f"{changes}, which is not of our making")
        if not self._steps.is_dry:
            self._manager.ctl("daemon-reload")
            self._manager.ctl("reset-failed", name)

    def _remove_file(self, path: Path) -> None:
        is_unit = path.name == self._record.unit
        if is_unit or self._record.wrote(path):
            self._steps.do(f"remove {path}", lambda: self._record.remove(path))
        elif path.exists():
            self._steps.kept(f"{path}, which was changed since; remove it yourself")

    def _take_linger_back(self) -> None:
        user = self._manager.user
        if not self._record.has_enabled_linger:
            if self._manager.has_linger():
                self._steps.kept(f"linger of {user}, which was not enabled by {program()}")
            return
        if self._steps.is_dry:
            self._steps.do(f"disable linger of {user}", lambda: None)
            return
        said = self._manager.disable_linger()
        if said.is_good:
            self._steps.do(f"disable linger of {user}", lambda: None)
        else:
            self._steps.leave(f"linger ({said.trouble}): sudo loginctl disable-linger {user}")

    def _purge(self, agents: list[str]) -> None:
        folder = self._folder
        headers = [folder.header_file(agent) for agent in agents]
        state = sorted(folder.state.glob("*")) if folder.state.is_dir() else []
        for path in [folder.settings_file, folder.node_token_file, *headers, *state]:
            if path.is_file():
                self._steps.do(f"remove {path}", path.unlink)
        self._steps.do("forget this folder", lambda: neighbours.forget(folder, self._environ))

    def _remove_empty_folders(self) -> None:
        for path in (self._folder.state, self._folder.path):
            if not path.is_dir() or self._steps.is_dry:
                continue
            left = sorted(one.name for one in path.iterdir())
            if left:
                self._steps.kept(f"{path} with {', '.join(left)}, which is not of our making")
            else:
                path.rmdir()
