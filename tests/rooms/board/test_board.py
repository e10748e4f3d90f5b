"""Who hears of a task, who sees it, how it is listed, and what belongs to it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bus.board import service
from bus.board.model import STATUSES, Change, Draft
from bus.directory import service as directory
from bus.errors import BusError, ForbiddenError, InvalidRequestError, KeyReusedError, NotFoundError
from bus.live.audience import audience_of
from bus.mail.service import Key
from bus.store.log import read_between


def test_entering_review_tells_the_reviewer_in_the_same_transaction(board):
    task_id = board.add("ann", title='paint "the" shed', reviewer="pia")
    board.act("ann", task_id, "in_progress")
    assert board.act("ann", task_id, "review", "two coats")["told"] == ["pia"]
    (told,) = board.mail_of("pia")
    assert f"""Task {task_id} "paint 'the' shed" waits for a review: ann""" in told
    assert '"two coats"' in told
    assert f"bus task move {task_id} done" in told
    assert board.mail_of("lea") == []


def test_a_message_that_cannot_be_written_undoes_the_move(board, monkeypatch):
    task_id = board.bring_to("in_progress")

    def fail(*_args, **_more):
        raise InvalidRequestError("no")

    monkeypatch.setattr("bus.board.telling.mail.tell_deed", fail)
    assert board.result("ann", task_id, "review") == "invalid_request"
    assert board.row(task_id)["status"] == "in_progress"
    assert len(board.show("ann", task_id)["history"]) == 2


def test_without_a_reviewer_the_tasks_lead_is_told_then_any_lead_then_the_people(board):
    assert board.act("pia", board.add("pia"), "in_progress")["told"] == []
    mine = board.add("pia")
    board.act("ann", mine, "in_progress")
    assert board.act("ann", mine, "review")["told"] == ["pia"]
    (told,) = board.mail_of("pia")
    assert "bus task show" in told
    other = board.bring_to("review")
    assert f"PATCH /api/tasks/{other}" in board.mail_of("lea")[0]
    board.write(lambda tx: directory.change(tx, "lea", {"lead": False}))
    board.bring_to("review")
    assert len(board.mail_of("pia")) == 1


def test_a_reviewer_and_a_lead_are_people_or_leads_of_the_compartment(board):
    for name in ("dan", "wim", "cat", "nobody"):
        with pytest.raises(InvalidRequestError, match=r"compartment open \(lea, pia\)"):
            board.add("ann", reviewer=name)
        with pytest.raises(InvalidRequestError, match="'lead' is a lead or a person"):
            board.add("ann", lead=name)


def test_after_done_the_lead_is_told_and_the_holder_whose_task_it_was(board):
    task_id = board.add("ann", lead="lea")
    for to in ("in_progress", "review"):
        board.act("ann", task_id, to)
    board.mail_of("lea")
    assert board.act("pia", task_id, "done", "good")["told"] == ["ann", "lea"]
    assert 'pia approved it: "good"' in board.mail_of("lea")[0]
    assert f"GET /api/tasks/{task_id}" in board.mail_of("ann")[0]


def test_a_task_that_is_sent_back_wakes_its_holder_with_the_reason(board):
    task_id = board.bring_to("review")
    back = board.act("lea", task_id, "in_progress", "one coat is missing")
    assert (back["told"], back["holder"]) == (["ann"], "ann")
    (told,) = board.mail_of("ann")
    assert 'lea sent it back: "one coat is missing"' in told


def test_what_is_blocked_is_told_to_the_lead_who_can_help(board):
    task_id = board.bring_to("in_progress")
    assert board.act("ann", task_id, "blocked", "no paint")["told"] == ["lea"]
    assert '"no paint"' in board.mail_of("lea")[0]


def test_who_adds_a_task_hears_of_its_end_where_nobody_leads(board):
    board.write(lambda tx: directory.change(tx, "lea", {"lead": False}))
    task_id = board.add("dan", is_ops=True)
    board.act("ann", task_id, "in_progress")
    assert board.act("ann", task_id, "done")["told"] == ["dan"]


def test_nothing_of_another_compartment_can_be_seen_or_told_from_what_is_absent(board):
    hidden = board.add("cat")
    for who in ("ann", "lea", "pia", "wim"):
        for task_id in (hidden, "c_" + "0" * 26):
            with pytest.raises(NotFoundError) as refused:
                board.show(who, task_id)
            assert str(refused.value) == f"no task {task_id!r} that you can see"
            assert board.result(who, task_id, "in_progress") == "not_found"
            with pytest.raises(NotFoundError):
                board.note(who, task_id, "x")
        assert board.ids(who, statuses=STATUSES) == []
        assert board.ids(who, statuses=STATUSES, compartment="apart") == []
    assert board.ids("cat") == [hidden]
    with pytest.raises(NotFoundError):
        board.list("ann", party="holder", name="cat")


def test_who_is_in_several_compartments_says_of_which_a_task_is(board):
    both = {"name": "max", "kind": "person", "compartments": ["open", "apart"]}
    board.write(lambda tx: directory.add(tx, both))
    with pytest.raises(InvalidRequestError, match="one of apart, open"):
        board.add("max")
    task_id = board.add("max", compartment="apart")
    assert board.ids("cat") == board.ids("max") == [task_id]
    assert board.ids("pia") == []
    with pytest.raises(InvalidRequestError, match="in no compartment 'apart'"):
        board.add("ann", compartment="apart")


def seen_on_stream(board, who):
    with board.house.store.read() as conn:
        audience = audience_of(board.house.principal(who))
        return [row.kind for row in read_between(conn, 0, 10_000, audience)].count("task")


def test_a_persons_stream_shows_the_tasks_of_its_compartments_and_no_others(board):
    for name, where in (("max", ["open", "apart"]), ("zoe", ["open"])):
        person = {"name": name, "kind": "person", "compartments": where}
        board.write(lambda tx, person=person: directory.add(tx, person))
    task_id = board.add("max", compartment="apart")
    board.act("max", task_id, "in_progress")
    assert board.facts()[-1]["what"] == "moved"
    # max, whom zoe sees, holds it: what max does in the other compartment is not for her.
    assert [seen_on_stream(board, who) for who in ("max", "zoe", "pia", "cat")] == [2, 0, 0, 0]
    board.bring_to("in_progress")
    assert [seen_on_stream(board, who) for who in ("pia", "ann", "ben")] == [2, 1, 0]


def test_a_page_goes_on_where_the_one_before_ended_and_no_task_is_twice_on_it(board):
    made = []
    for at in range(13):
        made.append(board.bring_to(STATUSES[at % 5]))
        board.house.clock.advance(0.001)
    for oldest_first in (False, True):
        for limit in (1, 4, 13):
            found, after = [], None
            while True:
                page = board.list(
                    "pia", statuses=STATUSES, limit=limit, after=after, oldest_first=oldest_first
                )
                found += [task["id"] for task in page["tasks"]]
                after = page["next"]
                if after is None:
                    break
            assert found == (made if oldest_first else made[::-1])


def test_the_list_is_narrowed_by_status_and_by_who_is_at_work(board):
    made = {status: board.bring_to(status) for status in STATUSES}
    assert set(board.ids("dan")) == set(made.values()) - {made["done"]}
    assert board.ids("dan", statuses=("review",)) == [made["review"]]
    held = board.ids("dan", statuses=STATUSES, party="holder", name="ann")
    assert set(held) == set(made.values()) - {made["backlog"]}
    mine = board.add("pia", reviewer="lea")
    assert board.ids("lea", party="reviewer", name="me") == [mine]
    assert board.ids("pia", party="lead", name="me") == [mine]
    assert board.ids("dan", party="holder", name="me") == []


def test_the_history_has_each_move_with_its_time_and_who_made_it(board):
    task_id = board.bring_to("done")
    board.house.clock.advance(60)
    shown = board.show("dan", task_id)
    told = [(one["what"], one["status"], one["by"]) for one in shown["history"]]
    assert told == [
        ("added", "backlog", "ann"),
        ("moved", "in_progress", "ann"),
        ("moved", "review", "ann"),
        ("moved", "done", "lea"),
    ]
    assert shown["moves"] == [{"status": "blocked", "needs_note": True}]
    assert [move["status"] for move in board.show("lea", task_id)["moves"]] == [
        "backlog",
        "blocked",
    ]
    assert board.show("wim", task_id)["moves"] == []
    board.act("lea", task_id, "backlog", "it rained")
    assert board.show("dan", task_id)["history"][-1]["note"] == "it rained"
    assert board.row(task_id)["holder_id"] is None


def test_a_long_history_shows_its_end_and_says_how_much_is_before(board):
    task_id = board.add()
    for at in range(205):
        board.note("dan", task_id, f"note {at}")
    shown = board.show("ann", task_id)
    assert (len(shown["history"]), shown["earlier"]) == (200, 6)
    assert shown["history"][-1]["note"] == "note 204"


def test_a_move_whose_answer_was_lost_is_made_once(board):
    task_id = board.bring_to("in_progress")
    for _ in range(3):
        assert board.act("ann", task_id, "review")["status"] == "review"
    assert len(board.mail_of("lea")) == 1
    assert len(board.show("ann", task_id)["history"]) == 3


def test_a_message_belongs_to_a_task_only_where_its_writer_may_see_it(board):
    sent = board.house.send("ann", "ben")["id"]
    task_id = board.add("ann", message_id=sent)
    assert board.show("dan", task_id)["messages"] == [sent]
    for forbidden in (sent, "m_" + "0" * 26):
        with pytest.raises(NotFoundError):
            board.note("dan", task_id, "see there", message_id=forbidden)
        with pytest.raises(NotFoundError):
            board.add("dan", message_id=forbidden)
    board.note("ben", task_id, "see there", message_id=sent)
    assert board.show("dan", task_id)["messages"] == [sent]


def run_of(board, parent, task_id, state="working"):
    me = board.house.principal(parent).participant_id
    facts = {"id": "r_1", "task_id": task_id, "parent_id": me, "worker": "wim", "label": "coats"}
    cost = {"worker_id": me, "thread": "t_1", "tokens_in": 0, "tokens_out": 0}
    cost |= {"cost_microusd": None, "message_id": None}
    return SimpleNamespace(**facts, **cost, state=state, reason="")


def announce(board, event, run):
    board.write(lambda tx: tx.announce(event, run=run))


def test_a_runs_end_is_a_note_and_its_parent_moves_the_task(board):
    task_id = board.bring_to("in_progress")
    board.house.clock.advance(1000)
    announce(board, "run_dispatched", run_of(board, "ann", task_id))
    board.house.clock.advance(1000)
    announce(board, "run_ended", run_of(board, "ann", task_id, "completed"))
    board.house.clock.advance(1000)
    shown = board.show("ann", task_id)
    assert (shown["status"], shown["holder"], shown["stale"]) == ("in_progress", "ann", False)
    assert shown["runs"] == ["r_1"]
    assert [(one["by"], one["note"]) for one in shown["history"][2:]] == [
        ("ann", "run coats dispatched to wim"),
        ("wakebus", "run coats of wim is completed"),
    ]


def test_a_run_for_a_task_that_its_parent_cannot_see_is_refused(board):
    task_id = board.bring_to("in_progress")
    for parent, wanted in (("cat", task_id), ("ann", "c_" + "0" * 26)):
        with pytest.raises(NotFoundError, match="task_id"):
            announce(board, "run_dispatched", run_of(board, parent, wanted))
    announce(board, "run_dispatched", run_of(board, "ann", None))
    assert board.show("ann", task_id)["runs"] == []


def test_who_leaves_the_bus_leaves_its_tasks_to_others(board):
    working, handed_in, blocked = (
        board.bring_to(status) for status in ("in_progress", "review", "blocked")
    )
    board.write(lambda tx: directory.remove(tx, "ann"))
    assert board.row(working)["status"] == "backlog"
    assert board.show("dan", working)["history"][-1]["note"] == "ann was removed from the bus"
    assert board.row(blocked)["blocked_from"] == "backlog"
    back = board.act("lea", handed_in, "in_progress", "one more coat")
    assert (back["holder"], back["stale"]) == ("ann", True)
    assert board.result("lea", handed_in, "in_progress") == "ok"
    assert board.result("dan", working, "in_progress") == "ok"


def test_what_a_task_says_is_changed_by_who_added_it_a_lead_or_a_person(board):
    task_id = board.add("ann")
    for who in ("dan", "wim"):
        with pytest.raises(ForbiddenError):
            board.act(who, task_id, None, title="mine")
    for who in ("ann", "lea", "pia"):
        assert board.act(who, task_id, None, title=f"of {who}")["title"] == f"of {who}"
    with pytest.raises(ForbiddenError, match="'ops'"):
        board.act("ann", task_id, None, ops=True)
    assert board.act("lea", task_id, "in_progress", ops=True, reviewer="pia")["reviewer"] == "pia"
    assert board.result("lea", task_id, "done") == "ok"
    assert board.show("dan", task_id)["history"][-3]["note"] == "ops, reviewer"


def test_a_change_whose_move_is_refused_changes_nothing(board):
    task_id = board.bring_to("review")
    with pytest.raises(BusError):
        board.act("ann", task_id, "done", title="another")
    assert board.row(task_id)["title"] == "paint the shed"


def test_a_worker_reads_the_board_and_writes_on_it_and_adds_nothing(board):
    with pytest.raises(ForbiddenError, match="who dispatched it does"):
        board.add("wim")
    task_id = board.add("ann")
    assert board.note("wim", task_id, "I looked at it")["by"] == "wim"
    assert board.ids("wim") == [task_id]


def test_a_repeated_key_is_one_task(board):
    me = board.house.principal("ann")

    def add(title, fingerprint):
        key = Key(me.id, "tasks", "k", fingerprint)
        return board.write(lambda tx: service.add(tx, me, Draft(title), key))

    first, again = add("one", "f"), add("one", "f")
    assert (first["id"], first["deduplicated"], again["deduplicated"]) == (again["id"], False, True)
    with pytest.raises(KeyReusedError):
        add("two", "g")
    assert board.ids("ann") == [first["id"]]


def test_each_of_several_changes_tells_the_streams_once(board):
    task_id = board.add("ann")
    me = board.house.principal("ann")
    board.write(lambda tx: service.act(tx, me, task_id, Change("in_progress")))
    board.note("dan", task_id, "x")
    facts = [(one["what"], one["status"], one["to_agent"], one["by"]) for one in board.facts()]
    assert facts == [
        ("added", "backlog", None, "ann"),
        ("moved", "in_progress", "ann", "ann"),
        ("noted", "in_progress", "ann", "dan"),
    ]
    assert "paint" not in str(board.facts())
