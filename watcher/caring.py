"""The commands that care for the watcher itself: install, uninstall, doctor; in words for a person.

It must not hold logic of its own, and `run` must not need it: it loads what a daemon never uses.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from watcher import program, settingsfile
from watcher.clock import SystemClock
from watcher.doctor import canary, machine, runside, turnside
from watcher.doctor.busside import BusSide
from watcher.doctor.finding import Finding, bad
from watcher.install.installing import Installation, unit_name
from watcher.install.removing import Removal
from watcher.install.steps import Steps
from watcher.settings import SettingsError, is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from watcher.settings import Folder, Settings

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


def examine(folder: Folder, say: Say, *, as_json: bool, is_waking: bool, is_asking: bool) -> bool:
    """Look at everything, each finding told when it is there; gives whether nothing is bad."""
    try:
        settings = settingsfile.load(folder)
    except SettingsError as error:
        findings = iter([bad("settings", str(error))])
    else:
        asks = is_waking and is_asking
        is_waking = is_waking and not (asks and not _agree(settings, say))
        findings = _find(settings, is_waking=is_waking)
    found: list[Finding] = []
    for finding in findings:
        found.append(finding)
        for line in [] if as_json else finding.write():
            say(line)
    troubles = [one for one in found if one.state == "bad"]
    warnings = sum(one.state == "warn" for one in found)
    if as_json:
        shown = {"well": not troubles, "checks": [asdict(one) for one in found]}
        say(json.dumps(shown))
    else:
        say(f"{len(found)} looked at, {len(troubles)} bad, {warnings} to know of")
    return not troubles


def _agree(settings: Settings, say: Say) -> bool:
    names = ", ".join(settings.agents)
    say(f"--wake starts a turn of {names}: it costs a model call for each. Go on? [y/N]")
    return input().strip().lower() in {"y", "yes"}


def _find(settings: Settings, *, is_waking: bool) -> Iterator[Finding]:
    clock = SystemClock()
    bus = BusSide(settings, clock)
    yield from itertools.chain(
        machine.look_at_files(settings.folder),
        machine.look_at_service(settings, os.environ),
        bus.look(),
        bus.look_at_neighbours(os.environ),
        turnside.look(settings, clock, os.environ),
        runside.look(settings),
    )
    for name in settings.agents if is_waking else ():
        with bus.call_as(name) as own:
            yield canary.wake(name, own, clock)
