"""The figures of `make bench-peers` come out whole; what they are is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]

import syncs  # noqa: E402 - found only now, and so are the others
from measure import Table  # noqa: E402

from tests.bench.peers import aims, page  # noqa: E402
from tests.bench.peers.comparing import name_of  # noqa: E402
from tests.bench.peers.everyone import PEERS  # noqa: E402
from tests.bench.peers.promises import share_before  # noqa: E402

pytestmark = pytest.mark.timeout(400)

NAMES = ["wakebus", "inbox", "redis", "mosquitto", "nats", "nothing"]
FULL = [
    "accept",
    "32 senders: rate",
    "32 senders: processor for 10,000",
    "32 senders: the client's processor",
    "batches: rate",
    "delivery",
    "fan-out",
    "idle: memory each",
    "catching up: rate",
    "lost: acknowledged",
    "lost: of them",
]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    argv = [sys.executable, "-m", "tests.bench.peers.run", "--quick", "--rounds", "1"]
    done = subprocess.run(
        [*argv, "--only", ",".join(NAMES), "--json", str(folder / "j"), "--dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "j").read_text())


def there(peer):
    return peer.version() is not None


def test_each_peer_that_is_there_has_a_figure_for_all_it_does(compared):
    rows = {(row["measurement"], row["system"]): row for row in compared["rows"]}
    for name in NAMES:
        peer = PEERS[name]
        if not there(peer):
            assert compared["missing"][peer.name] == peer.install
            continue
        for variant in peer.variants:
            for what in FULL:
                if not any(what.startswith(one) for one in peer.lacks):
                    assert rows[what, name_of(peer, variant)]["samples"], (what, peer.name)


def test_nothing_that_the_bus_acknowledged_is_gone_after_a_kill(compared):
    lost = [row for row in compared["rows"] if row["measurement"] == "lost: of them"]
    found = {row["system"]: row["samples"] for row in lost}
    assert found["wakebus"] == [0.0]
    assert found["(nothing)"][0] > 0  # and one that keeps nothing is seen to lose


def test_a_sync_counts_only_between_the_sending_and_the_answer(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 100.0)
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    answer = {"begun": [1_000_000_000, 2_000_000_000, 3_000_000_000], "waits_ms": [500, 500, 500]}
    seen = [(101.1, 101.4), (102.1, 102.9), (102.9, 103.1)]  # within; too late; begun too early
    assert share_before(seen, answer) == pytest.approx(1 / 3)


def test_a_sync_is_read_however_the_tracer_writes_it():
    assert syncs.read("7 100.5 fdatasync(5) = 0 <0.25>") == [(100.5, 100.75)]
    assert syncs.read("7 100.5 <... fsync resumed>) = 0 <0.25>") == [(100.25, 100.5)]
    assert syncs.read("7 100.5 fsync(5 <unfinished ...>") == []
    assert syncs.read("7 +++ exited with 0 +++") == []


def test_a_run_rewrites_its_section_and_leaves_the_words_around_it(tmp_path):
    written = tmp_path / "numbers.md"
    written.write_text(f"Before.\n{page.BEGIN}| old |\n{page.END}After.\n")
    table, bus, redis = Table(), PEERS["wakebus"], PEERS["redis"]
    table.add("accept", "wakebus", "ms").samples += [2.0, 2.0]
    table.add("accept", "Redis Streams, appendfsync always", "ms").samples += [1.0, 1.0]
    contenders = [(bus, bus.variants[0]), (redis, redis.variants[0])]
    page.write(
        {"CPUs": "2"}, table, contenders, {"nchan": "apt"}, ["Redis: accept: it died"], written
    )
    text = written.read_text()
    assert text.startswith(f"Before.\n{page.BEGIN}CPUs: 2.\n")
    assert text.endswith(f"{page.END}After.\n")
    assert "| old |" not in text
    assert "| Redis Streams, appendfsync always | 1.00 | 1.00 | — | — | — |" in text
    assert "| Redis Streams, appendfsync always | 0.50 | 0.50 | — |" in text
    assert "- nchan was not measured, since it was not installed (`apt`)." in text
    assert "- Failed: Redis: accept: it died" in text


def test_the_bus_is_ahead_only_of_the_best_that_speaks_http_and_syncs():
    table = Table()
    shares = {"wakebus": (3.0, 100.0), "RabbitMQ, x": (1.0, 100.0), "nchan": (2.0, 0.0)}
    shares["Durable Streams, files"] = (4.0, 100.0)
    for system, (waits_ms, before) in shares.items():
        table.add("accept", system, "ms").samples.append(waits_ms)
        table.add(aims.SHARE, system, "%").samples.append(before)
    peers = {
        "RabbitMQ, x": "rabbitmq",
        "nchan": "nchan",
        "Durable Streams, files": "durable-streams",
    }
    systems = [(system, PEERS[name], PEERS[name].variants[0]) for system, name in peers.items()]
    systems.append(("wakebus", PEERS["wakebus"], PEERS["wakebus"].variants[0]))
    judged = {one.words: one for one in aims.judge(table, systems)}
    ahead = judged["accept p50, beside HTTP that syncs"]
    assert (ahead.found, ahead.is_met) == ("0.75 times Durable Streams, files", True)
