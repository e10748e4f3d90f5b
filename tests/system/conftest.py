"""The wheel in an environment that a box can use, and one box with the bus for a whole module."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from servicebox import PROGRAM, Machine, run

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program(lab, tmp_path_factory):
    """What `pip install WHEEL` gives, made outside: no box has a network."""
    folder = tmp_path_factory.mktemp("program")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(TOP))
    (wheel,) = folder.glob("wakebus-*.whl")
    made = folder / "wakebus"
    run("/usr/bin/python3", "-m", "venv", "--without-pip", str(made))
    python = str(made / "bin" / "python")
    run(*pip, "--python", python, "install", "--quiet", f"{wheel}[postgresql]")
    for script in (made / "bin").iterdir():
        if not script.is_symlink():  # the commands name the place where they are shown
            script.write_bytes(script.read_bytes().replace(str(made).encode(), PROGRAM.encode()))
    shutil.rmtree(made / "include", ignore_errors=True)
    return made


@pytest.fixture(scope="module")
def bare(lab, program):
    """A fresh machine with the program and nothing of its service."""
    one = Machine.with_program(program)
    one.wire.up()
    try:
        one.box.up()
        yield one
    finally:
        one.box.down()
        one.wire.down()


@pytest.fixture(scope="module")
def installed(bare):
    """The bus as a service, an agent ann and an agent ben."""
    bare.said = bare.say("bus unit install")
    bare.add_agents()
    return bare


@pytest.fixture
def machine(installed):
    """The same, running as installed, whatever the test before has done to it."""
    installed.drop_in("")
    installed.do("systemctl reset-failed wakebus; systemctl start wakebus")
    return installed
