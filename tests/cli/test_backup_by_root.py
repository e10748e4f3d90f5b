"""Root's backup in a folder of the bus's user, who can do there what they like."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bus.config import Config
from bus.errors import ConflictError
from bus.store import backup, copying

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"),
    pytest.mark.sqlite_only("what is copied is its file; the copy becomes one in the same way"),
]
NOW_MS = 1_780_000_000_000
USER = 12345


@pytest.fixture
def theirs(bus):
    """The data of a stopped bus, as its own user has it."""
    bus.stop()
    for path in (bus.data_dir, *bus.data_dir.iterdir()):
        os.chown(path, USER, USER)
    return bus.data_dir


@pytest.fixture
def root_s(tmp_path):
    path = tmp_path / "root-s"
    path.write_text("root's own")
    yield path
    assert (path.read_text(), path.stat().st_uid) == ("root's own", 0)


def test_no_file_is_given_away_behind_a_link(tmp_path, root_s):
    database, draft = tmp_path / "bus.db", tmp_path / "draft"
    database.touch()
    os.chown(database, USER, USER)
    draft.symlink_to(root_s)
    copying.own_like(database, draft)
    assert draft.lstat().st_uid == USER


def test_what_is_half_written_is_never_where_that_user_can_touch_it(theirs, root_s):
    folder, links = theirs / "backups", []

    def put_links(_step: str, _done: int, _whole: int) -> None:
        if links:
            return
        assert list(folder.iterdir()) == [], "nothing of root's to put a link in the place of"
        (draft,) = theirs.parent.glob(".wakebus-*.part")
        name = draft.name.split(".db.")[0] + ".db"
        places = [name, *(f".{name}.part{end}" for end in ("", "-journal", "-wal", "-shm"))]
        links.extend(folder / place for place in places)
        for link in links:
            link.symlink_to(root_s)

    made = backup.back_up(Config(data_dir=theirs), None, NOW_MS, progress=put_links)
    assert links
    assert not made.path.is_symlink()
    assert (made.path.stat().st_uid, made.path.stat().st_mode & 0o777) == (USER, 0o600)
    assert list(theirs.parent.glob(".wakebus-*")) == []


def test_a_killed_one_is_tidied_up_by_the_next(theirs):
    code = (
        "import os, pathlib, sys; from bus.config import Config; from bus.store import backup;"
        "tell = lambda *_: os.kill(os.getpid(), 9);"
        "backup.back_up(Config(data_dir=pathlib.Path(sys.argv[1])), None, 1, progress=tell)"
    )
    subprocess.run([sys.executable, "-c", code, str(theirs)], check=False)
    assert list(theirs.parent.glob(".wakebus-*.part"))
    backup.back_up(Config(data_dir=theirs), None, NOW_MS)
    assert list(theirs.parent.glob(".wakebus-*")) == []


def test_a_link_in_the_folder_s_place_leads_root_nowhere(theirs, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (theirs / "backups").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        backup.back_up(Config(data_dir=theirs), None, NOW_MS)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_disk_that_is_another_s_from_its_top_is_refused_in_words(theirs, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=64m,uid={USER}", "wakebus", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        with pytest.raises(ConflictError, match="Name a folder of root's"):
            backup.back_up(Config(data_dir=theirs), folder, NOW_MS)
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)
