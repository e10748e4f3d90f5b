"""Every move on the board by every kind of principal, as a table of what each of them gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bus.board.model import STATUSES
from bus.board.rules import MOVES
from bus.errors import InvalidRequestError, MoveRefusedError, NoSuchMoveError, TaskClaimedError

WHO = ("ann", "ben", "dan", "lea", "pia", "wim", "cat")
"""The holder (in the backlog: who added it), who blocked it, a peer, a lead, a person, a worker,
a lead of another compartment."""
GONE = "not_found"
NO, NONE, HELD = "move_refused", "no_such_move", "task_claimed"


def row(*cells: str) -> dict[str, str]:
    """Give a row's cells; a worker never moves a task, a stranger never sees it."""
    return dict(zip(WHO, (*cells, NO, GONE), strict=True))


def all_get(cell: str) -> dict[str, str]:
    return row(*[cell] * 5)


TABLE = {
    # ann, ben, dan, lea, pia
    ("backlog", "backlog"): all_get(NONE),
    ("backlog", "in_progress"): all_get("ok"),
    ("backlog", "review"): all_get(NONE),
    ("backlog", "done"): all_get(NONE),
    ("backlog", "blocked"): all_get("ok"),
    ("in_progress", "backlog"): row("ok", NO, NO, "ok", "ok"),
    ("in_progress", "in_progress"): row("already", HELD, HELD, HELD, HELD),
    ("in_progress", "in_progress", "stale"): row("already", HELD, HELD, "ok", "ok"),
    ("in_progress", "review"): row("ok", NO, NO, NO, NO),
    ("in_progress", "done"): all_get(NONE),
    ("in_progress", "done", "ops"): row("ok", NO, NO, NO, NO),
    ("in_progress", "blocked"): all_get("ok"),
    ("review", "backlog"): all_get(NONE),
    ("review", "in_progress"): row("ok", NO, NO, "ok", "ok"),
    ("review", "review"): row("already", NONE, NONE, NONE, NONE),
    ("review", "done"): row(NO, NO, NO, "ok", "ok"),
    ("review", "done", "ops"): row(NO, NO, NO, "ok", "ok"),
    ("review", "blocked"): all_get("ok"),
    ("done", "backlog"): row(NO, NO, NO, "ok", "ok"),
    ("done", "in_progress"): all_get(NONE),
    ("done", "review"): all_get(NONE),
    ("done", "done"): row(NONE, NONE, NONE, "already", NONE),
    ("done", "blocked"): all_get("ok"),
    ("blocked", "backlog"): all_get(NONE),
    ("blocked", "in_progress"): row("ok", "ok", NO, "ok", "ok"),
    ("blocked", "review"): all_get(NONE),
    ("blocked", "done"): all_get(NONE),
    ("blocked", "blocked"): row(NONE, "already", NONE, NONE, NONE),
}


@pytest.mark.parametrize("case", TABLE, ids=" ".join)
def test_each_move_is_for_whom_the_table_says_and_for_nobody_else(board, case):
    start, to, *more = case
    for who, expected in TABLE[case].items():
        task_id = board.bring_to(start, is_ops="ops" in more)
        if "stale" in more:
            board.house.clock.advance(1801)
        before, history = board.row(task_id), len(board.show("ann", task_id)["history"])
        got = board.result(who, task_id, to)
        assert got == expected, (who, got)
        now = board.row(task_id)
        if expected == "ok":
            assert now["status"] == to
            assert len(board.show("ann", task_id)["history"]) == history + 1
        elif expected != "already":
            assert now == before
            assert len(board.show("ann", task_id)["history"]) == history


def test_no_pair_of_statuses_is_left_out_of_the_table():
    pairs = {case[:2] for case in TABLE}
    assert pairs == {(start, to) for start in STATUSES for to in STATUSES}
    moved = {(move.start, move.to) for move in MOVES if move.start != "blocked"}
    assert moved <= {
        case[:2] for case, cells in TABLE.items() if {"ok", "already"} & {*cells.values()}
    }


@pytest.mark.parametrize("was", [status for status in STATUSES if status != "blocked"])
def test_a_blocked_task_goes_back_to_where_it_was(board, was):
    task_id = board.bring_to(was)
    assert board.act("dan", task_id, "blocked", "no paint")["blocked_from"] == was
    for to in STATUSES:
        if to not in {was, "blocked"}:
            with pytest.raises(NoSuchMoveError, match=f"where it was: {was}"):
                board.act("pia", task_id, to, "why")
    back = board.act("dan", task_id, was)
    assert (back["status"], back["blocked_from"], back["blocked_by"]) == (was, None, None)
    assert back["holder"] == (None if was == "backlog" else "ann")


NEEDS = [
    ("backlog", "dan", "blocked"),
    ("in_progress", "ann", "blocked"),
    ("review", "pia", "in_progress"),
    ("done", "lea", "backlog"),
]


@pytest.mark.parametrize(("start", "who", "to"), NEEDS)
def test_a_move_that_needs_a_word_of_why_is_refused_without_one(board, start, who, to):
    task_id = board.bring_to(start)
    with pytest.raises(InvalidRequestError, match="needs a 'note'"):
        board.act(who, task_id, to, " \n")
    assert board.row(task_id)["status"] == start


def test_a_refused_move_says_who_may(board):
    task_id = board.bring_to("review")
    with pytest.raises(MoveRefusedError, match=r"a lead \(lea\) or a person \(pia\)") as refused:
        board.act("ann", task_id, "done")
    assert refused.value.more == {"may": ["lead", "person"]}
    with pytest.raises(MoveRefusedError, match=r"its holder \(ann\)"):
        board.act("dan", task_id, "in_progress", "why")
    with pytest.raises(MoveRefusedError, match="who dispatched it does"):
        board.act("wim", task_id, "done")
    with pytest.raises(NoSuchMoveError, match="only an operations task"):
        board.act("ann", board.bring_to("in_progress"), "done")
    with pytest.raises(TaskClaimedError, match="ann has it; take another"):
        board.act("ben", board.bring_to("in_progress"), "in_progress")


def test_a_lead_who_only_shows_the_households_secret_decides_nothing(board):
    guest = replace(board.house.principal("lea"), trust="shared-secret")
    assert board.result(guest, board.bring_to("review"), "done") == NO
    assert board.result(guest, board.bring_to("backlog"), "in_progress") == "ok"


def test_a_stale_claim_is_shown_and_a_lead_takes_it_over_and_its_holder_hears_of_it(board):
    task_id = board.bring_to("in_progress")
    board.house.clock.advance(1800)
    assert not board.show("dan", task_id)["stale"]
    assert board.ids("dan", is_stale=True, statuses=("in_progress",)) == []
    board.house.clock.advance(1)
    assert board.show("dan", task_id)["stale"]
    assert board.ids("dan", is_stale=True, statuses=("in_progress",)) == [task_id]
    with pytest.raises(TaskClaimedError, match=r"a lead \(lea\) or a person \(pia\)"):
        board.act("dan", task_id, "in_progress")
    taken = board.act("lea", task_id, "in_progress", "ann sleeps")
    assert (taken["holder"], taken["stale"], taken["told"]) == ("lea", False, ["ann"])
    assert "lea's now" in board.mail_of("ann")[0]
    assert board.result("ann", task_id, "review") == NO


@pytest.mark.parametrize("how", ["claim", "note"])
def test_a_holder_that_says_something_keeps_its_claim(board, how):
    task_id = board.bring_to("in_progress")
    board.house.clock.advance(1790)
    if how == "claim":
        assert board.result("ann", task_id, "in_progress", "half of it is painted") == "already"
    else:
        board.note("ann", task_id, "half of it is painted")
    board.house.clock.advance(1000)
    board.note("dan", task_id, "nice")
    board.house.clock.advance(790)
    shown = board.show("ann", task_id)
    assert not shown["stale"]
    assert [one["note"] for one in shown["history"]][2:] == ["half of it is painted", "nice"]
    board.house.clock.advance(20)
    assert board.show("ann", task_id)["stale"]
