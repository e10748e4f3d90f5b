"""A disk that is full, read-only, slow or broken: told, survived, and nothing accepted is lost."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from storage import (
    Ledger,
    injected,
    is_root,
    kill,
    loop_device,
    mounted,
    subjects_of,
    worker_of,
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.sqlite_only("the disk its file is on; of a server that fails, test_postgres"),
]
ROUNDS, EACH = 25, 4
"""Of failing syncs and a kill, and what is sent in each."""
WRITES = ("pwrite64:error={0}", "fdatasync:error={0}", "ftruncate:error={0}")


@pytest.fixture
def parties(bus, add, lab):
    """The reader's token, and a ledger of the sender."""
    return add("ann"), Ledger(bus, add("ben"), "ann")


@contextmanager
def stream(bus, token):
    """Open a stream; gives a way to read lines until one has a word."""
    with closing(http.client.HTTPConnection(bus.url.removeprefix("http://"), timeout=30)) as link:
        link.request("GET", "/api/stream", headers={"Authorization": f"Bearer {token}"})
        answer = link.getresponse()

        def read_until(word):
            while line := answer.readline().decode():
                if word in line:
                    return line
            raise AssertionError("the stream ended")

        read_until("event: ready")
        yield read_until


def check_refusals(ledger, word):
    """Each was refused in the bus's own words, with when to try again."""
    assert ledger.refused
    for status, said in ledger.refused:
        assert (status, said["code"], said["retryable"]) == (503, "storage_failed", True), said
        assert word in said["detail"]


def check_reading(bus, reader):
    """Nothing can be leased, which is said; everything can still be read."""
    status, said = bus.call(reader, "GET", "/api/inbox")
    assert (status, said["code"]) == (503, "storage_failed")
    assert "view=headers" in said["detail"]
    item = bus.call(reader, "GET", "/api/inbox?view=headers")[1]["items"][0]
    assert bus.call(reader, "GET", f"/api/messages/{item['id']}")[1]["body"].startswith("x")
    status, said = bus.call("", "GET", "/readyz")
    assert (status, said["code"]) == (503, "storage_failed")


def check_all_there(bus, reader, ledger):
    """After a kill and a start, what was accepted is there once, and nothing else is."""
    kill(bus)
    bus.start()
    assert subjects_of(bus, reader) == sorted(ledger.accepted)


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        ((WRITES[0].format("ENOSPC"),), "disk is full"),
        ((WRITES[0].format("EIO"),), "reports an error"),
        ((WRITES[1].format("EIO"),), "reports an error"),
        ([rule.format("EROFS") for rule in WRITES], "reports an error"),
    ],
    ids=["full", "write fails", "sync fails", "read-only"],
)
def test_a_failing_disk_refuses_senders_serves_readers_and_comes_back_by_itself(
    bus, parties, rules, word
):
    reader, ledger = parties
    ledger.send_all([f"before {number}" for number in range(10)])
    with stream(bus, reader) as read_until:
        with injected(bus, *rules):
            ledger.send_all([f"during {number}" for number in range(10)])
            check_refusals(ledger, word)
            check_reading(bus, reader)
        assert len(ledger.accepted) == 10
        bus.wait_ready()
        ledger.send_all([f"after {number}" for number in range(10)])
        assert len(ledger.accepted) == 20
        read_until("event: message")
    log = (bus.data_dir / "bus.log").read_text()
    assert log.count("action=storage_failed") == log.count("action=storage_works_again") == 1
    assert "Traceback" not in log
    check_all_there(bus, reader, ledger)


@pytest.mark.parametrize("rule", ["fdatasync:error=EIO:when=3+17", "pwrite64:error=EIO:when=9..12"])
def test_a_disk_that_fails_now_and_then_loses_and_doubles_nothing(bus, parties, rule):
    reader, ledger = parties
    words = [str(number) for number in range(60)]
    with injected(bus, rule):
        ledger.send_all(words, tries=1000)
    assert ledger.refused
    assert ledger.accepted == set(words)
    ledger.print_figures(rule)
    check_all_there(bus, reader, ledger)


def test_a_refused_message_is_not_there_after_a_kill_that_followed_the_failure(bus, parties):
    reader, ledger = parties
    ledger.send("before")
    with injected(bus, "fdatasync:error=EIO:when=1"):
        ledger.send("refused")
    assert ledger.accepted == {"before"}
    check_all_there(bus, reader, ledger)


def test_a_slow_disk_takes_many_messages_with_each_sync_and_readers_do_not_wait(bus, parties):
    reader, ledger = parties
    with injected(bus, "fdatasync:delay_exit=20000"):
        ledger.send_all([str(number) for number in range(80)])
        assert len(subjects_of(bus, reader)) == 80
    assert len(ledger.accepted) == 80
    ledger.print_figures("20 ms a sync")


@pytest.fixture
def on_disk(bus, tmp_path, lab):
    """Have the bus live on a disk of its own, its log elsewhere: `on_disk(folder)`."""
    if not is_root():
        pytest.skip("needs root to mount")

    def move(folder):
        class Moved(type(bus)):
            @property
            def environment(self):
                return super().environment | {"BUS_DATA_DIR": str(folder)}

        bus.stop()
        for file in bus.data_dir.glob("bus.db*"):
            copy = Path(shutil.copy2(file, folder))
            with copy.open("rb") as written:
                os.fsync(written.fileno())
        bus.__class__ = Moved
        bus.start()

    yield move
    if bus.process.poll() is None:
        kill(bus)  # before the disk goes


def test_a_disk_that_is_really_full_loses_nothing_and_goes_on_once_there_is_room(
    bus, on_disk, add, tmp_path
):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=6m", "tmpfs") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"x" * 2_500_000)
        on_disk(disk)
        reader, ledger = add("ann"), Ledger(bus, add("ben"), "ann")
        with stream(bus, reader) as read_until:
            for number in range(90):
                if ledger.send(f"big {number}", 100_000) != 202:
                    break
            check_refusals(ledger, "disk is full")
            check_reading(bus, reader)
            before = len(ledger.accepted)
            filler.unlink()
            bus.wait_ready()
            assert ledger.send("after", 1000) == 202
            read_until("event: message")
        assert before
        check_all_there(bus, reader, ledger)
        kill(bus)


@pytest.mark.long
def test_a_file_system_that_turned_read_only_is_told_and_all_of_it_is_there_after_a_repair(
    bus, on_disk, add, tmp_path
):
    image, disk = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with loop_device(image) as device:
        options = ("-o", "errors=remount-ro", device)
        with mounted(disk, *options):
            on_disk(disk)
            reader, ledger = add("ann"), Ledger(bus, add("ben"), "ann")
            ledger.send_all([f"before {number}" for number in range(20)])
            broken = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
            broken.write_text("a fault for a test")
            ledger.send_all([f"during {number}" for number in range(20)])
            check_refusals(ledger, "disk")
            check_reading(bus, reader)
            kill(bus)
        subprocess.run(["fsck.ext4", "-fy", device], check=False, capture_output=True)
        with mounted(disk, *options):
            bus.start()
            assert subjects_of(bus, reader) == sorted(ledger.accepted)
            assert ledger.send("after") == 202
            kill(bus)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_failed_syncs_and_kills_in_turn_lose_and_double_nothing(bus, parties):
    reader, ledger = parties
    for number in range(ROUNDS):
        words = [f"{number} {part}" for part in range(EACH)]
        with injected(bus, "fdatasync:error=EIO:when=1+2"):
            ledger.send_all(words, tries=3)
        kill(bus)
        bus.start()
        ledger.send_all(words)  # the same key: what was accepted is there, and not twice
        assert worker_of(bus)
    assert len(ledger.accepted) == ROUNDS * EACH
    ledger.print_figures(f"{ROUNDS} times failing syncs and a kill")
    assert subjects_of(bus, reader) == sorted(ledger.accepted)
