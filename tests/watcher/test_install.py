"""`install` and `uninstall`: what they make, what they leave, and what they tell a person."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from watcher import neighbours, onefile
from watcher.install import manager, unitfile
from watcher.install.installing import Installation
from watcher.install.removing import Removal
from watcher.install.steps import Steps
from watcher.settings import Folder

UNIT = "bus-watcher.service"
PROGRAM = {"beta": {"argv": ["cat"]}}
OF_OPENCLAW = {"beta": {"local_agent": "main"}}


@pytest.fixture
def folder(system):
    return Folder(system.home / ".wakebus")


@pytest.fixture
def install(system):
    """Install, and give what was said and what is left to a person."""

    def run(settings, *, is_dry=False):
        said = []
        steps = Steps(said.append, is_dry=is_dry)
        Installation(settings, system.environ, steps).run()
        return said

    return run


@pytest.fixture
def uninstall(system, folder):
    def run(*, is_purging=False, is_dry=False):
        said = []
        removal = Removal(folder, system.environ, Steps(said.append, is_dry=is_dry))
        removal.run(["beta"], "pi", is_purging=is_purging)
        return said

    return run


def unit(system, name=UNIT):
    return (system.home / ".config" / "systemd" / "user" / name).read_text()


def files(top):
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def test_it_writes_enables_and_starts_a_unit_with_this_machines_paths(
    system, enrolled, install, folder
):
    said = install(enrolled(agents=PROGRAM))
    text = unit(system)
    command = shlex.split(text.partition("ExecStart=")[2].partition("\n")[0])
    assert command[-3:] == ["run", "--dir", str(folder.path)]
    assert Path(command[0]).is_file()
    assert f"Environment=PATH={system.programs}:" in text
    assert f"Environment=HOME={system.home}\n" in text
    assert [line for line in said if not line.startswith("done: ")] == []
    assert system.has("enabled")
    assert system.has("active")
    assert any(line.startswith("done: enable linger") for line in said)
    assert f"systemctl restart {UNIT}" in system.calls()


def test_a_second_install_touches_nothing(system, enrolled, install):
    settings = enrolled(agents=PROGRAM)
    install(settings)
    system.forget_calls()
    said = install(settings)
    assert [line for line in said if not line.startswith("kept: ")] == []
    assert not [call for call in system.calls() if "restart" in call or "linger" in call]


def test_a_new_path_reaches_the_running_service(system, enrolled, install):
    settings = enrolled(agents=PROGRAM)
    install(settings)
    more = system.home / "node" / "bin"
    more.mkdir(parents=True)
    system.environ["PATH"] += f":{more}"
    said = install(settings)
    assert f"done: restart {UNIT}" in said
    assert str(more) in unit(system)


def test_a_dry_run_changes_nothing_and_names_each_step(system, enrolled, install):
    settings = enrolled(agents=PROGRAM)
    before = files(system.home)
    said = install(settings, is_dry=True)
    assert files(system.home) == before
    assert system.calls() == []
    assert len([line for line in said if line.startswith("would do: ")]) >= 3


def test_it_says_what_root_must_run_where_linger_is_for_root_alone(system, enrolled, install):
    system.set("linger-for-root")
    said = install(enrolled(agents=PROGRAM))
    (left,) = [line for line in said if line.startswith("to do: ")]
    assert "sudo loginctl enable-linger" in left
    assert "Access denied" in left
    assert system.has("active")


def test_it_says_what_to_do_where_no_systemd_of_the_user_answers(system, enrolled, install):
    system.set("no-manager")
    said = install(enrolled(agents=PROGRAM))
    (left,) = [line for line in said if line.startswith("to do: ")]
    assert "No medium found" in left
    assert "bus-watcher install again" in left
    assert "ExecStart" in unit(system)


def test_it_does_not_start_a_second_watcher_beside_one_in_a_terminal(
    system, enrolled, install, folder
):
    settings = enrolled(agents=PROGRAM)
    with folder.lock_file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = install(settings)
    assert any("end that one, then: systemctl --user start" in line for line in said)
    assert not system.has("active")


def test_a_unit_that_does_not_start_is_no_success(system, enrolled, install):
    system.set("broken")
    said = install(enrolled(agents=PROGRAM))
    assert any(f"journalctl --user -u {UNIT}" in line for line in said if "to do:" in line)


def test_a_second_node_of_the_same_user_has_a_unit_of_its_own(system, enrolled, install, folder):
    object.__setattr__(folder, "path", system.home / "other")
    install(enrolled(agents=PROGRAM))
    assert str(folder.path) in unit(system, "bus-watcher-pi.service")


def test_what_systemd_would_take_up_in_a_path_is_written_so_that_it_does_not():
    assert unitfile.quote('/a b/"c"%h\\') == '"/a b/\\"c\\"%%h\\\\"'
    assert unitfile.quote("/a$b", in_command=True) == '"/a$$b"'


def test_openclaw_is_found_where_a_shell_without_profile_does_not_look(system):
    place = system.home / ".npm-global" / "bin"
    place.mkdir(parents=True)
    system.make_program(place / "openclaw", "#!/bin/sh\n")
    assert str(place) in unitfile.choose_path({**system.environ, "PATH": "/usr/bin"}).split(":")


# ---------------------------------------------------------------------------------- the skill


def test_it_gives_an_agent_of_openclaw_the_skill_and_sees_it_ready(system, enrolled, install):
    system.add_openclaw("main")
    said = install(enrolled(agents=OF_OPENCLAW))
    assert "`beta` on the bus" in system.skill("main").read_text()
    assert "kept: the skill of beta is ready in OpenClaw" in said


def test_a_skill_that_openclaw_sees_late_is_no_failure(system, enrolled, install):
    system.add_openclaw("main")
    (system.state / "answer-with-main").write_text(
        (system.state / "answer-without-main").read_text()
    )
    said = install(enrolled(agents=OF_OPENCLAW))
    assert "has not seen it yet" in said[-1]
    assert not [line for line in said if line.startswith("to do: ")]


def test_it_says_why_openclaw_does_not_offer_the_skill(system, enrolled, install):
    system.add_openclaw("main", ready=False)
    said = install(enrolled(agents=OF_OPENCLAW))
    assert any("disabled" in line for line in said if line.startswith("to do: "))


def test_an_agent_that_openclaw_does_not_have_is_told_of(system, enrolled, install):
    system.add_openclaw("other")
    said = install(enrolled(agents=OF_OPENCLAW))
    assert any("OpenClaw has no agent main" in line for line in said if line.startswith("to do: "))


def test_a_skill_that_a_person_changed_stays(system, enrolled, install, uninstall):
    system.add_openclaw("main")
    settings = enrolled(agents=OF_OPENCLAW)
    install(settings)
    system.skill("main").write_text("mine")
    assert any("changed by hand" in line for line in install(settings))
    assert any("changed since" in line for line in uninstall())
    assert system.skill("main").read_text() == "mine"


def test_the_skill_of_an_agent_that_moved_away_is_taken_out(system, enrolled, install):
    system.add_openclaw("main")
    install(enrolled(agents=OF_OPENCLAW))
    install(enrolled(agents=PROGRAM))
    assert not system.skill("main").exists()


# --------------------------------------------------------------------------------- the way back


def test_uninstall_takes_out_what_install_put_in_and_nothing_else(
    system, enrolled, install, uninstall
):
    system.add_openclaw("main")
    settings = enrolled(agents=OF_OPENCLAW)
    before = files(system.home), files(system.state / "workspaces")
    install(settings)
    said = uninstall()
    assert (files(system.home), files(system.state / "workspaces")) == before
    assert not any(system.has(fact) for fact in ("enabled", "active"))
    assert list((system.state / "linger").iterdir()) == []
    assert any(line.startswith("kept: settings, tokens and state") for line in said)


def test_purge_leaves_no_token_and_says_what_the_bus_still_knows(
    system, enrolled, install, uninstall
):
    before = files(system.home)
    settings = enrolled(agents=PROGRAM)
    neighbours.note(settings.folder, system.environ)
    install(settings)
    said = uninstall(is_purging=True)
    assert files(system.home) == before
    assert said[-1] == "to do: the bus still knows this node: bus node remove pi"


def test_purge_leaves_a_file_that_is_not_of_our_making(enrolled, install, uninstall, folder):
    install(enrolled(agents=PROGRAM))
    (folder.path / "notes").write_text("mine")
    assert any("notes" in line for line in uninstall(is_purging=True))
    assert files(folder.path) == ["notes"]


def test_linger_that_was_there_before_stays(system, enrolled, install, uninstall):
    name = manager.Manager(system.environ).user
    system.set(f"linger/{name}")
    install(enrolled(agents=PROGRAM))
    uninstall()
    assert system.has(f"linger/{name}")


def test_a_dry_uninstall_changes_nothing(system, enrolled, install, uninstall):
    install(enrolled(agents=PROGRAM))
    before = files(system.home)
    said = uninstall(is_purging=True, is_dry=True)
    assert files(system.home) == before
    assert any(line.startswith("would do: remove ") for line in said)
    assert system.has("active")


# --------------------------------------------------------------------------------- the one file


def test_the_one_file_installs_a_copy_of_itself_that_stays(system, enrolled, folder, tmp_path):
    enrolled(agents=PROGRAM)
    given = tmp_path / "downloads" / "bus-watcher.pyz"
    onefile.build(given)
    argv = [sys.executable, str(given), "install", "--no-skill"]
    environ = {**os.environ, **system.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        argv, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"done: write the program {folder.path}/bus-watcher.pyz" in done.stdout, done.stderr
    assert f"ExecStart={sys.executable} {folder.path}/bus-watcher.pyz run" in unit(system)
    assert (folder.path / "bus-watcher.pyz").read_bytes() == given.read_bytes()
    record = json.loads(folder.install_file.read_text())
    assert record["unit"] == UNIT


def test_the_one_file_is_the_same_however_it_is_built(tmp_path):
    onefile.build(tmp_path / "one.pyz")
    onefile.build(tmp_path / "other.pyz")
    assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "other.pyz").read_bytes()
