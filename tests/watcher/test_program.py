"""The `program` method against a fake bus, with real processes."""

from __future__ import annotations

import json
import sys
import threading

import pytest
from fakebus import ProblemError

from watcher.methods import Methods, program
from watcher.methods.base import Outcome, Wake


class Reports:
    def __init__(self):
        self.said = []

    def admitted(self, turn_id):
        self.said.append(turn_id)

    def alive(self):
        self.said.append("alive")


@pytest.fixture
def report():
    return Reports()


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def run(enrolled, clock, report, stop):
    """Run a turn of beta with these settings."""

    def start(argv, **more):
        settings = enrolled(agents={"beta": {"argv": argv, **more}})
        beta = settings.agents["beta"]
        wake = Wake("w_1", 1, "beta", "main", "agent:main:main", "you have mail", 1, 0)
        return Methods(settings, clock).find(beta).run(wake, beta, report, stop)

    return start


def script(text):
    return [sys.executable, "-c", text]


def test_what_it_prints_is_the_reply(run, inbox, report):
    inbox.add("1", text="question")
    assert run(["tr", "a-z", "A-Z"]) == Outcome("ended")
    assert inbox.settled == [("reply", "m_1.1", "QUESTION", None)]
    assert report.said[0] == "program:w_1"


def test_each_message_has_its_own_process_and_the_turn_is_admitted_once(run, inbox, report):
    for name in "123":
        inbox.add(name, text=f"text {name}")
    assert run(["cat"]) == Outcome("ended")
    assert [entry[2] for entry in inbox.settled] == ["text 1", "text 2", "text 3"]
    assert [said for said in report.said if said != "alive"] == ["program:w_1"]


def test_an_empty_inbox_starts_no_program(run, inbox):
    assert run(["/nowhere"]) == Outcome("ended")
    assert inbox.settled == []


@pytest.mark.parametrize(("argv", "expected"), [(["cat"], False), (["true"], True)])
def test_no_reply_is_sent_where_none_is_expected_or_nothing_was_printed(run, inbox, argv, expected):
    inbox.add("1", reply_expected=expected)
    run(argv)
    assert inbox.settled == [("ack", "m_1.1", None, None)]


def test_placeholders_are_whole_arguments_and_no_shell_sees_them(run, inbox):
    text = "$(touch /tmp/x); `id` 'q' \"d\" \n second line \u20ac"
    inbox.add("1", text=text)
    run([*script("import sys, json; print(json.dumps([sys.argv[1:], sys.stdin.read()]))"),
         "{text}", "{handle}", "{message_id}", "{from}", "x{from}"])  # fmt: skip
    argv, stdin = json.loads(inbox.settled[0][2])
    assert argv == [text, "m_1.1", "m_1", "alice", "x{from}"]
    assert stdin == ""


@pytest.mark.parametrize("argv", [["cat"], ["printf", "%s", "{text}"]])
def test_a_text_of_odd_characters_reaches_the_program(run, inbox, argv):
    inbox.add("1", text="a\ud800b\u20ac")
    run(argv)
    assert inbox.settled == [("reply", "m_1.1", "a?b\u20ac", None)]


def test_a_nul_cannot_be_in_an_argument(run, inbox):
    inbox.add("1", text="a\0b")
    run(["printf", "%s", "{text}"])
    assert inbox.settled == [("reply", "m_1.1", "a\ufffdb", None)]


def test_the_program_learns_how_to_speak_for_itself(run, inbox, bus, folder, monkeypatch):
    monkeypatch.setenv("OPENCLAW_SHELL", "exec")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    monkeypatch.delenv("WAKEBUS_LAB", raising=False)
    inbox.add("1")
    run(script("import os, json; print(json.dumps(dict(os.environ)))"), env={"MINE": "yes"})
    env = json.loads(inbox.settled[0][2])
    assert {key: env[key] for key in env if key.startswith(("WAKEBUS_", "MINE"))} == {
        "WAKEBUS_URL": bus.url,
        "WAKEBUS_AGENT": "beta",
        "WAKEBUS_HEADER_FILE": str(folder.header_file("beta")),
        "WAKEBUS_HANDLE": "m_1.1",
        "WAKEBUS_MESSAGE_ID": "m_1",
        "WAKEBUS_THREAD": "t_1",
        "MINE": "yes",
    }
    assert "OPENCLAW_SHELL" not in env
    assert "NOTIFY_SOCKET" not in env


def test_it_runs_in_the_folder_that_is_set(run, inbox, tmp_path):
    inbox.add("1")
    run(["pwd"], cwd=str(tmp_path))
    assert inbox.settled[0][2] == f"{tmp_path}\n"


def test_a_failure_kills_the_message_and_says_why_and_the_next_one_is_run(run, inbox):
    inbox.add("1")
    inbox.add("2")
    outcome = run(script("import sys; sys.exit('boom \\x1b[31m' + sys.stdin.read())"))
    reason = "the program failed with exit status 1: boom [31mfenced text"
    assert inbox.settled == [
        ("release", "m_1.1", "fatal", reason),
        ("release", "m_2.1", "fatal", reason),
    ]
    how = "the program failed with exit status 1"  # its words are for the sender, not for logs
    assert outcome == Outcome("failed", f"m_1: {how}; m_2: {how}")


def test_a_program_that_did_it_at_the_second_try_has_not_failed(run, inbox, tmp_path):
    inbox.add("1")
    mark = tmp_path / "mark"
    outcome = run(["sh", "-c", f"test -e {mark} || {{ touch {mark}; exit 1; }}"], retries=1)
    assert outcome == Outcome("ended")
    assert [entry[1:3] for entry in inbox.settled] == [("m_1.1", "fail"), ("m_1.2", None)]


def test_what_was_given_back_undone_uses_up_no_retry(run, inbox):
    inbox.add("1", attempt=4, failed_attempts=0)
    run(["false"], retries=1)
    assert [entry[1:3] for entry in inbox.settled] == [("m_1.4", "fail"), ("m_1.5", "fatal")]


def test_it_tries_again_as_often_as_it_is_told(run, inbox):
    inbox.add("1")
    run(["false"], retries=2)
    assert [entry[1:3] for entry in inbox.settled] == [
        ("m_1.1", "fail"),
        ("m_1.2", "fail"),
        ("m_1.3", "fatal"),
    ]


def test_the_limit_is_told_to_the_sender(run, inbox):
    inbox.add("1")
    outcome = run(["sleep", "60"], limit_s=0.2)
    (settled,) = inbox.settled
    assert outcome == Outcome("failed", f"m_1: {settled[3]}")
    assert settled[2:] == ("fatal", "the program was ended at its limit of 0.2 s")


def test_a_program_that_cannot_start_is_told_to_the_sender(run, inbox):
    inbox.add("1")
    assert run(["/no/such/program"]).state == "failed"
    assert inbox.settled[0][2] == "fatal"
    assert "could not be started" in inbox.settled[0][3]


def test_a_signal_is_named(run, inbox):
    inbox.add("1")
    run(["sh", "-c", "kill -9 $$"])
    assert inbox.settled[0][3] == "the program was killed by signal 9"


def test_a_long_output_is_cut_and_says_so(run, inbox):
    inbox.add("1")
    run(script("print('x' * 300000)"))
    reply = inbox.settled[0][2]
    assert reply.endswith(program.CUT_NOTE)
    assert len(reply) < 201_000


def test_a_stop_undoes_the_message_and_leaves_the_wake(run, inbox, stop):
    inbox.add("1")
    inbox.add("2")
    threading.Timer(0.3, stop.set).start()
    assert run(["sleep", "60"]) == Outcome("left")
    assert inbox.settled == [("release", "m_1.1", "silent", "the watcher was stopped")]


def test_an_answer_is_repeated_while_the_bus_is_away(run, inbox, bus):
    inbox.add("1")
    real, tries = bus.answers["/api/messages/"], []

    def fail_twice(request):
        tries.append(request)
        if len(tries) < 3:
            raise ProblemError(503, "draining", retry_after=1)
        return real(request)

    bus.answers["/api/messages/"] = fail_twice
    assert run(["cat"]) == Outcome("ended")
    assert len(tries) == 3
    assert [entry[0] for entry in inbox.settled] == ["reply"]


def test_a_reply_that_the_bus_refuses_is_told_to_the_sender(run, inbox):
    inbox.add("1")
    inbox.refuse_reply = ProblemError(413, "body_too_large")
    outcome = run(["cat"])
    reason = "the bus refused the program's reply (body_too_large)"
    assert outcome == Outcome("failed", f"m_1: {reason}")
    assert inbox.settled == [("release", "m_1.1", "fatal", reason)]


def test_a_message_that_takes_no_reply_is_acked(run, inbox):
    inbox.add("1")
    inbox.refuse_reply = ProblemError(409, "no_reply_address")
    run(["cat"])
    assert inbox.settled == [("ack", "m_1.1", None, None)]


def test_a_message_that_cannot_be_settled_is_not_run_twice(run, inbox, bus):
    inbox.add("1")

    def refuse(_request):
        raise ProblemError(403, "forbidden")

    bus.answers["/api/messages/"] = bus.answers["/api/release"] = refuse
    outcome = run(["cat"])
    assert outcome.state == "failed"
    assert "m_1.1 came again" in outcome.reason


def test_a_fenced_reply_is_dropped(run, inbox, bus):
    inbox.add("1")

    def refuse(_request):
        inbox.items.clear()  # somebody else has it
        raise ProblemError(409, "fenced")

    bus.answers["/api/messages/"] = refuse
    assert run(["cat"]) == Outcome("ended")
    assert inbox.settled == []


def test_an_inbox_that_cannot_be_read_is_no_turn(run, bus):
    def refuse(_request):
        raise ProblemError(401, "unauthorized")

    bus.answers["/api/inbox"] = refuse
    assert run(["cat"]).state == "no_turn"


@pytest.mark.parametrize("handle", ["a b", "m/../../x", "\ud800", "", None])
def test_a_handle_that_is_none_is_not_asked_about_for_ever(run, inbox, handle):
    inbox.add("1")["handle"] = handle
    outcome = run(["cat"])
    assert outcome.state == "no_turn"
    assert "cannot be read" in outcome.reason
    assert inbox.settled == []


def test_the_probe_finds_what_is_missing(enrolled, clock, folder):
    settings = enrolled(agents={"beta": {"argv": ["cat"]}})
    beta = settings.agents["beta"]
    method = Methods(settings, clock).find(beta)
    assert method.probe(beta).works
    folder.header_file("beta").chmod(0o644)
    assert "chmod 600" in method.probe(beta).why
    folder.header_file("beta").unlink()
    assert not method.probe(beta).works


def test_the_probe_of_a_worker_speaks_of_runs_since_no_message_comes(enrolled, clock, tmp_path):
    agents = {"beta": {"argv": ["cat"], "runs": {"workspace": str(tmp_path)}}}
    settings = enrolled(agents=agents)
    beta = settings.agents["beta"]
    assert Methods(settings, clock).find(beta).probe(beta).why == "starts cat for each run"
