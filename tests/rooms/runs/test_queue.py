"""Places, limits and groups: what is refused says why, what waits comes in its order."""

from __future__ import annotations

import pytest

from bus.directory import nodes
from bus.directory import service as directory
from bus.errors import (
    ConflictError,
    ForbiddenError,
    KeyReusedError,
    NotFoundError,
    RunIncompleteError,
    RunTooDeepError,
    TakesMessagesError,
    TakesRunsError,
    TooManyChildrenError,
    UnknownRecipientError,
)
from bus.mail import service as mail


def change(works, who: str, **fields):
    works.write(lambda tx: directory.change(tx, who, fields))


def test_a_worker_gets_so_many_runs_as_it_does_at_once_and_the_rest_in_order(works):
    ids = [works.start(label=f"n{at}")["run_id"] for at in range(7)]
    assert works.offered() == ids[:4]
    assert "does 4 at a time" in works.show(ids[4])["reason"]
    with pytest.raises(ConflictError, match="no place yet"):
        works.claim(ids[4])
    works.do(ids[2])
    works.cancel(ids[0])
    assert works.offered() == [ids[1], *ids[3:6]]


def test_a_paused_worker_gets_nothing_until_it_goes_on(works):
    first = works.start()["run_id"]
    change(works, "wim", paused=True)
    second = works.start(label="two")["run_id"]
    assert works.offered() == []
    assert "paused" in works.show(first)["reason"]
    change(works, "wim", paused=False)
    assert works.offered() == [first, second]


def test_an_unclaimed_run_follows_its_worker_to_another_machine(works):
    run_id = works.start()["run_id"]
    change(works, "wim", node="two")
    assert works.offered("one") == []
    assert works.offered("two") == [run_id]
    assert works.do(run_id)["state"] == "completed"


def test_a_run_whose_worker_moves_while_it_works_is_lost(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    change(works, "wim", node="two")
    assert works.state(run_id) == "lost"
    assert works.offered("two") == []


def test_a_worker_without_a_node_has_its_runs_wait_for_one(works):
    works.write(lambda tx: directory.add(tx, {"name": "wanda", "kind": "worker"}))
    run_id = works.start(worker="wanda")["run_id"]
    assert "no node" in works.show(run_id)["reason"]
    change(works, "wanda", node="two")
    assert works.offered("two") == [run_id]


def test_runs_of_a_removed_worker_end_and_their_parent_is_told(works):
    claimed, waiting = works.start()["run_id"], works.start(label="two")["run_id"]
    works.claim(claimed)
    works.write(lambda tx: directory.remove(tx, "wim"))
    assert works.state(claimed) == "lost"
    assert works.state(waiting) == "cancelled"
    assert len(works.results()) == 2


def test_runs_of_a_removed_parent_are_stopped_and_told_to_nobody(works):
    claimed, waiting = works.start()["run_id"], works.start(label="two")["run_id"]
    works.claim(claimed)
    works.write(lambda tx: directory.remove(tx, "alice"))
    assert works.alive(claimed)["cancel"]
    assert works.end(claimed, "cancelled")["state"] == "cancelled"
    assert works.show(waiting, "pia")["state"] == "cancelled"


def test_a_renamed_worker_and_parent_keep_their_runs(works):
    run_id = works.start()["run_id"]
    change(works, "wim", name="willem")
    change(works, "alice", name="alicia")
    works.do(run_id, worker="willem")
    assert works.results("alicia")[0].row.from_name == "willem"


def test_a_removed_node_takes_no_run_with_it(works):
    run_id = works.start()["run_id"]
    works.write(lambda tx: nodes.remove_node(tx, "one", force=True))
    assert works.state(run_id) == "queued"
    assert "no node" in works.show(run_id)["reason"]


def test_a_message_to_a_worker_is_refused_with_the_run_that_would_be_right(works):
    with pytest.raises(TakesRunsError, match=r'POST /api/runs \{"worker": "wim"'):
        works.house.send("alice", "wim")


def test_a_worker_hears_the_answer_to_what_it_asked(works):
    asked = works.house.send("wim", "alice", reply_expected=True)
    (item,) = works.house.read("alice")
    works.house.send("alice", "wim", in_reply_to=item.row.message_id)
    assert len(works.house.read("wim")) == 1
    assert asked["deliveries"][0]["to"] == "alice"


def test_a_run_of_a_named_agent_or_a_person_is_refused_with_the_send_that_would_be_right(works):
    for name in ("bob", "pia"):
        with pytest.raises(TakesMessagesError, match=rf'POST /api/send \{{"to": "{name}"'):
            works.start(worker=name)


def test_a_worker_that_the_parent_cannot_see_is_unknown(works):
    add = directory.add
    hidden = {"name": "hid", "kind": "worker", "compartments": ["apart"]}
    works.write(lambda tx: add(tx, hidden))
    with pytest.raises(UnknownRecipientError):
        works.start(worker="hid")
    run_id = works.start("charlie", worker="hid")["run_id"]
    for reader in ("alice", "pia"):
        assert works.list(reader, state="all") == []
        with pytest.raises(NotFoundError):
            works.show(run_id, reader)
        with pytest.raises(NotFoundError):
            works.cancel(run_id, reader)


def test_a_parent_has_so_many_open_runs_and_no_more(works):
    for at in range(50):
        works.start(label=f"n{at}")
    with pytest.raises(TooManyChildrenError, match="has 50 open runs"):
        works.start(label="more")
    assert works.start("bob", label="other")["state"] == "queued"


def test_a_worker_dispatches_so_deep_and_no_deeper(works):
    works.claim(works.start()["run_id"])
    inner = works.start("wim", worker="will")["run_id"]
    works.claim(inner, "will")
    assert works.show(inner, "wim")["depth"] == 2
    with pytest.raises(RunTooDeepError, match="runs go 2 deep"):
        works.start("will", worker="wim", label="deep")
    works.end(inner, worker="will", output="found")
    assert works.show(inner, "wim")["output"] == "found"
    assert works.house.read("wim") == [], "a worker has no inbox that wakes: it asks"


def test_a_worker_that_begins_itself_anew_when_its_run_is_over_is_stopped(works):
    run_id = works.start()["run_id"]
    with pytest.raises(ForbiddenError, match="at work on no run"):
        works.start("wim", label="again")
    works.claim(run_id)
    assert works.start("wim", worker="will", label="inner")["state"] == "queued"
    works.end(run_id)
    with pytest.raises(ForbiddenError, match="at work on no run"):
        works.start("wim", label="again")


def test_a_repeated_key_is_one_run(works):
    key = mail.Key("agent:1", "runs", "k", "hash")
    first, second = works.start(key=key), works.start(key=key)
    assert first["run_id"] == second["run_id"]
    assert second["deduplicated"]
    with pytest.raises(KeyReusedError):
        works.start(key=mail.Key("agent:1", "runs", "k", "other"))


def test_two_runs_of_a_worker_never_write_the_same_file_at_once(works):
    first, second = works.start()["run_id"], works.start()["run_id"]
    paths = [works.show(run)["output_path"] for run in (first, second)]
    assert paths[0] == "checkpoints/subagent-count.md"
    assert paths[1] != paths[0]
    with pytest.raises(ConflictError, match=first):
        works.start(output=paths[0])
    works.do(first)
    works.start(output=paths[0])


def test_a_group_reports_once_when_all_are_done_and_shows_what_failed(works):
    answer = works.start_group({}, {}, {"worker": "will"})
    first, second, third = (run["run_id"] for run in answer["runs"])
    works.do(first, output="one")
    works.do(second, "failed", reason="no disk")
    assert works.results() == []
    works.do(third, worker="will", output="three")
    (item,) = works.results()
    assert item.row.subject == "2 of 3 runs completed"
    for part in (answer["group"], "2 completed, 1 failed", "one", "three", '"no disk"'):
        assert part in item.body
    threads = {works.show(run)["thread"] for run in (first, second, third)}
    assert threads == {item.row.thread}


def test_a_group_that_wants_the_first_is_told_of_the_first_that_completes(works):
    runs = works.start_group({}, {}, {}, report="first")["runs"]
    works.do(runs[0]["run_id"], "failed")
    assert works.results() == []
    works.do(runs[1]["run_id"])
    (item,) = works.results()
    assert "the others go on" in item.body
    works.do(runs[2]["run_id"])
    assert len(works.results()) == 1


def test_a_group_of_which_none_completes_is_told_of_all_the_same(works):
    runs = works.start_group({}, {}, report="first")["runs"]
    for run in runs:
        works.do(run["run_id"], "failed")
    assert works.results()[0].row.subject == "0 of 2 runs completed"


def test_runs_dispatched_together_may_report_each_for_itself(works):
    for run in works.start_group({}, {}, report="each")["runs"]:
        works.do(run["run_id"])
    assert len(works.results()) == 2


def test_of_a_group_all_are_accepted_or_none(works):
    with pytest.raises(TakesMessagesError):
        works.start_group({}, {"worker": "bob"})
    assert works.list(state="all") == []


def test_one_more_run_joins_a_group_until_it_is_reported(works):
    answer = works.start_group({})
    more = works.start(join=answer["group"])["run_id"]
    works.do(answer["runs"][0]["run_id"])
    assert works.results() == []
    works.do(more)
    assert works.results()[0].row.subject == "2 of 2 runs completed"
    with pytest.raises(ConflictError, match="reported already"):
        works.start(join=answer["group"])
    with pytest.raises(NotFoundError):
        works.start("bob", join=answer["group"])


def test_a_merged_result_fits_into_a_message(works):
    answer = works.start_group(*[{} for _ in range(8)])
    for run in answer["runs"]:
        works.do(run["run_id"], output="x" * 65_536)
    (item,) = works.house.read("alice", max_bytes=300_000)
    size = len(item.row.body.encode())
    assert 150_000 < size <= 262_144


def test_a_parent_that_takes_its_run_back_is_told_and_not_woken(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    assert works.cancel(run_id, reason="changed my mind")["result"] == "stopping"
    assert works.alive(run_id)["cancel"]
    told = [row.data for row in works.house.log("run") if "claim" in row.data]
    assert told[-1]["state"] == "cancelled"
    assert works.end(run_id, "cancelled", reason="it was cancelled")["state"] == "cancelled"
    assert works.show(run_id)["reason"] == "cancelled by alice: changed my mind"
    assert works.cancel(run_id)["result"] == "already"
    assert works.house.open_wakes() == []
    assert len(works.results()) == 1


def test_a_parent_that_takes_a_whole_group_back_is_not_woken_for_it(works):
    for run in works.start_group({}, {})["runs"]:
        works.cancel(run["run_id"])
    assert works.house.open_wakes() == []
    assert works.results()[0].row.subject == "0 of 2 runs completed"


def test_what_is_wrong_with_one_of_several_says_with_which(works):
    with pytest.raises(RunIncompleteError, match=r"runs\[1\]: the run lacks 'cleanup'"):
        works.start_group({}, {"cleanup": None})


def test_a_run_that_completes_before_it_is_stopped_is_completed(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    works.cancel(run_id)
    assert works.end(run_id, "completed")["state"] == "completed"


def test_a_run_whose_node_does_not_say_that_it_stopped_is_cancelled_all_the_same(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    works.cancel(run_id, "pia")
    works.house.pass_time(31)
    assert works.state(run_id) == "cancelled"
    assert "did not say that it stopped" in works.show(run_id)["reason"]
    assert [wake["to_agent"] for wake in works.house.open_wakes()] == ["alice"]


def test_lists_show_each_reader_its_own(works):
    mine, other = works.start()["run_id"], works.start("bob", label="b")["run_id"]
    works.do(mine)
    assert works.list(state="all") == [mine]
    assert works.list(parent="me") == []
    assert works.list("bob") == [other]
    assert works.list("wim", state="all") == [other, mine]
    assert works.list("pia", state="all") == [other, mine]
    assert works.list("pia", state="completed") == [mine]
    assert works.list("pia", parent="bob") == [other]
    assert works.list("pia", worker="wim", state="all") == [other, mine]
    assert works.list("pia", state="all", after=other) == [mine]
    assert works.list("alice", worker="wim", state="all") == [mine]


def test_only_parent_and_worker_read_what_was_said(works):
    run_id = works.start()["run_id"]
    works.do(run_id, output="secret")
    assert "output" not in works.show(run_id, "pia")
    assert works.show(run_id, "wim")["output"] == "secret"
