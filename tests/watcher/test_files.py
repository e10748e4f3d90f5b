"""What the watcher keeps on the disk: whole or not at all, and for its owner only."""

from __future__ import annotations

import os
import stat

import pytest

from watcher import called, privatefile
from watcher.called import MOST_OPEN, Called
from watcher.cursor import Cursor, read_instance


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_cursor_is_kept_over_a_restart(tmp_path):
    Cursor(tmp_path / "cursor").save("3-17")
    assert Cursor(tmp_path / "cursor").last_event_id == "3-17"
    assert mode_of(tmp_path / "cursor") == 0o600


@pytest.mark.parametrize(
    "text", ["", "3-1", "3-17", "3-17.", ".\n", "\0.\n", "a\nb.\n", "é.\n", "x" * 300]
)
def test_a_half_written_cursor_is_none(tmp_path, text):
    (tmp_path / "cursor").write_text(text)
    cursor = Cursor(tmp_path / "cursor")
    assert cursor.last_event_id == ""
    cursor.save("3-18")
    assert Cursor(tmp_path / "cursor").last_event_id == "3-18"


def test_a_cursor_of_other_bytes_is_none(tmp_path):
    (tmp_path / "cursor").write_bytes(b"\xff\xfe.\n")
    assert Cursor(tmp_path / "cursor").last_event_id == ""


@pytest.mark.parametrize("event_id", ["", "a\nb", "a\r", "é", "x" * 201])
def test_an_id_that_cannot_go_into_a_header_is_not_kept(tmp_path, event_id):
    cursor = Cursor(tmp_path / "cursor")
    cursor.save("3-17")
    cursor.save(event_id)
    assert Cursor(tmp_path / "cursor").last_event_id == "3-17"


def test_a_disk_that_refuses_stops_nothing(tmp_path, caplog):
    cursor = Cursor(tmp_path / "no-such-folder" / "cursor")
    cursor.save("3-17")
    assert cursor.last_event_id == "3-17"
    assert "cursor_unsaved" in caplog.text


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    privatefile.write(path, "old")

    def fail(_descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        privatefile.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_instance_is_named_once(tmp_path, clock):
    name = read_instance(tmp_path / "instance", clock)
    assert read_instance(tmp_path / "instance", clock) == name != ""
    assert read_instance(tmp_path / "other", clock) != name


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_that_others_can_read_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "node.token"
    privatefile.write(path, "secret\n")
    assert privatefile.read_secret(path) == "secret"
    path.chmod(mode)
    with pytest.raises(privatefile.LooseFileError, match=f"chmod 600 '{path}'"):
        privatefile.read_secret(path)


def test_a_call_is_remembered_over_a_restart_until_it_was_reported(tmp_path, clock, monkeypatch):
    Called(tmp_path / "called", clock).note("w_1", "hook")
    again = Called(tmp_path / "called", clock)
    assert (again.find("w_1"), again.find("w_2")) == ("hook", None)
    again.close("w_1")
    assert again.is_reported("w_1")
    monkeypatch.setattr(called, "LATE_S", 0.0)  # a bus put back from a copy may ask for it again
    assert not again.is_reported("w_1")
    assert Called(tmp_path / "called", clock).find("w_1") is None


def test_a_call_that_was_cut_short_is_not_made_again_while_the_machine_lives(
    tmp_path, clock, monkeypatch
):
    path = tmp_path / "called"
    Called(path, clock).begin("w_1", "hook")
    assert Called(path, clock).find("w_1") == "hook"
    (tmp_path / "boot").write_text("another life\n")
    monkeypatch.setattr(called, "BOOT_ID", tmp_path / "boot")
    assert Called(path, clock).find("w_1") is None  # what it may have reached is gone, too


def test_a_call_that_came_to_nothing_may_be_made_again(tmp_path, clock):
    path = tmp_path / "called"
    made = Called(path, clock)
    made.begin("w_1", "hook")
    made.drop("w_1")
    assert (made.find("w_1"), Called(path, clock).find("w_1")) == (None, None)
    made.begin("w_2", "hook")
    made.note("w_2", "hook")
    made.drop("w_2")
    assert made.find("w_2") == "hook"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"w_1": 7}', "[" * 200_000])
def test_a_broken_list_of_calls_stops_nothing(tmp_path, clock, text):
    (tmp_path / "called").write_text(text)
    made = Called(tmp_path / "called", clock)
    assert made.find("w_1") is None
    made.note("w_1", "hook")
    assert Called(tmp_path / "called", clock).find("w_1") == "hook"


def test_the_list_of_calls_does_not_grow_for_ever(tmp_path, clock):
    made = Called(tmp_path / "no-such-folder" / "called", clock)
    for number in range(MOST_OPEN + 5):
        made.note(f"w_{number}", "hook")
    assert (made.find("w_4"), made.find("w_5")) == (None, "hook")
