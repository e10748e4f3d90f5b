"""The guard on the board: agents that tell each other by moves are held as by messages."""

from __future__ import annotations

from bus.mail import service as mail


def hand_to_and_fro(board, task_id, most=60):
    """Have lea send back what ann hands in, each as soon as it is told; gives how often."""
    board.result("ann", task_id, "in_progress")
    for at in range(most):
        who, to = (("ann", "review"), ("lea", "in_progress"))[at % 2]
        if at and not board.mail_of(who):
            return at
        assert board.result(who, task_id, to) == "ok"
        board.house.pass_time(2)
    return most


def held_threads(board):
    with board.house.store.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT thread, reason FROM holds WHERE released_ms IS NULL AND reason <> ''"
        )
        return [tuple(row) for row in rows]


def test_two_that_hand_a_task_to_and_fro_are_held_and_a_person_is_told_once(board):
    task_id = board.add()
    moves = hand_to_and_fro(board, task_id)
    assert moves == 17
    ((thread, reason),) = held_threads(board)
    assert reason == "guard: the same step in a ring of agents for time 9, at most 8"
    notes = [item.body for item in board.house.read("pia", limit=100)]
    assert [thread in body and "bus release" in body for body in notes] == [True]
    assert "between ann and lea" in notes[0]


def test_what_was_held_of_a_task_comes_when_a_person_lets_it_go(board):
    task_id = board.add()
    hand_to_and_fro(board, task_id)
    ((thread, _),) = held_threads(board)
    assert board.write(lambda tx: mail.release_thread(tx, thread)) == 1
    assert "waits for a review" in board.mail_of("lea")[0]
    assert board.result("lea", task_id, "in_progress") == "ok"
    assert board.mail_of("ann")


def test_a_persons_own_move_begins_the_count_of_a_task_anew(board):
    task_id = board.add()
    hand_to_and_fro(board, task_id)
    assert board.result("pia", task_id, "in_progress") == "ok"
    assert held_threads(board) == []
    assert board.mail_of("ann")
    assert board.result("ann", task_id, "review") == "ok"
    assert board.mail_of("lea")


def test_a_loop_with_a_new_task_at_each_turn_is_held(board):
    first = board.add()
    board.result("ann", first, "in_progress")
    for at in range(60):
        if at and not board.mail_of("ann"):
            break
        task_id = board.add("ann", title=f"task {at}")
        board.result("ann", task_id, "in_progress")
        board.result("ann", task_id, "review")
        if not board.mail_of("lea"):
            break
        board.result("lea", task_id, "in_progress")
        board.house.pass_time(2)
    assert at == 8
    assert len(held_threads(board)) == 1


def test_a_loop_of_moves_and_messages_is_held(board):
    house, task_id = board.house, board.add()
    board.result("ann", task_id, "in_progress")
    board.result("ann", task_id, "review")
    for _ in range(10):
        if not house.read("lea", limit=100):
            break
        board.mail_of("lea")
        board.result("lea", task_id, "in_progress")
        if not board.mail_of("ann"):
            break
        house.send("ann", "ben")
        if not house.read("ben"):
            break
        board.mail_of("ben")
        board.result("ben", task_id, "blocked")
        board.mail_of("ann")
        board.mail_of("lea")
        board.result("ben", task_id, "in_progress")
        board.mail_of("ann")
        board.result("ann", task_id, "review")
        house.pass_time(2)
    assert held_threads(board)


def test_honest_rounds_of_review_are_not_held(board):
    for at in range(30):
        task_id = board.add(title=f"task {at}")
        for who, to in (
            ("ann", "in_progress"),
            ("ann", "review"),
            ("lea", "in_progress"),
            ("ann", "review"),
            ("lea", "done"),
        ):
            assert board.result(who, task_id, to) == "ok"
            board.house.pass_time(10)
            told = board.mail_of("lea") if to == "review" else []
            assert bool(told) == (to == "review"), (at, who, to)
            board.mail_of("ann")
        board.house.pass_time(400)
    assert held_threads(board) == []


def test_one_that_blocks_and_unblocks_a_task_without_end_is_held_as_a_burst(board):
    task_id = board.add()
    board.result("ann", task_id, "in_progress")
    told = 0
    for _ in range(30):
        board.result("ben", task_id, "blocked")
        board.result("ben", task_id, "in_progress")
        told += len(board.mail_of("ann"))
    assert told == 20
    ((_, reason),) = held_threads(board)
    assert reason == "guard: 21 messages between this pair in a minute, at most 20"


def test_what_is_held_of_one_task_for_one_reader_has_an_end(board):
    task_id = board.add()
    hand_to_and_fro(board, task_id)
    for _ in range(60):
        board.result("ben", task_id, "blocked")
        board.result("ben", task_id, "review")
    with board.house.store.read() as conn:
        held = conn.exec_driver_sql(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM deliveries WHERE state = 'held'"
            " GROUP BY recipient_id) AS each_one"
        ).scalar()
    assert held == 20
