"""The figures of `make bench` come out whole; what they are is not a test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
SYSTEMS = ["wakebus", "polling bus"]
BOTH = [
    "accept: one sender",
    "accept: 32 senders at once",
    "accept: 32 senders at once, throughput",
    "send -> program has the mail",
    "100 idle streams: memory each",
    "100 idle streams: processor",
]
ALONE = {
    "disk: append 4 KiB and fdatasync": "this machine",
    "(of which: that program's own start)": "this machine",
    "SIGTERM with 50 open streams: until the last bye": "wakebus",
    "SIGTERM with 50 open streams: until exit": "wakebus",
}
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
        timeout=110,
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


def test_each_durability_is_counted_or_said_to_be_unknown(rows):
    for words in ("one sender", "32 senders at once"):
        for system in SYSTEMS:
            row = rows[f"durability: syncs a send, {words}", system]
            assert row.get("samples") or row["unknown"].startswith("unknown ("), row


def test_what_was_not_measured_says_why(bench, rows):
    for system in [*WAYS, "polling bus, command"]:
        assert rows["send -> OpenClaw asks its model", system]["unknown"] == "no lab"
    assert bench[0].count("not measured: no lab") == 5


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
