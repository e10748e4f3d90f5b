"""The board by the command line, for a person and for a script."""

from __future__ import annotations

import re
import subprocess

import pytest
from commandline import BUS


@pytest.fixture
def two(act_as):
    return act_as("ann"), act_as("pia", "person")


def test_a_task_goes_over_the_board_and_each_step_says_what_comes_next(two):
    ann, pia = two
    added = ann("task", "add", "Paint the shed", "-", "--reviewer", "pia", stdin="Two coats.\n")
    task_id = added.out.split()[0]
    assert f"bus task claim {task_id}" in added.out
    assert ann("task", "claim", task_id).out == f"{task_id}: in_progress, held by ann\n"
    assert ann("task", "note", task_id, "the first coat is on").code == 0
    moved = ann("task", "move", task_id, "review", "--note", "both are on")
    assert moved.out == f"{task_id}: review, held by ann; told: pia\n"
    assert f"bus task move {task_id} done" in pia("inbox").out
    shown = pia("task", "show", task_id).out
    for words in ("Paint the shed", "  | Two coats.", "the first coat is on", "both are on"):
        assert words in shown
    assert f"bus task move {task_id} done\n" in shown
    assert f"bus task move {task_id} in_progress --note WHY\n" in shown
    assert pia("task", "list", "--reviewer", "me", "--status", "review").out.count(task_id) == 1
    assert pia("task", "move", task_id, "done").code == 0
    assert pia("task", "list").out.startswith("no open tasks; ")
    assert task_id in pia("task", "list", "--status", "all").out


def test_a_refused_move_says_who_may_and_changes_nothing(two):
    ann, pia = two
    task_id = pia("task", "add", "Paint the shed", "--json").json["id"]
    assert ann("task", "claim", task_id).code == 0
    for words, why in (
        (("move", task_id, "done"), "it goes to review first"),
        (("move", task_id, "blocked"), "needs a --note"),
        (("change", task_id, "--title", "another"), "who added it (pia)"),
        (("show", "c_" + "0" * 26), "no task"),
    ):
        refused = ann("task", *words)
        assert refused.code != 0
        assert why in refused.err
    held = pia("task", "claim", task_id).err
    assert "ann has it; take another: bus task list --status backlog --oldest" in held
    assert pia("task", "change", task_id).code == 2
    assert pia("task", "change", task_id, "--ops").code == 0
    assert ann("task", "move", task_id, "done", "--json").json["status"] == "done"


def test_the_list_goes_on_where_it_ended_and_is_a_readable_table(two):
    ann, _ = two
    made = [ann("task", "add", f"number {at}", "--json").json["id"] for at in range(3)]
    first = ann("task", "list", "--limit", "2").out.splitlines()
    assert re.fullmatch(r"ID +STATUS +HOLDER +REVIEWER +CHANGED +TITLE", first[0])
    assert [line.split()[0] for line in first[1:3]] == made[:0:-1]
    after = re.search(r"--after (\S+)", first[3])[1]
    assert made[0] in ann("task", "list", "--after", after).out
    oldest = ann("task", "list", "--oldest", "--json").json["tasks"]
    assert [task["id"] for task in oldest] == made


def test_tail_says_of_a_task_what_was_done_and_by_whom(two):
    ann, pia = two
    tail = [BUS, "tail", "--from", "earliest"]
    task_id = pia("task", "add", "Paint the shed", "--json").json["id"]
    assert ann("task", "claim", task_id).code == 0
    with subprocess.Popen(tail, env=pia.environment, stdout=subprocess.PIPE, text=True) as shown:
        lines = [shown.stdout.readline() for _ in range(2)]
        shown.terminate()
    assert f"pia  added  backlog  {task_id}" in lines[0]
    assert f"ann  moved  in_progress  {task_id}  held by ann" in lines[1]


def test_what_a_task_says_cannot_steer_a_terminal(two):
    ann, pia = two
    task_id = ann("task", "add", "shed", "\x1b[2J\u202egpj", "--json").json["id"]
    ann("task", "note", task_id, "\x1b]0;owned\x07")
    shown = pia("task", "show", task_id).out + pia("task", "list").out
    assert not set("\x1b\x07\u202e") & set(shown)
    assert "\\x1b[2J" in shown


def test_the_same_key_is_one_task(two):
    ann, _ = two
    one = ann("task", "add", "shed", "--key", "k").out.split()[0]
    again = ann("task", "add", "shed", "--key", "k").out
    assert again.split()[0] == one
    assert "nothing new was added" in again
