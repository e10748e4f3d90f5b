"""A backup is whole, whatever happens around it; and the bus does not wait for it."""

from __future__ import annotations

import os
import pty
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from commandline import BUS, CommandLine

from bus.config import Config
from bus.errors import ConflictError
from bus.store import backup

BIG = 400
NOW_MS = 1_780_000_000_000


def backups_of(bus) -> list[Path]:
    return sorted((bus.data_dir / "backups").iterdir())


def bodies(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = "SELECT body FROM messages WHERE sender_id IS NOT NULL ORDER BY created_ms"
        return [body for (body,) in conn.execute(query)]


def send(bus, body: str) -> None:
    status, answer = bus.call(bus.admin, "GET", "/api/agents")
    names = {agent["name"] for agent in answer["agents"]}
    if "anna" not in names:
        bus.call(bus.admin, "POST", "/api/agents", {"name": "anna"})
    token = (
        getattr(bus, "anna", "")
        or bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "anna"})[1][
            "token"
        ]
    )
    bus.anna = token
    status, answer = bus.call(token, "POST", "/api/send", {"to": "anna", "body": body})
    assert status == 202, answer


def make_big(bus) -> None:
    """Make the file some fifty megabytes, with the bus stopped."""
    bus.stop()
    with closing(sqlite3.connect(bus.data_dir / "bus.db")) as conn:
        conn.execute("CREATE TABLE ballast (data BLOB)")
        conn.executemany("INSERT INTO ballast VALUES (zeroblob(?))", [(131_072,)] * BIG)
        conn.commit()
    bus.start()


def test_senders_do_not_wait_for_a_backup_and_it_is_of_one_moment(bus):
    send(bus, "before")
    make_big(bus)
    during = []

    def send_between(step: str, done: int, whole: int) -> None:
        if step == "copying" and 0 < done < whole:
            during.append(f"during {done}")
            send(bus, during[-1])

    config = Config(data_dir=bus.data_dir)
    made = backup.back_up(config, None, NOW_MS, progress=send_between)
    assert len(during) > 3, "the copy was in the middle while a sender got its answer"
    assert bodies(made.path) == ["before"]
    send(bus, "after")
    bus.stop()
    assert bodies(bus.data_dir / "bus.db") == ["before", *during, "after"]


def test_a_backup_needs_no_token_and_only_its_owner_reads_it(bus, as_admin):
    send(bus, "kept")
    (bus.data_dir / "admin.token").unlink()
    made = as_admin("backup", "--json").json
    file = Path(made["file"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert made["rows"]["messages"] == 1
    assert made["epoch"] in file.name
    assert bodies(file) == ["kept"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_bus_that_does_not_run_is_backed_up_too(bus, as_admin, how):
    send(bus, "kept")
    bus.stop(how)
    assert as_admin("backup").code == 0
    assert bodies(backups_of(bus)[0]) == ["kept"]
    bus.start()
    send(bus, "it goes on")


def test_a_backup_goes_where_it_is_told_and_replaces_nothing(bus, as_admin, tmp_path):
    target = tmp_path / "mine.db"
    assert as_admin("backup", str(target)).code == 0
    before = target.read_bytes()
    again = as_admin("backup", str(target))
    assert (again.code, target.read_bytes()) == (1, before)
    assert "left as it is" in again.err
    assert as_admin("backup", str(tmp_path / "no" / "x.db")).code == 4
    wrong = as_admin("backup", str(tmp_path / "two.db"), "--keep", "2")
    assert "--keep goes with a folder" in wrong.err
    assert not (tmp_path / "two.db").exists()
    assert as_admin("backup", BUS_DATA_DIR=str(tmp_path / "none")).code == 1


def test_only_the_bus_own_older_backups_go(bus, tmp_path):
    config, folder = Config(data_dir=bus.data_dir), tmp_path / "elsewhere"
    folder.mkdir()
    others = {"notes.txt", "wakebus-20200101T000000Z-otherbus.db", "wakebus-old.db"}
    for name in others:
        (folder / name).write_text("mine")
    made = [backup.back_up(config, folder, NOW_MS + 1000 * each) for each in range(3)]
    (folder / made[0].path.name.replace("2026", "2019")).symlink_to(folder / "notes.txt")
    last = backup.back_up(config, folder, NOW_MS + 9000, keep=2)
    assert last.removed == [made[1].path, made[0].path]
    left = {path.name for path in folder.iterdir() if not path.is_symlink()}
    assert left == others | {made[2].path.name, last.path.name}


pytestmark = pytest.mark.sqlite_only("copies of its file; of a server, test_server_backup")
KILLED = """
import os, pathlib, sys
from bus.config import Config
from bus.store import backup, copying
tell = lambda step, done, whole: os.kill(os.getpid(), 9)
backup.back_up(Config(data_dir=pathlib.Path(sys.argv[1])), None, 1, progress=tell)
"""


def test_a_backup_that_is_killed_leaves_no_half_file_and_the_next_one_tidies_up(bus, as_admin):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(bus.data_dir)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (draft,) = backups_of(bus)
    assert draft.name.endswith(".part")
    assert as_admin("backup").code == 0
    assert [path.suffix for path in backups_of(bus)] == [".db"]


def bound_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_disk_that_refuses_to_take_it_leaves_no_rubbish(bus):
    failed = subprocess.run(
        [BUS, "backup"],
        env=bus.environment,
        preexec_fn=bound_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert "the copy failed" in failed.stderr
    assert backups_of(bus) == []


def test_a_full_disk_is_named_and_leaves_no_rubbish(bus, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    script = (
        f'mount -t tmpfs -o size=128k small {folder} && "{BUS}" backup {folder}; ls -A {folder}'
    )
    told = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        env=bus.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in told.stderr or "mount:" in told.stderr:
        pytest.skip(f"this machine gives no mount of one's own: {told.stderr}")
    assert f"the disk of {folder} is full" in told.stderr
    assert told.stdout == ""


def test_two_backups_do_not_meet_in_one_folder(bus):
    config, met = Config(data_dir=bus.data_dir), []

    def begin_another(_step: str, _done: int, _whole: int) -> None:
        with pytest.raises(ConflictError, match="another backup"):
            backup.back_up(config, None, NOW_MS + 5000)
        met.append(True)

    backup.back_up(config, None, NOW_MS, progress=begin_another)
    assert met


def test_a_terminal_shows_how_far_it_is_and_a_pipe_does_not(bus, as_admin):
    ours, theirs = pty.openpty()
    with subprocess.Popen([BUS, "backup"], env=as_admin.environment, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass  # the terminal is gone with its last user
        os.close(ours)
        assert process.wait(30) == 0
    assert b"copying" in shown
    assert b"100%" in shown
    assert as_admin("backup", str(bus.data_dir / "other.db")).err == ""


def test_a_file_that_is_no_database_is_refused(as_admin, tmp_path):
    (tmp_path / "data").mkdir(exist_ok=True)
    line = CommandLine(as_admin.environment | {"BUS_DATA_DIR": str(tmp_path / "odd")})
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "bus.db").write_bytes(b"no database at all, but long enough to be one" * 99)
    got = line("backup")
    assert got.code == 1
    assert "not a database" in got.err
