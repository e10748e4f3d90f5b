"""Background runs with a real bus, a real watcher and real programs as workers."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import WATCHER, clean_environment, until

FILE = "checkpoints/subagent-count.md"
ORDER = {"worker": "wim", "task": "count the files", "label": "count", "cleanup": "keep"}
ENDS = {"completed", "failed", "timed_out", "cancelled", "lost"}


class Pair:
    """Ann, who dispatches, on no node; and wim, a worker who runs a script on node here."""

    def __init__(self, bus, folder, script, **runs) -> None:
        self.bus, self.folder = bus, folder
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.ask("admin", "POST", "/api/agents", {"name": "ann"})
        made = self.ask("admin", "POST", "/api/tokens", {"kind": "agent", "subject": "ann"})
        self.token = made["token"]
        self.ask("admin", "POST", "/api/nodes", {"name": "here", "agents": []})
        wim = {"name": "wim", "kind": "worker", "node": "here"}
        self.ask("admin", "POST", "/api/agents", wim)
        code = self.ask("admin", "POST", "/api/nodes/here/code", {})["code"]
        self.environment = clean_environment(HOME=str(folder))
        self.watcher("enrol", bus.url, code)
        words = [f"{key}={value}" for key, value in runs.items()]
        argv = f"argv={json.dumps(['sh', '-c', script])}"
        where = f"runs.workspace={self.workspace}"
        self.watcher("set", "wim", "method=program", argv, where, *words)
        bus.watch(folder / "node", self.environment)

    def watcher(self, *words):
        command, *rest = words
        subprocess.run(
            [WATCHER, command, "--dir", str(self.folder / "node"), *rest],
            env=self.environment,
            check=True,
        )

    def ask(self, who, method, path, body=None):
        token = self.bus.admin if who == "admin" else self.token
        status, answer = self.bus.call(token, method, path, body)
        assert status < 300, (status, answer)
        return answer

    def start(self, **more):
        order = {"run_timeout_seconds": 30, **ORDER, **more}
        return self.ask("ann", "POST", "/api/runs", order)["run_id"]

    def await_end(self, run_id, within_s=40):
        def look():
            shown = self.ask("ann", "GET", f"/api/runs/{run_id}")
            return shown if shown["state"] in ENDS else None

        return until(look, within_s, f"{run_id} has ended")

    def results(self):
        items = self.ask("ann", "GET", "/api/inbox?limit=100")["items"]
        return [item for item in items if item["type"] == "RESULT"]

    def kill_watcher(self):
        watcher = self.bus.watchers.pop()
        watcher.send_signal(signal.SIGKILL)
        watcher.wait(60)

    def watch(self):
        self.bus.watch(self.folder / "node", self.environment)


def lives(pid):
    """Say whether a process runs; a dead one that nobody has taken away yet does not."""
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def pair(bus, tmp_path):
    return lambda script, **runs: Pair(bus, tmp_path, script, **runs)


def test_a_worker_does_a_run_and_its_parent_has_one_result(pair):
    cast = pair('cat > "$WAKEBUS_RUN_OUTPUT"; echo four files')
    shown = cast.await_end(cast.start())
    assert shown["state"] == "completed"
    (item,) = cast.results()
    assert "four files" in item["body"]
    assert str(cast.workspace / FILE) in item["body"]
    brief = (cast.workspace / FILE).read_text()
    assert brief.startswith("count the files")
    assert str(cast.workspace / FILE) in brief


def test_a_bus_that_is_killed_while_a_run_ends_hears_of_it_once(pair, bus, tmp_path):
    gate, began = tmp_path / "gate", tmp_path / "began"
    cast = pair(f"touch {began}; while [ ! -e {gate} ]; do sleep 0.05; done; echo done")
    run_id = cast.start()
    until(began.exists, 60, "it began")
    bus.stop(signal.SIGKILL)
    gate.touch()
    entry = tmp_path / "node/state/runs" / f"{run_id}.json"
    until(lambda: '"phase": "ended"' in entry.read_text(), 60, "it ended")
    bus.start()
    assert cast.await_end(run_id)["state"] == "completed"
    assert len(cast.results()) == 1
    until(lambda: not entry.exists(), 60, "nothing of it is owed any more")


def test_an_end_outlives_both_the_bus_and_the_watcher(pair, bus, tmp_path):
    gate, began = tmp_path / "gate", tmp_path / "began"
    cast = pair(f"touch {began}; while [ ! -e {gate} ]; do sleep 0.05; done; echo done")
    run_id = cast.start()
    until(began.exists, 60, "it began")
    bus.stop(signal.SIGKILL)
    gate.touch()
    entry = tmp_path / "node/state/runs" / f"{run_id}.json"
    until(lambda: '"phase": "ended"' in entry.read_text(), 60, "it ended")
    cast.kill_watcher()
    bus.start()
    cast.watch()
    assert cast.await_end(run_id)["output"] == "done\n"
    assert len(cast.results()) == 1


def test_a_watcher_that_is_killed_in_mid_run_tells_of_it_when_it_is_back(pair, tmp_path):
    cast = pair(f"echo $$ >> {tmp_path}/pids; exec sleep 300")
    run_id = cast.start()
    until((tmp_path / "pids").exists, 60, "it began")
    cast.kill_watcher()
    cast.watch()
    shown = cast.await_end(run_id)
    assert (shown["state"], shown["reason"]) == (
        "failed",
        "the watcher was restarted, and the program ended with it",
    )
    (pid,) = (tmp_path / "pids").read_text().split()
    until(lambda: not lives(pid), 30, "the program is dead")
    assert len(cast.results()) == 1


def test_a_run_at_its_limit_is_timed_out(pair):
    cast = pair("echo so far; sleep 300")
    shown = cast.await_end(cast.start(run_timeout_seconds=1))
    assert shown["state"] == "timed_out"
    (item,) = cast.results()
    assert "so far" in item["body"]


def test_a_cancel_ends_the_program(pair, tmp_path):
    cast = pair(f"echo $$ > {tmp_path}/pid; exec sleep 300")
    run_id = cast.start()
    until((tmp_path / "pid").exists, 60, "it began")
    cast.ask("ann", "POST", f"/api/runs/{run_id}/cancel", {})
    assert cast.await_end(run_id)["state"] == "cancelled"
    until(lambda: not lives((tmp_path / "pid").read_text()), 30, "the program is dead")


def test_a_check_that_fails_fails_the_run(pair):
    cast = pair("echo all is well", **{"runs.verify.tests": "false"})
    shown = cast.await_end(cast.start(verify="tests"))
    assert (shown["state"], shown["verify"]["exit_code"]) == ("failed", 1)


def test_more_than_there_is_place_for_are_all_done(pair):
    cast = pair("echo ok")
    ids = [cast.start(label=f"n{at}") for at in range(12)]
    assert {cast.await_end(run_id)["state"] for run_id in ids} == {"completed"}
    assert len(cast.results()) == 12
