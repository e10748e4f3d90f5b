"""What the tests of a move and of a server share: a bus that is moved, and locks that stop it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
from commandline import BUS, Answer, CommandLine

from tests.conftest import Bus, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

WITHIN_S = 60


class Elsewhere(Bus):
    """A bus on a database that the test names, on whichever engine the others are."""

    database_url = ""

    @property
    def environment(self) -> dict[str, str]:
        port = self.url.rpartition(":")[2] or "0"
        where = {"BUS_DATABASE_URL": self.database_url} if self.database_url else {}
        return clean_environment(BUS_DATA_DIR=str(self.data_dir), BUS_PORT=port, **where)


def command_on(folder: Path, url: str = "") -> CommandLine:
    """Give the command line of a data folder, with a database on a server or on its file."""
    where = {"BUS_DATABASE_URL": url} if url else {}
    return CommandLine(clean_environment(BUS_DATA_DIR=str(folder), BUS_PORT="0", **where))


def ask(url: str, question: str, *given: Any) -> list[Any]:
    """Ask a database one thing, or tell it."""
    with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as conn:
        cursor = conn.execute(question, given)
        return cursor.fetchall() if cursor.description else []


def begin(folder: Path, url: str, *words: str) -> subprocess.Popen[str]:
    """Start a command and go on."""
    return subprocess.Popen(
        [BUS, *words],
        env=command_on(folder, url).environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Answer:
    """Wait for its end."""
    out, err = process.communicate(timeout=WITHIN_S)
    return Answer(process.returncode, out, err)


KILLED = """
import os, signal, sys
from bus.config import Config
from bus.store import connecting, moving
step, at = sys.argv[1], int(sys.argv[2])

def tell(now, done, whole):
    global at
    at -= now == step
    if at < 0:
        os.kill(os.getpid(), signal.SIGKILL)

config = Config.from_env({"BUS_DATA_DIR": sys.argv[3]})
moving.move(config, connecting.find_place(sys.argv[4]), 1, progress=tell)
"""


def move_and_die(folder: Path, url: str, step: str, at: int) -> None:
    """Move a bus, and be killed with -9 when a step is told of for the so manieth time."""
    argv = [sys.executable, "-c", KILLED, step, str(at), str(folder), url]
    done = subprocess.run(argv, check=False, timeout=WITHIN_S)
    assert done.returncode == -9, done
