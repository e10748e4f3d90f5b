"""`bus-watcher install`: the unit, linger, the skills; each only where it is not so already.

It must not know how the way back goes: what it makes, it writes into the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from watcher import daemon, program, settingsfile, skill
from watcher.install import launcher, skills, unitfile
from watcher.install.manager import Manager
from watcher.install.record import Record, mark_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.install.steps import Steps
    from watcher.settings import AgentSettings, Settings

UNIT = "bus-watcher.service"


def unit_name(settings: Settings, environ: Mapping[str, str]) -> str:
    """Give the unit's name: a second folder of the same user has a unit of its own."""
    home = settingsfile.home_of(environ)
    if settings.folder.path == home / ".wakebus":
        return UNIT
    return f"bus-watcher-{settings.node}.service"


class Installation:
    """One run of `install`."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], steps: Steps) -> None:
        self._settings = settings
        self._environ = dict(environ)
        self._steps = steps
        self._manager = Manager(self._environ)
        self._record = Record.load(settings.folder.install_file)
        self._is_changed = False

    def run(self, *, with_skills: bool = True) -> None:
        """Bring everything to where it should be.

        Raises:
            SettingsError: the settings or the files are not good enough to run with.
            OSError: a file could not be written.
        """
        daemon.check_files(self._settings)
        name = unit_name(self._settings, self._environ)
        self._write_unit(name)
        self._enable_linger()
        self._start(name)
        if with_skills:
            self._write_skills()

    def _write(self, path: Path, data: bytes, what: str, mode: int = 0o644) -> bool:
        """Write a file where it is not so already; say whether it was written."""
        if path.is_file() and path.read_bytes() == data:
            self._steps.kept(f"{what} {path}")
            if not self._record.wrote(path) and not self._steps.is_dry:
                self._record.write(path, data, mode)
            return False
        self._steps.do(f"write {what} {path}", lambda: self._record.write(path, data, mode))
        return True

    def _write_unit(self, name: str) -> None:
        found = launcher.find(self._settings.folder)
        if found.copy is not None:
            written = self._write(found.copy, found.content, "the program", 0o700)
            self._is_changed = self._is_changed or written
        argv = [*found.argv, "run", "--dir", str(self._settings.folder.path)]
        text = unitfile.render(argv, self._environ, unitfile.choose_path(self._environ))
        path = unitfile.unit_folder(self._environ) / name
        written = self._write(path, text.encode(), "the unit")
        self._is_changed = self._is_changed or written
        if not self._steps.is_dry:
            self._record.unit = name
            self._record.save()

    def _enable_linger(self) -> None:
        user = self._manager.user
        if self._manager.has_linger():
            self._steps.kept(f"linger of {user}: its units start with the machine")
            return
        if self._steps.is_dry:
            self._steps.do(f"enable linger of {user} (loginctl enable-linger)", lambda: None)
            return
        said = self._manager.enable_linger()
        if said.is_good and self._manager.has_linger():
            self._record.has_enabled_linger = True
            self._record.save()
            self._steps.do(f"enable linger of {user}: its units start with the machine", _nothing)
        else:
            self._steps.leave(
                f"linger, without which the watcher ends when you sign out ({said.trouble}): "
                f"sudo loginctl enable-linger {user}"
            )

    def _start(self, name: str) -> None:
        if self._steps.is_dry:
            self._steps.do(f"systemctl --user enable and start {name}", _nothing)
            return
        trouble = self._manager.find_trouble()
        if trouble:
            self._steps.leave(
                f"the start: no systemd of this user answers ({trouble}). Where this machine has "
                f"systemd: sudo loginctl enable-linger {self._manager.user}, then "
                f"{program()} install again. Where it has none, have {program()} run started by "
                "what starts programs here"
            )
            return
        self._manager.ctl("daemon-reload")
        if self._manager.show(name).get("UnitFileState") == "enabled":
            self._steps.kept(f"{name} is enabled")
        else:
            self._call(f"enable {name}", "enable", name)
        self._bring_up(name)

    def _bring_up(self, name: str) -> None:
        is_active = self._manager.show(name).get("ActiveState") == "active"
        if is_active and not self._is_changed:
            self._steps.kept(f"{name} runs")
            return
        if not is_active and daemon.is_running(self._settings.folder):
            self._steps.leave(
                f"the start: a watcher runs with {self._settings.folder.path} already, in a "
                f"terminal perhaps; end that one, then: systemctl --user start {name}"
            )
            return
        self._manager.ctl("reset-failed", name)
        self._call(f"{'restart' if is_active else 'start'} {name}", "restart", name)

    def _call(self, what: str, verb: str, name: str) -> None:
        said = self._manager.ctl(verb, name)
        if said.is_good:
            self._steps.do(what, _nothing)
        else:
            self._steps.leave(f"{what}: {said.trouble}; see: journalctl --user -u {name} -n 20")

    def _write_skills(self) -> None:
        environ = {**self._environ, "PATH": unitfile.choose_path(self._environ)}
        agents = skills.agents_of_openclaw(self._settings)
        written: dict[Path, str] = {}
        if agents:
            self._steps.wait("asking OpenClaw where its agents have their skills")
            places, trouble = skills.find_places(self._settings, environ)
            for agent in agents:
                path = places.get(agent.openclaw_id)
                if path is None:
                    why = trouble or f"OpenClaw has no agent {agent.local_agent or agent.name}"
                    self._steps.leave(f"the skill of {agent.name}: {why}")
                elif path in written:
                    self._steps.leave(
                        f"the skill of {agent.name}: {written[path]} has the same workspace; "
                        "give it one of its own, as one file cannot speak for both"
                    )
                else:
                    written[path] = agent.name
                    self._write_skill(agent, path, environ)
        if not self._steps.is_dry:
            self._drop_old_skills(written)

    def _write_skill(self, agent: AgentSettings, path: Path, environ: Mapping[str, str]) -> None:
        data = skills.render(self._settings, agent, self._environ)
        is_theirs = mark_of(path) not in {None, self._record.files.get(str(path))}
        if is_theirs and path.read_bytes() != data:
            self._steps.kept(f"{path}, which was changed by hand; remove it to get a fresh one")
            return
        self._write(path, data, f"the skill of {agent.name}")
        if self._steps.is_dry:
            return
        place = skills.look(self._settings, agent, environ)
        if place.is_ready:
            self._steps.kept(f"the skill of {agent.name} is ready in OpenClaw")
        elif place.trouble:
            self._steps.leave(f"the skill of {agent.name}: {place.trouble}")
        else:
            self._steps.kept(f"the skill of {agent.name}, though {skills.NOT_SEEN}")

    def _drop_old_skills(self, wanted: Mapping[Path, str]) -> None:
        for name in list(self._record.files):
            path = Path(name)
            if path.name == skill.FILE_NAME and path not in wanted and self._record.wrote(path):
                self._steps.do(f"remove {path}", lambda path=path: self._record.remove(path))  # type: ignore[misc]


def _nothing() -> None:
    """Nothing is left to do: it was done to find out whether it can be."""
