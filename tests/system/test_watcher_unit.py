"""The watcher as a service of an ordinary user, on a machine with a real systemd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from watcherbox import TREE, URL, USER, WatcherBox

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
HOME = f"/home/{USER}"
# the shipped two minutes are too long for a test; the bus's comments come every second here
QUICK = "[Service]\nWatchdogSec=10\nTimeoutAbortSec=1\nRestartSec=1\n"
OVERRIDE = "/etc/systemd/user/bus-watcher.service.d/quick.conf"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    folder.chmod(0o755)  # its reader is another user, in the box
    build = [sys.executable, "-m", "watcher.onefile", str(folder / "bus-watcher.pyz")]
    subprocess.run(build, cwd=TREE, check=True)
    return folder


@pytest.fixture(scope="module")
def box(lab, given):
    """A box whose user has a node with the agent beta, a program that answers, as a service."""
    one = WatcherBox(f"watcher-{os.getpid()}", given)
    try:
        one.start_bus()
        code = json.loads(one.bus("node", "add", "attic", "--agents", "beta", "--json"))["code"]
        one.bus("agent", "add", "maria", "--kind", "person")
        one.bus("token", "new", "person", "maria", "--file", "/var/lib/testbus/maria.token")
        one.root("loginctl", "disable-linger", USER)
        one.home_before = one.files(HOME)
        one.watcher("enrol", URL, code)
        one.watcher("set", "beta", "method=program", 'argv=["cat"]')
        one.said = one.watcher("install")
        yield one
    finally:
        one.down()


def test_install_leaves_a_service_that_runs_and_answers(box):
    assert "done: enable linger" in box.said
    assert box.unit("ActiveState") == "active"
    assert box.unit("UnitFileState") == "enabled"
    box.follow(box.send("hello"), "acked")


def test_a_second_install_changes_nothing(box):
    pid = box.unit("MainPID")
    told = box.watcher("install")
    assert "done:" not in told
    assert box.unit("MainPID") == pid


def test_a_watcher_that_was_killed_comes_back_by_itself(box):
    pid = box.unit("MainPID")
    box.root("kill", "-9", pid)
    box.await_unit(30, ActiveState="active", MainPID=f"!{pid}")
    box.follow(box.send("again"), "acked")


def test_a_watcher_that_hangs_is_started_anew(box):
    box.write(OVERRIDE, QUICK)
    box.user("systemctl", "--user", "daemon-reload")
    box.user("systemctl", "--user", "restart", "bus-watcher")
    pid = box.unit("MainPID")
    box.root("kill", "-STOP", pid)
    message = box.send("are you there?")
    box.await_unit(60, ActiveState="active", MainPID=f"!{pid}")
    assert "Fatal Python error: Aborted" in box.journal()
    assert "loop.py" in box.journal()  # where it stood
    box.follow(message, "acked")
    box.root("rm", "-r", str(Path(OVERRIDE).parent))
    box.user("systemctl", "--user", "daemon-reload")


def test_a_reboot_brings_it_back_and_wakes_for_what_was_sent_meanwhile(box):
    box.user("systemctl", "--user", "stop", "bus-watcher")
    message = box.send("while you were away")
    assert "offline since" in box.follow(message, "queued")["reason"]
    box.do("reboot")
    box.bus("node", "list")  # as soon as the bus answers; nobody has signed in as the user
    box.follow(message, "acked")


def test_wrong_settings_end_it_once_instead_of_again_and_again(box):
    token = f"{HOME}/.wakebus/node.token"
    box.root("chmod", "644", token)
    box.user("systemctl", "--user", "restart", "bus-watcher", check=False)
    box.await_unit(30, ActiveState="failed", SubState="failed")
    assert f"chmod 600 '{token}'" in box.journal()
    box.root("chmod", "600", token)
    assert "done: start" in box.watcher("install")


def test_uninstall_leaves_nothing(box):
    told = box.watcher("uninstall", "--purge")
    assert "done: disable linger" in told
    assert "bus node remove attic" in told
    assert box.files(HOME) == box.home_before
    assert USER not in box.root("ls", "/var/lib/systemd/linger")
    assert box.unit("LoadState") == "not-found"
