"""What a card shows of a task, and a move by somebody who looked a while ago."""

from __future__ import annotations

import pytest

from bus.errors import NoSuchMoveError
from bus.runs import service as runs
from bus.runs.model import Batch, Limits
from bus.runs.rules import read_order

LIMITS = Limits(max_task_bytes=10_000, longest_s=14_400, max_batch=100)


def places(card):
    return {move["status"] for move in card["moves"]}


def test_a_card_offers_each_reader_the_moves_that_are_theirs(board):
    board.bring_to("review")
    (of_ann,), (of_dan,), (of_pia,) = (board.cards(who) for who in ("ann", "dan", "pia"))
    assert places(of_ann) == {"in_progress", "blocked"}
    assert places(of_dan) == {"blocked"}
    assert places(of_pia) == {"done", "in_progress", "blocked"}
    assert board.cards("wim")[0]["moves"] == []
    assert board.cards("cat") == []


def test_a_card_says_why_its_task_is_blocked_now_and_not_why_it_once_was(board):
    task_id = board.add()
    board.act("ann", task_id, "blocked", "no paint")
    board.act("ann", task_id, "backlog")
    assert board.cards("pia")[0]["blocked_why"] == ""
    board.act("ann", task_id, "blocked", "no brush")
    board.note("ben", task_id, "I look for one")
    assert board.cards("pia")[0]["blocked_why"] == "no brush"


def test_a_card_names_the_last_run_for_its_task_to_who_may_see_that_run(board):
    task_id = board.add()
    me = board.house.principal("ann")
    order = {"worker": "wim", "task": "look", "size": "S", "cleanup": "keep", "task_id": task_id}
    started = [
        board.write(
            lambda tx, label=label: runs.dispatch(
                tx, me, Batch((read_order(order | {"label": label}, LIMITS),))
            )
        )
        for label in ("first", "second")
    ]
    for reader in ("ann", "pia"):
        (card,) = board.cards(reader)
        assert (card["run"]["run_id"], card["run"]["label"]) == (started[1]["run_id"], "second")
    assert board.cards("dan")[0]["run"] is None


def test_a_move_of_what_another_has_moved_meanwhile_is_refused_by_name_and_changes_nothing(board):
    task_id = board.add()
    board.act("ann", task_id, "in_progress")
    board.act("ann", task_id, "review")
    with pytest.raises(NoSuchMoveError, match="in review by now, moved there by ann"):
        board.act("pia", task_id, "blocked", "why", seen="in_progress")
    assert board.show("pia", task_id)["status"] == "review"
    assert not board.act("pia", task_id, "blocked", "why", seen="review")["already"]
    # The answer was lost, perhaps: the very move once more is no other's.
    assert board.act("pia", task_id, "blocked", "why", seen="review")["already"]
