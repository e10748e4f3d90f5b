"""Puts the watcher together and runs it: the only place that wires its parts.

It must hold no decisions; they live in the parts.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import fcntl
import os
import threading
from typing import TYPE_CHECKING

from watcher import address, inuse, log, privatefile, signals
from watcher.bus import Bus
from watcher.cursor import Cursor, read_instance
from watcher.introduction import Introduction
from watcher.loop import Loop
from watcher.methods import Methods
from watcher.notify import Notify
from watcher.roster import Agents, Roster
from watcher.runner import Runner
from watcher.runs.desk import Desk
from watcher.settings import SettingsError
from watcher.stream import Stream
from watcher.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from watcher.clock import Clock
    from watcher.settings import Folder, Settings

TURNS_STOP_S = 1.5
LOCK_S, LOCK_AGAIN_S = 0.5, 0.05  # whoever only looks (`is_running`) holds it for a moment


def run(settings: Settings, clock: Clock) -> None:
    """Run the watcher until a stop signal; call it from the main thread.

    Raises:
        SettingsError: a file it needs is missing or open to others, or another one runs.
    """
    check_files(settings)
    privatefile.make_folder(settings.folder.state)
    with _lock(settings.folder.lock_file, clock):
        inuse.note(settings.folder)
        _run_alone(settings, clock)


def check_files(settings: Settings) -> None:
    """Read every secret once, so that a wrong one is named at the start and not at a wake.

    Raises:
        SettingsError: one cannot be used.
    """
    try:
        address.parse(settings.url, settings.ca_file).check()
        settings.folder.read_node_token()
        for agent in settings.agents:
            settings.folder.read_agent_token(agent)
    except (OSError, ValueError, privatefile.LooseFileError) as error:
        raise SettingsError(str(error)) from error


def is_running(folder: Folder) -> bool:
    """Say whether a watcher holds this folder now; looking disturbs none."""
    try:
        with folder.lock_file.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _run_alone(settings: Settings, clock: Clock) -> None:
    faulthandler.enable()  # the watchdog's SIGABRT leaves in the journal where each thread stood
    stop = threading.Event()
    agents = Agents(settings.agents)
    settings = dataclasses.replace(settings, agents=agents)
    where = address.parse(settings.url, settings.ca_file)
    bus = Bus(where, settings.folder.read_node_token)
    methods = Methods(settings, clock)
    roster = Roster(settings, agents, bus, clock, stop)
    runner = Runner(settings, bus, methods, clock, stop, roster.look)
    turns = Turns(runner.run, settings.turns_at_once)
    instance = read_instance(settings.folder.instance_file, clock)
    stream = Stream(where, settings.folder.read_node_token, instance, clock)
    notify = Notify(os.environ, clock)
    cursor = Cursor(settings.folder.cursor_file)
    desk = Desk(settings, bus, methods, clock, stop, instance, roster.look)
    loop = Loop(stream, bus, turns, cursor, notify, clock, roster.ask, desk)

    def end() -> None:
        stop.set()
        desk.halt_all()
        notify.stopping()
        stream.stop()

    finished = signals.call_on_stop(end)
    roster.start()
    Introduction(settings, bus, methods, clock, stop).start()
    log.say("watcher_started", node=settings.node, bus=settings.url, agents=len(settings.agents))
    notify.ready()
    desk.resume()
    loop.run()
    is_idle = desk.close(TURNS_STOP_S)
    if not is_idle:
        log.warn("runs_left_running", note="the next start tells what became of them")
    if not turns.close(TURNS_STOP_S if is_idle else 0.0):
        log.warn("turns_left_running", note="the next start finds their wakes open")
    log.say("watcher_stopped")
    finished.set()


def _lock(path: Path, clock: Clock) -> TextIO:
    """Hold this folder for one process: two on one cursor would fight for one stream."""
    file = path.open("a", encoding="utf-8")
    os.fchmod(file.fileno(), privatefile.FILE_MODE)
    until_s = clock.monotonic_s() + LOCK_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if clock.monotonic_s() < until_s:
                clock.wait(threading.Event(), LOCK_AGAIN_S)
                continue
            file.close()
            folder = path.parent.parent
            raise SettingsError(f"another watcher runs with the folder {folder}") from error
        return file
