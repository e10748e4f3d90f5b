"""Tab, in real shells: commands, options, and the names that the bus knows; never a wait."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from watcher import cli

BIN = str(Path(sys.executable).parent)
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
READY = {
    "bash": "",
    "zsh": "autoload -Uz compinit && compinit -u -D;",
}


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, kind: str, environment: dict[str, str], home: Path) -> None:
        self.kind = kind
        self.ours, theirs = pty.openpty()
        path = f"{BIN}{os.pathsep}{environment['PATH']}"
        self.process = subprocess.Popen(
            SHELLS[kind],
            env=environment | {"PATH": path, "HOME": str(home), "TERM": "dumb", "PS1": "$ "},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        # The quotes keep the echo of what is typed from passing for the answer.
        self.type(f'{READY[kind]} eval "$(bus completion {kind})"; echo is"-"ready\n')
        self.read_until("is-ready")

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def read_until(self, wanted: str) -> str:
        shown, end_s = "", time.monotonic() + 30
        while wanted not in shown:
            assert time.monotonic() < end_s, shown
            if select.select([self.ours], [], [], 1)[0]:
                shown += os.read(self.ours, 4096).decode(errors="replace")
                shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
        return shown

    def close(self) -> None:
        self.process.kill()
        self.process.wait(60)
        os.close(self.ours)


@pytest.fixture(params=SHELLS)
def shell(request, as_admin, tmp_path):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed here")
    made = []

    def start(**environment: str) -> Shell:
        made.append(Shell(request.param, as_admin.environment | environment, tmp_path))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_tab_completes_commands_options_and_what_the_bus_knows(shell, as_admin):
    as_admin("node", "add", "shed", "--agents", "winifred,zebulon")
    one = shell()
    one.type("bus mig\t")
    one.read_until("migrate")
    one.type("--bac\t")
    one.read_until("--backup")
    one.type("\x15bus agent show win\t")
    one.read_until("winifred")
    one.type("\x15bus send winifred,zeb\t")
    one.read_until("winifred,zebulon")
    one.type("\x15bus node code sh\t")
    one.read_until("shed")


def test_tab_completes_the_watcher_s_commands_and_options_too(shell, as_admin):
    one = shell()
    one.type(f'eval "$(bus-watcher completion {one.kind})"; echo is"-"loaded\n')
    one.read_until("is-loaded")
    for begun, whole in (
        ("enr", "enrol "),
        ("unin", "uninstall "),
        ("install --dr", "install --dry-run "),
        ("doctor --wa", "doctor --wake "),
        ("run --log-level war", "run --log-level warning "),
    ):
        one.type(f"\x15bus-watcher {begun}\t")
        one.read_until(f"bus-watcher {whole}")


def test_every_command_of_the_watcher_is_in_its_script(capsys):
    assert cli.main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    names = re.findall(r"^    (\w+)\b", capsys.readouterr().out, re.MULTILINE)
    assert {"enrol", "doctor", "completion"} <= set(names)
    assert all(f"    {name}) known=" in script for name in names)


def test_tab_completes_a_task_that_is_not_done(shell, act_as):
    task_id = act_as("ann")("task", "add", "Paint the shed", "--json").json["id"]
    one = shell()
    one.type("bus task claim c\t")
    one.read_until(task_id)


def test_tab_completes_a_worker_a_run_and_an_alert(shell, as_admin, act_as):
    ann = act_as("ann")
    as_admin("agent", "add", "wim", "--kind", "worker")
    act_as("winnie", "person")
    run_id = ann("run", "start", "wim", "x", "--label", "x", "--size", "S", "--json").json["run_id"]
    alert_id = ann("alert", "raise", "fire", "--json").json["id"]
    one = shell()
    one.type("bus run start w\t")
    one.read_until("wim ")  # and not winnie, who is none
    for begun, whole in (
        ("run show r", run_id),
        ("run cancel r", run_id),
        ("alert show a", alert_id),
        ("alert settle a", alert_id),
    ):
        one.type(f"\x15bus {begun}\t")
        one.read_until(whole)


def test_a_bus_that_does_not_answer_costs_neither_a_wait_nor_a_word(shell):
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        one = shell(BUS_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        one.type("bus agent show win\t")
        one.type("\x15echo still-'here'\n")
        shown = one.read_until("still-here")
    assert "Traceback" not in shown
    assert "bus:" not in shown


def test_without_a_token_nothing_is_said_either(shell, tmp_path):
    one = shell(BUS_DATA_DIR=str(tmp_path / "none"))
    one.type("bus agent show win\t")
    one.type("\x15echo still-'here'\n")
    assert "token" not in one.read_until("still-here")


def test_its_help_gives_a_line_for_each_shell_that_can_be_copied():
    shown = subprocess.run(
        [f"{BIN}/bus", "completion", "--help"], check=True, capture_output=True, text=True
    )
    for shell in SHELLS:
        assert re.search(
            rf'^  {shell}, in ~/.{shell}rc: +eval "\$\(bus completion {shell}\)"$',
            shown.stdout,
            re.MULTILINE,
        )
