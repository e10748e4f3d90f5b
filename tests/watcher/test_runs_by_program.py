"""Background runs by a program: real processes and files, against a bus by the contract."""

from __future__ import annotations

import hashlib
import sys
import threading

import pytest
from fakebus import ProblemError
from processlist import is_gone

from tests.conftest import until
from watcher import address
from watcher.bus import Bus
from watcher.methods import Methods
from watcher.runs import running
from watcher.runs.desk import Desk

FILE = "checkpoints/subagent-audit.md"


@pytest.fixture
def desk(enrolled, bus, clock, workspace):
    """Make a desk whose worker beta runs this program: `desk("cat", verify={...})`."""
    made = []

    def make(*argv, instance="i_1", agent=None, **runs):
        runs = {"workspace": str(workspace), **runs}
        settings = enrolled(agents={"beta": {"argv": list(argv), "runs": runs, **(agent or {})}})
        stop = threading.Event()
        node = Bus(address.parse(bus.url), settings.folder.read_node_token)
        desk = Desk(settings, node, Methods(settings, clock), clock, stop, instance)
        desk.stop = stop  # what the daemon sets, with all threads it is for
        made.append((desk, node))
        return desk

    yield make
    for desk, node in made:
        desk.stop.set()
        assert desk.close(20)
        node.close()


@pytest.fixture
def run(desk, runs):
    """Run one order by a program, and give the end that the bus was told."""

    def do(*argv, settings=None, agent=None, **order):
        runs.offer(push=False, **order)
        working = desk(*argv, agent=agent, **(settings or {}))
        working.adopt()
        end = runs.await_end()
        assert working.wait_idle(30)
        return end

    return do


def python(text):
    return [sys.executable, "-c", text]


# ------------------------------------------------------------------------------- a good run


def test_the_brief_comes_in_and_what_is_printed_goes_back(run, folder):
    end = run("tr", "a-z", "A-Z", task="count the files")
    assert (end["claim"], end["status"], end["exit_code"]) == (1, "completed", 0)
    assert (end["output"], end["output_bytes"]) == ("COUNT THE FILES", 15)
    assert "reason" not in end
    assert list(folder.runs.iterdir()) == []


def test_the_brief_can_be_an_argument_of_its_own(run):
    assert run("echo", "{text}", task="$(id); count")["output"] == "$(id); count\n"


def test_it_claims_with_its_instance_and_where_the_workspace_is(run, runs, workspace):
    run("cat")
    assert runs.calls("claim") == [{"instance": "i_1", "workspace": str(workspace)}]


def test_the_program_starts_in_the_workspace_and_knows_its_run(run, workspace):
    names = ("WAKEBUS_RUN_ID", "WAKEBUS_RUN_LABEL", "WAKEBUS_RUN_OUTPUT", "WAKEBUS_RUN_MODEL")
    text = f"import os; print(os.getcwd(), *(os.environ[name] for name in {names}))"
    end = run(*python(text), model="big", settings={"models": ["big"]})
    assert end["output"].split() == [
        str(workspace), "r_1", "audit", str(workspace / FILE), "big",
    ]  # fmt: skip


def test_a_long_output_is_cut_for_the_bus_and_whole_in_the_file(run, workspace):
    end = run(*python("print('ä' * 100_000)"))
    assert len(end["output"].encode()) <= 64_000
    assert set(end["output"]) == {"ä"}
    assert end["output_bytes"] == end["file"]["size"] == 200_001
    assert (workspace / FILE).read_text() == "ä" * 100_000 + "\n"


# ------------------------------------------------------------------------------- the file


def test_what_the_worker_wrote_is_told_with_its_size_and_hash(run, workspace):
    text = "import os; open(os.environ['WAKEBUS_RUN_OUTPUT'], 'w').write('found'); print('done')"
    end = run(*python(text))
    digest = hashlib.sha256(b"found").hexdigest()
    path = str(workspace / FILE)
    assert end["file"] == {"path": path, "size": 5, "sha256": digest, "written_by": "worker"}
    assert end["output"] == "done\n"
    assert (workspace / FILE).read_text() == "found"


def test_a_file_that_the_worker_did_not_write_is_written_by_the_watcher(run, workspace):
    end = run("echo", "my words")
    assert end["file"]["written_by"] == "watcher"
    assert end["file"]["size"] == 9
    assert (workspace / FILE).read_text() == "my words\n"


def test_a_file_of_an_earlier_run_is_not_taken_for_this_ones(run, workspace):
    (workspace / "checkpoints").mkdir()
    (workspace / FILE).write_text("what an earlier run found")
    end = run("echo", "new")
    assert end["file"]["written_by"] == "watcher"
    assert (workspace / FILE).read_text() == "new\n"


def test_a_worker_that_touches_the_file_and_says_the_rest_has_it_filled(run, workspace):
    end = run("sh", "-c", 'touch "$WAKEBUS_RUN_OUTPUT"; echo the rest')
    assert end["file"]["written_by"] == "watcher"
    assert (workspace / FILE).read_text() == "the rest\n"


@pytest.mark.parametrize(
    "output", ["/etc/motd", "../out.md", "a/../../out.md", "", "a//b", "./a", "a\0b"]
)
def test_a_path_that_leads_out_is_refused_before_anything_runs(run, tmp_path, output):
    mark = tmp_path / "ran"
    end = run("touch", str(mark), output=output)
    assert end["status"] == "failed"
    assert "inside the workspace" in end["reason"]
    assert not mark.exists()


def test_a_link_in_the_files_place_is_neither_read_nor_written_through(run, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("not for anybody")
    end = run("sh", "-c", f'ln -s {secret} "$WAKEBUS_RUN_OUTPUT"; echo words')
    assert end["status"] == "failed"
    assert "checkpoints/subagent-audit.md cannot be used" in end["reason"]
    assert "file" not in end
    assert secret.read_text() == "not for anybody"


def test_a_link_in_the_place_of_a_folder_is_not_followed(run, tmp_path, workspace):
    outside = tmp_path / "outside"
    outside.mkdir()
    (workspace / "checkpoints").symlink_to(outside)
    end = run("echo", "words")
    assert end["status"] == "failed"
    assert "cannot be used" in end["reason"]
    assert list(outside.iterdir()) == []


def test_a_folder_that_became_a_link_during_the_run_is_not_followed(run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    end = run("sh", "-c", f"rmdir checkpoints; ln -s {outside} checkpoints; echo words")
    assert end["status"] == "failed"
    assert end["exit_code"] == 0
    assert list(outside.iterdir()) == []


def test_a_pipe_in_the_files_place_holds_nobody_up(run):
    end = run("sh", "-c", 'mkfifo "$WAKEBUS_RUN_OUTPUT"')
    assert end["status"] == "failed"
    assert "no plain file" in end["reason"]


# ------------------------------------------------------------------------------- other ends


def test_an_exit_status_is_a_failure_with_what_was_said(run, workspace):
    end = run("sh", "-c", "echo half; echo it broke >&2; exit 3")
    assert (end["status"], end["exit_code"]) == ("failed", 3)
    assert end["reason"] == "the program failed with exit status 3: it broke"
    assert end["output"] == "half\n"
    assert (workspace / FILE).read_text() == "half\n"


def test_a_failure_without_words_makes_no_file(run, workspace):
    end = run("false")
    assert (end["status"], end["exit_code"]) == ("failed", 1)
    assert "file" not in end
    assert not (workspace / FILE).exists()


def test_a_program_that_cannot_be_started_is_a_failure(run):
    end = run("no-such-program")
    assert end["status"] == "failed"
    assert "could not be started" in end["reason"]


def test_at_the_limit_the_whole_group_is_ended_and_who_left_it_too(run, tmp_path):
    script = (
        f"setsid sleep 300 & echo $! > {tmp_path}/left; sleep 301 & echo $! > {tmp_path}/in;"
        f" echo $$ > {tmp_path}/leader; echo so far; wait"
    )
    end = run("sh", "-c", script, limit_s=1)
    assert end["status"] == "timed_out"
    assert "at its limit of 1 s" in end["reason"]
    assert end["output"] == "so far\n"
    assert is_gone(int((tmp_path / "leader").read_text()))
    left = int((tmp_path / "left").read_text())
    assert is_gone(left)


def test_a_run_is_not_the_models_word(run):
    end = run("sh", "-c", "echo status: completed; exit 1")
    assert end["status"] == "failed"


# ------------------------------------------------------------------------------- the check


def test_a_check_that_passes_is_part_of_the_end(run):
    checks = {"tests": ["sh", "-c", "test -s checkpoints/subagent-audit.md && echo 5 passed"]}
    end = run("echo", "words", verify="tests", settings={"verify": checks})
    assert end["status"] == "completed"
    assert end["verify"] == {"name": "tests", "exit_code": 0, "output": "5 passed\n"}


def test_a_check_that_fails_has_the_run_fail(run):
    checks = {"tests": ["sh", "-c", "echo 2 failed; exit 4"]}
    end = run("echo", "words", verify="tests", settings={"verify": checks})
    assert (end["status"], end["exit_code"]) == ("failed", 0)
    assert end["reason"] == "the check tests failed with exit status 4"
    assert end["verify"] == {"name": "tests", "exit_code": 4, "output": "2 failed\n"}


def test_a_check_is_not_run_after_a_failure(run, tmp_path):
    checks = {"tests": ["touch", str(tmp_path / "checked")]}
    end = run("false", verify="tests", settings={"verify": checks})
    assert "verify" not in end
    assert not (tmp_path / "checked").exists()


def test_a_check_has_a_limit_of_its_own(run):
    settings = {"verify": {"tests": ["sleep", "300"]}, "verify_limit_s": 0.3}
    end = run("echo", "words", verify="tests", settings=settings)
    assert end["status"] == "failed"
    assert end["reason"] == "the check tests was ended at its limit of 0.3 s"


def test_a_check_cannot_outlive_the_runs_limit(run, monkeypatch):
    monkeypatch.setattr(running, "LEAST_CHECK_S", 0.1)
    settings = {"verify": {"tests": ["sleep", "300"]}}
    end = run("echo", "words", verify="tests", settings=settings, limit_s=1)
    assert end["status"] == "timed_out"


@pytest.mark.parametrize(
    ("order", "settings", "sentence"),
    [
        ({"verify": "rm -rf /"}, {}, "beta has no check 'rm -rf /'; none is set"),
        ({"verify": "x"}, {"verify": {"tests": ["true"]}}, "allowed are tests"),
        ({"verify": "x"}, {"verify": {"x": ["no-such"]}}, "there is no no-such there"),
        ({"model": "dear"}, {}, "the model 'dear' is not allowed for beta; none is set"),
        ({"model": "dear"}, {"models": ["a", "b"]}, "allowed are a, b"),
    ],
)
def test_what_the_settings_do_not_name_fails_before_anything_runs(
    run, tmp_path, order, settings, sentence
):
    end = run("touch", str(tmp_path / "ran"), settings=settings, **order)
    assert end["status"] == "failed"
    assert sentence in end["reason"]
    assert not (tmp_path / "ran").exists()


def test_a_worker_whose_method_sees_no_end_is_refused_with_the_command_that_mends_it(run):
    end = run("true", agent={"method": "command"})
    assert end["status"] == "failed"
    assert "bus-watcher set beta method=gateway" in end["reason"]


def test_a_workspace_that_is_not_there_is_named(run, tmp_path):
    end = run("true", settings={"workspace": str(tmp_path / "gone")})
    assert f"the workspace {tmp_path}/gone of beta is not a folder there" in end["reason"]


# ------------------------------------------------------------------------------- the bus's word


def test_a_claim_of_somebody_else_is_left_alone(desk, runs, tmp_path, folder):
    runs.offer(push=False)
    runs.instances["r_1"] = "i_other"
    working = desk("touch", str(tmp_path / "ran"))
    working.adopt()
    assert working.wait_idle(30)
    assert runs.calls("claim")
    assert not (tmp_path / "ran").exists()
    assert list(folder.runs.iterdir()) == []


def test_it_says_that_it_lives_and_ends_what_was_cancelled(desk, runs, bus, tmp_path):
    runs.offer(push=False)
    working = desk("sh", "-c", f"echo $$ > {tmp_path}/pid; echo some; sleep 300")
    working.adopt()
    bus.wait_for(lambda _: len(runs.calls("alive")) >= 2 and (tmp_path / "pid").exists())
    runs.states["r_1"] = "cancelled"  # heard by a heartbeat, not by the stream
    end = runs.await_end()
    assert (end["status"], end["output"]) == ("cancelled", "some\n")
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_cancel_that_comes_by_the_stream_ends_it_at_once(desk, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "ALIVE_EVERY_S", 1e6)
    runs.offer(push=False)
    working = desk("sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 300")
    working.adopt()
    until((tmp_path / "pid").exists, 30, "the program has begun")
    working.take({"run_id": "r_1", "to_agent": "beta", "state": "cancelled"})
    assert runs.await_end()["status"] == "cancelled"


def test_a_claim_that_comes_too_late_to_be_wanted_starts_nothing_that_lasts(desk, runs):
    runs.offer(push=False, cancel=True)
    desk("sleep", "300").adopt()
    assert runs.await_end()["status"] == "cancelled"


@pytest.mark.parametrize("state", ["lost", "timed_out"])
def test_a_run_that_the_bus_gave_up_is_stopped_and_what_it_said_is_handed_in(
    desk, runs, tmp_path, state
):
    runs.offer(push=False)
    working = desk("sh", "-c", f"echo some; echo $$ > {tmp_path}/pid; sleep 300")
    working.adopt()
    until((tmp_path / "pid").exists, 30, "the program has begun")
    runs.states["r_1"] = state
    end = runs.await_end()
    assert (end["status"], end["reason"]) == ("cancelled", "the bus had given it up")
    assert end["output"] == "some\n"
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_run_that_is_anothers_by_now_is_stopped_and_left(desk, runs, tmp_path, folder):
    runs.offer(push=False)
    working = desk("sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 300")
    working.adopt()
    until((tmp_path / "pid").exists, 30, "the program has begun")
    runs.claims["r_1"] = 2
    assert working.wait_idle(20)
    assert runs.ends == {}
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert list(folder.runs.iterdir()) == []


def test_an_offer_that_comes_while_the_last_one_is_refused_is_not_forgotten(desk, runs, bus):
    runs.offer(push=False)
    working = desk("cat")

    def refuse_and_offer(_run_id, _body):
        runs._claim = real
        working.take({"run_id": "r_1", "to_agent": "beta", "state": "queued"})
        raise ProblemError(409, "conflict")

    real, runs._claim = runs._claim, refuse_and_offer
    working.adopt()
    assert runs.await_end()["status"] == "completed"


def test_what_the_book_holds_is_not_done_twice_however_often_it_is_looked_at(
    desk, runs, bus, workspace
):
    runs.offer(push=False)
    working = desk("sh", "-c", "echo ran >> log")
    while not runs.ends:
        working.adopt()
    working.adopt()
    assert working.wait_idle(30)
    assert (workspace / "log").read_text() == "ran\n"
    assert len(runs.calls("end")) == 1


def test_many_run_at_once(desk, runs):
    for number in range(8):
        runs.offer(f"r_{number}", push=False, output=f"out/{number}.md")
    gate = "while [ $(ls out | grep -c begun) -lt 8 ]; do sleep 0.05; done"
    working = desk("sh", "-c", f'touch "$WAKEBUS_RUN_OUTPUT.begun"; {gate}; echo ok')
    working.adopt()
    ends = [runs.await_end(f"r_{number}") for number in range(8)]
    assert {end["status"] for end in ends} == {"completed"}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"run_id": "r_1/../x", "to_agent": "beta", "state": "queued"},
        {"run_id": "r_1", "to_agent": "../beta", "state": "queued"},
        {"run_id": 7, "state": "queued"},
    ],
)
def test_nonsense_about_runs_starts_nothing(desk, bus, raw):
    working = desk("true")
    working.take(raw)
    assert working.wait_idle(30)
    assert bus.requests == []


# ------------------------------------------------------------------------------- bad days


def test_an_end_is_repeated_while_the_bus_is_away(run, runs):
    runs.refusals["end"] = [ProblemError(503, "draining", retry_after=1)] * 3
    assert run("echo", "words")["output"] == "words\n"
    assert len(runs.calls("end")) == 4


def test_a_report_that_the_bus_does_not_take_is_told_without_its_parts(run, runs):
    runs.refusals["end"] = [ProblemError(400, "invalid_request")]
    end = run("echo", "words")
    assert end == {
        "claim": 1,
        "status": "completed",
        "reason": "the bus refused the whole report of the end",
    }


def test_an_end_that_could_not_be_told_is_told_by_the_next_life(desk, runs, folder, workspace):
    runs.offer(push=False)
    runs.refusals["end"] = [ProblemError(503, "away")] * 1000
    first = desk("sh", "-c", "echo ran >> log; echo words")
    first.adopt()
    runs.bus.wait_for(lambda _: runs.calls("end"))
    first.stop.set()
    assert first.close(10)
    assert runs.ends == {}
    assert (folder.runs / "r_1.json").stat().st_mode & 0o077 == 0
    runs.refusals.clear()
    second = desk("sh", "-c", "echo ran >> log; echo words")
    second.resume()
    end = runs.await_end()
    assert (end["status"], end["output"]) == ("completed", "words\n")
    assert second.wait_idle(30)
    assert (workspace / "log").read_text() == "ran\n"
    assert list(folder.runs.iterdir()) == []


def test_a_stop_ends_the_program_and_tells_it(desk, runs, tmp_path):
    runs.offer(push=False)
    working = desk("sh", "-c", f"echo $$ > {tmp_path}/pid; echo some; sleep 300")
    working.adopt()
    until((tmp_path / "pid").exists, 30, "the program has begun")
    working.stop.set()
    working.halt_all()
    end = runs.await_end()
    assert end["status"] == "failed"
    assert end["reason"] == "the watcher was stopped, and the program ended with it"
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_fault_of_the_watcher_is_a_failed_run_and_not_a_silent_one(run, monkeypatch):
    def crash(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(running, "check_workspace", crash)
    end = run("true")
    assert end["status"] == "failed"
    assert "the watcher's own fault: ZeroDivisionError" in end["reason"]


def test_an_agent_that_is_not_here_is_looked_for_and_then_left(desk, runs, bus):
    runs.offer(push=False, worker="gamma")
    working = desk("true")
    working.adopt()
    assert working.wait_idle(30)
    assert runs.calls("claim") == []


def test_a_bus_without_runs_is_no_trouble(desk, bus):
    working = desk("true")
    working.adopt()
    assert [request.path for request in bus.requests] == ["/api/runs"]
