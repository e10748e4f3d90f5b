"""This machine's side: the watcher's files, its service, the process itself.

It must not know the bus or OpenClaw.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from typing import TYPE_CHECKING

from watcher import daemon, inuse, privatefile, program
from watcher.doctor.finding import bad, ok, warn
from watcher.install import unitfile
from watcher.install.installing import unit_name
from watcher.install.manager import Manager, runs_here
from watcher.install.skills import agents_of_openclaw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from watcher.doctor.finding import Finding
    from watcher.settings import Folder, Settings

_PATH_LINE = re.compile(r'^Environment="?PATH=([^"\n]*)', re.MULTILINE)


def look_at_files(folder: Folder) -> Iterator[Finding]:
    """Look whether what holds secrets is its owner's alone."""
    wrong = 0
    for path in (folder.path, *sorted(folder.path.iterdir()), *sorted(folder.state.glob("*"))):
        try:
            found = path.stat()  # of a renamed agent's old name: of the file that it leads to
        except FileNotFoundError:
            continue
        wanted = privatefile.FOLDER_MODE if stat.S_ISDIR(found.st_mode) else privatefile.FILE_MODE
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.getuid():
            wrong += 1
            yield bad("files", f"{path} belongs to another user", f"chown {os.getuid()} '{path}'")
        elif mode & 0o077:
            wrong += 1
            mend = f"chmod {wanted:o} '{path}'"
            yield bad("files", f"{path} is open to others (mode {mode:04o})", mend)
    if not wrong:
        yield ok("files", f"{folder.path} and what is in it are for their owner alone")


def look_at_service(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the unit, linger and the process."""
    manager, name = Manager(dict(environ)), unit_name(settings, environ)
    path = unitfile.unit_folder(environ) / name
    trouble = manager.find_trouble()
    is_without = bool(trouble) and not runs_here()
    if is_without:
        yield ok("service", "no systemd runs this machine, so the watcher is none of its services")
    elif not path.is_file():
        yield warn("service", "not installed: nothing starts the watcher", f"{program()} install")
    elif trouble:
        mend = f"sudo loginctl enable-linger {manager.user}, then {program()} install"
        yield bad("service", f"no systemd of this user answers ({trouble})", mend)
    else:
        yield from _look_at_unit(manager, name)
        yield from _look_at_path(settings, path)
        yield _look_at_linger(manager)
    run = f"{program()} run --dir {shlex.quote(str(settings.folder.path))}"
    if is_without:
        start, again = f"have what starts programs here run: {run}", f"end it, then: {run}"
    else:
        again = f"systemctl --user restart {name}"
        start = again if path.is_file() else f"{program()} install"
    yield _look_at_process(settings.folder, start, again)


def _look_at_process(folder: Folder, start: str, again: str) -> Finding:
    if not daemon.is_running(folder):
        return bad("watcher", "none runs with this folder: nobody is woken", start)
    if inuse.is_outdated(folder):
        seen = f"runs, and has not taken what was changed since in {folder.settings_file}"
        return warn("watcher", seen, f"restart it: {again}")
    return ok("watcher", "a watcher holds this folder and runs")


def _look_at_unit(manager: Manager, name: str) -> Iterator[Finding]:
    shown = manager.show(name)
    state = f"{shown.get('ActiveState', 'unknown')} ({shown.get('SubState', 'unknown')})"
    said = f"; it says: {shown['StatusText']}" if shown.get("StatusText") else ""
    restarts = shown.get("NRestarts", "0")
    often = f"; started again {restarts} times by itself" if restarts.strip("0") else ""
    if shown.get("ActiveState") == "active":
        yield ok("service", f"{name} is {state}{said}{often}")
    else:
        mend = f"journalctl --user -u {name} -n 30, then systemctl --user restart {name}"
        yield bad("service", f"{name} is {state}{often}", mend)
    if shown.get("UnitFileState") != "enabled":
        mend = f"systemctl --user enable {name}"
        yield bad("service", f"{name} is not enabled: it does not start with the machine", mend)


def _look_at_path(settings: Settings, path: Path) -> Iterator[Finding]:
    found = _PATH_LINE.search(path.read_text(encoding="utf-8", errors="replace"))
    search = found[1].replace("%%", "%") if found else os.defpath
    programs = {agent.argv[0] for agent in settings.agents.values() if agent.argv}
    if agents_of_openclaw(settings):
        programs.add(settings.openclaw.argv[0])
    lacking = [one for one in sorted(programs) if shutil.which(one, path=search) is None]
    if lacking:
        yield warn(
            "service's PATH",
            f"{', '.join(lacking)} cannot be found by the service",
            f"{program()} install, in a shell that finds it: the service gets that shell's PATH",
        )


def _look_at_linger(manager: Manager) -> Finding:
    if manager.has_linger():
        return ok("linger", f"on: the units of {manager.user} start with the machine")
    mend = f"loginctl enable-linger {manager.user} (as root where that is refused)"
    return bad("linger", f"off: the watcher ends when {manager.user} signs out", mend)
