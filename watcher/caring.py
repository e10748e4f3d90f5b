"""The commands that care for the watcher itself: install, uninstall, doctor; in words for a person.

It must not hold logic of its own, and `run` must not need it: it loads what a daemon never uses.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from watcher import program, settingsfile
from watcher.install.installing import Installation, unit_name
from watcher.install.removing import Removal
from watcher.install.steps import Steps
from watcher.settings import is_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.settings import Folder

    Say = Callable[[str], None]


def install(folder: Folder, say: Say, *, at: str, is_dry: bool, with_skills: bool) -> bool:
    """Install, and say what is next; gives whether nothing is left to a person."""
    steps = Steps(say, is_dry=is_dry)
    settings = settingsfile.load(folder)
    Installation(settings, os.environ, steps).run(with_skills=with_skills)
    if steps.open or is_dry:
        return not steps.open
    say("Next:")
    say(f"  {program()} doctor{at}        # is all of it well, and how to mend what is not")
    say(f"  journalctl --user -u {unit_name(settings, os.environ)} -f   # what it does")
    return True


def uninstall(folder: Folder, say: Say, *, is_dry: bool, is_purging: bool) -> None:
    """Take out what was installed."""
    raw = settingsfile.read_raw(folder) or {}
    agents = [name for name in raw.get("agents") or {} if is_name(name)]
    removal = Removal(folder, os.environ, Steps(say, is_dry=is_dry))
    removal.run(agents, str(raw.get("node") or ""), is_purging=is_purging)
