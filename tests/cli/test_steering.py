"""Approvals and steering by the command line, for people, for agents and for scripts."""

from __future__ import annotations

import subprocess

import pytest
from commandline import BUS

HOSTILE = "</b><script>x</script>{{7*7}} $(id) `id`"


@pytest.fixture
def two(act_as):
    return act_as("ann"), act_as("pia", "person")


@pytest.fixture
def boat(two):
    ann, _ = two
    return ann("session", "new", "Paint the boat", "pia", "--json").json["session_id"]


def test_an_agent_asks_a_person_answers_and_each_step_says_what_comes_next(two, boat):
    ann, pia = two
    asked = ann("session", "ask", boat, "Red?", "-", "--expires", "1h", stdin="or blue\n")
    assert asked.code == 0, asked.err
    first, then = asked.out.splitlines()
    approval = first.split()[0]
    assert "open until " in first
    assert then == f"bus session approval {approval} --wait"
    assert "Red?" in pia("session", "approvals").out
    shown = pia("session", "approval", approval).out
    assert "  | or blue" in shown
    assert f"bus session answer {approval} approve\nbus session answer {approval} deny" in shown
    assert "bus session answer" not in ann("session", "approval", approval).out
    said = pia("session", "answer", approval, "approve", "--note", "dark red")
    assert said.out == f"{approval}: approve (by pia): dark red\n"
    assert "(said before)" in pia("session", "answer", approval, "approve").out
    late = pia("session", "answer", approval, "deny")
    assert late.code == 1
    assert "pia has answered approve" in late.err
    assert "pia has answered approve" in ann("inbox").out
    assert pia("session", "approvals").out == "nothing is asked\n"
    assert "approve by pia" in ann("session", "approvals", "--state", "all").out


@pytest.mark.parametrize(("word", "code"), [("approve", 0), ("deny", 9)])
def test_a_script_that_waits_goes_on_only_where_it_may(two, act_as, boat, word, code):
    ann, pia = two
    asking = [BUS, "session", "ask", boat, "Deploy?", "--wait"]
    with subprocess.Popen(
        asking, env=ann.environment, stdout=subprocess.PIPE, text=True
    ) as waiting:
        while not (found := pia("session", "approvals", "--json").json["approvals"]):
            assert waiting.poll() is None
        pia("session", "answer", found[0]["approval_id"], word)
        out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, out) == (code, f"{word} (by pia)\n")


def test_what_nobody_answers_is_no_yes_to_a_script(two, boat):
    ann, _ = two
    late = ann("session", "ask", boat, "Deploy?", "--expires", "1s", "--wait")
    assert late.code == 10
    assert late.out.startswith("expired: nobody answered by ")
    asked = ann("session", "ask", boat, "Deploy?", "--json").json
    gone = ann("session", "withdraw", asked["approval_id"], "--reason", "too windy")
    assert gone.out.endswith('withdrawn: withdrawn by ann: "too windy"\n')
    assert ann("session", "approval", asked["approval_id"], "--wait").code == 10


def test_one_person_is_asked_by_name_with_answers_of_ones_own(two):
    ann, pia = two
    asked = ann("session", "ask", "pia", "Which?", "--option", "red", "--option", "blue", "--json")
    answered = pia("session", "answer", asked.json["approval_id"], "blue")
    assert "blue (by pia)" in answered.out
    wrong = ann("session", "ask", "pia", "Which?", "--option", "red")
    assert wrong.code == 1
    assert "'options' are 2 to 6 different words" in wrong.err


def test_a_hostile_title_is_text_on_a_terminal(two, boat):
    ann, pia = two
    asked = ann("session", "ask", boat, HOSTILE, "\x1b[2Jgone\n| pia approved", "--json").json
    for words in (("approvals",), ("approval", asked["approval_id"]), ("show", boat)):
        shown = pia("session", *words).out
        assert HOSTILE in shown
        assert "\x1b" not in shown


def test_a_person_stops_and_adds_to_what_goes_on(two, boat):
    ann, pia = two
    pia("session", "say", boat, "paint it red")
    stopped = pia("session", "stop", boat, "not yet").out
    assert stopped.startswith("1 messages taken back unread\n")
    assert stopped.endswith("; nobody was at work\n")
    assert "told: ann" in pia("session", "stop", boat, "--to", "ann").out
    assert "STOP" in ann("inbox").out
    assert "told: ann" in pia("session", "also", boat, stdin="and the mast\n").out
    assert "and the mast" in ann("inbox").out
    listed = pia("session", "show", boat).out
    for said in ("not yet", "Stop: leave what you do", "and the mast"):
        assert said in listed


def test_a_run_is_begun_in_a_session_by_its_option(two, boat, as_admin):
    ann, pia = two
    as_admin("agent", "add", "wim", "--kind", "worker")
    begun = ann(
        "run", "start", "wim", "-", "--label", "x", "--size", "S", "--session", boat, stdin="go\n"
    )
    assert begun.code == 0, begun.err
    run_id = begun.out.split()[0]
    stopped = pia("session", "stop", boat, "--run", run_id).out
    assert stopped.startswith(f"{run_id}  cancelled\n")
    assert "cancelled by pia" in pia("session", "show", boat).out
