"""The figures of `make bench` come out whole; what they are is not a test's business."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in (".", "bench", "openclaw")]

import filler  # noqa: E402 - found only now, and so are the others
import numbers_page  # noqa: E402
import rig  # noqa: E402
from measure import Table  # noqa: E402

pytestmark = pytest.mark.timeout(700)

RUN = Path(__file__).with_name("run.py")
SYSTEMS = ["wakebus", "polling bus"]
BOTH = [
    "accept: one sender",
    "accept: 32 senders",
    "durable sends, one each",
    "processor for 10,000 sends, 32 senders",
    "send -> watcher, 50 a second",
    "send -> program has the mail",
    "100 idle streams: memory each",
    "catching up 1000 missed messages, stream",
    "one message to 100 streams: first to last",
    "100 idle streams: processor of 100",
    "a watcher: unshared memory",
    "a watcher: processor while idle",
]
ALONE = {
    "dispatch: one parent": "wakebus",
    "dispatch: 32 parents": "wakebus, a send",
    "GET /api/runs?parent=me, 50 of all": "wakebus, after 100,000 runs",
    "GET /api/runs/RUN_ID": "wakebus, after 100,000 runs",
    "disk: append 4 KiB and fdatasync": "this machine",
    "(of which: that program's own start)": "this machine",
    "durable sends in lists of 100": "wakebus",
    "inbox of 1000: read 100 items": "wakebus",
    "GET /api/agents, 200 and more": "wakebus",
    "SIGTERM with 50 open streams: until the last bye": "wakebus",
    "SIGTERM with 50 open streams: until exit": "wakebus",
    "200 readers of 100 appends/s: append to reader": "wakebus, and one reads nothing",
    "200 readers of 100 appends/s: append to answer": "wakebus",
    "200 readers of 100 appends/s: the bus's memory after": "wakebus, and one reads nothing",
}
BOARD = [
    "POST /api/tasks",
    "PATCH /api/tasks: a claim",
    "POST /api/send, beside the board",
    "GET /api/tasks: 50 of all",
    "GET /api/tasks: 50 of a holder",
    "GET /api/tasks: one task",
]
SESSIONS = ["GET /api/sessions: 50 of all", "a search in all sessions", "POST .../entries"]
CPU = [
    "processor for 10,000 sends, 8 connections",
    "processor for 10,000 sends in lists of 100, 4 connections",
    "processor for 10,000 reads of an empty inbox, 8 connections",
    "processor for 10,000 reads of 10 items, 8 connections",
]
LIMITS = ["an empty route", "a route up to the verb"]
WAYS = [f"wakebus, {method}" for method in ("gateway", "hook", "command", "program")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    environment = {key: text for key, text in os.environ.items() if key != "WAKEBUS_LAB"}
    argv = [sys.executable, str(RUN), "--quick", "--rounds", "1", "--seed", "7"]
    done = subprocess.run(
        [*argv, "--json", str(folder / "figures.json"), "--dir", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((folder / "figures.json").read_text())


@pytest.fixture
def rows(bench):
    return {(row["measurement"], row["system"]): row for row in bench[1]["rows"]}


def test_each_measurement_has_numbers_for_both_buses(rows):
    wanted = [(name, system) for name in BOTH for system in SYSTEMS] + list(ALONE.items())
    for key in wanted:
        assert rows[key]["samples"], key
        assert all(isinstance(number, float) for number in rows[key]["samples"]), key
        assert rows[key]["unit"], key


def test_accepting_is_held_against_what_the_same_process_can_do(rows):
    for system in LIMITS:
        for name in ("accept: one sender", "durable sends, one each"):
            assert rows[name, system]["samples"], (name, system)
    assert rows["accept: one sender", "one sync"]["samples"]


def test_what_the_processor_does_is_held_against_an_empty_route(rows):
    for name in CPU:
        assert rows[name, "wakebus"]["samples"], name
        assert rows[name, "an empty route"]["samples"], name
    assert rows["processor for 100,000 frames to 50 streams", "wakebus"]["samples"]


def test_a_full_board_is_held_against_a_small_one(rows):
    for name in BOARD:
        assert rows[name, "wakebus"]["samples"], name
        assert rows[name, "wakebus, a full board"]["samples"], name


def test_long_sessions_are_held_against_short_ones(rows):
    for name in SESSIONS:
        assert rows[name, "wakebus"]["samples"], name
        assert rows[name, "wakebus, long sessions"]["samples"], name


def test_each_aim_says_what_was_found(bench):
    printed, figures = bench
    aims = {one["aim"]: one for one in figures["aims"]}
    accept = aims["accept p50, times an empty route"]
    assert accept["met"] == (accept["found"] <= accept["at most"])
    assert all(f"\n{name}" in printed for name in aims)
    assert len(aims) >= 7


def test_a_run_rewrites_its_page_and_leaves_the_words_around_it(tmp_path):
    page = tmp_path / "numbers.md"
    page.write_text(f"Before.\n{numbers_page.BEGIN}| old |\n{numbers_page.END}After.\n")
    table = Table()
    table.add("accept: one sender", "wakebus", "ms").samples += [1.0, 3.0]
    table.add("accept: one sender", "an empty route", "ms").samples += [1.0, 1.0]
    numbers_page.write({"CPUs": "2"}, table, page)
    written = page.read_text()
    assert written.startswith("Before.\n")
    assert written.endswith("After.\n")
    assert "| old |" not in written
    assert "| accept: one sender | wakebus | 2 | 2.00 (1.10 to 2.90) ms |  | 1 |" in written
    assert "| accept p50, times an empty route | at most 2.00 | 2.00 |  |" in written


def test_a_filled_database_is_one_that_the_bus_serves(tmp_path):
    bus, empty = rig.make_bus(tmp_path / "filled"), rig.make_bus(tmp_path / "empty")
    filler.add_old(bus.database, 300, agents=3)
    tokens = filler.add_agents(bus.database, ["feeder", "misser"])
    filler.add_missed(bus.database, "feeder", "misser", 5)
    with rig.running(bus):
        status, page = bus.call(tokens["misser"], "GET", "/api/inbox?limit=3")
        assert (status, len(page["items"]), page["more"]) == (200, 3, 2)
        handle = page["items"][0]["handle"]
        assert bus.call(tokens["misser"], "POST", "/api/ack", {"handles": [handle]})[0] == 200
        sent = {"to": "misser", "body": "One more."}
        assert bus.call(tokens["feeder"], "POST", "/api/send", sent)[0] == 202
    indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index'"
    assert ask(bus, indexes) == ask(empty, indexes)
    assert ask(bus, "PRAGMA integrity_check") == [("ok",)]
    assert ask(bus, "PRAGMA foreign_key_check") == []


def ask(bus, words):
    with closing(sqlite3.connect(bus.database)) as connection:
        return connection.execute(words).fetchall()


def test_each_durability_is_counted_or_said_to_be_unknown(rows):
    for words in ("one sender", "32 senders at once"):
        for system in SYSTEMS:
            row = rows[f"durability: syncs a send, {words}", system]
            assert row.get("samples") or row["unknown"].startswith("unknown ("), row


def test_what_was_not_measured_says_why(bench, rows):
    for system in [*WAYS, "a bare gateway call", "polling bus, command"]:
        assert rows["send -> OpenClaw asks its model", system]["unknown"] == "no lab"
    assert bench[0].count("not measured: no lab") == 6


def test_the_table_shows_every_row_the_machine_and_the_warning(bench, rows):
    printed, figures = bench
    for measurement, system in rows:
        assert any(
            line.startswith(measurement) and system in line for line in printed.splitlines()
        ), measurement
    for fact in ("CPUs", "Python", "SQLite", "file system", "rounds", "seed"):
        assert f"{fact}:" in printed
        assert figures["facts"][fact]
    assert "the ratios count" in printed
    assert figures["facts"]["seed"] == "7"
