"""What time does to runs: nobody's silence may leave a parent waiting for ever."""

from __future__ import annotations

from bus.runs import restoring
from bus.runs import service as runs
from bus.wakes import keeper
from bus.wakes import service as wakes


def test_a_run_whose_node_falls_silent_is_lost_and_its_parent_told(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    works.house.pass_time(59)
    assert works.state(run_id) == "working"
    works.house.pass_time(2)
    assert works.state(run_id) == "lost"
    assert "said nothing for 60 s" in works.results()[0].body


def test_a_lost_run_is_never_done_again_by_itself(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    works.house.pass_time(61)
    works.house.pass_time(3600)
    assert works.offered() == []
    assert len(works.results()) == 1


def test_a_heartbeat_keeps_a_run_up_to_its_limit_and_no_further(works):
    run_id = works.start(size="S")["run_id"]
    works.claim(run_id)
    for _ in range(11):
        works.house.pass_time(29)
        assert works.alive(run_id, turn_id="turn")["state"] == "working"
    works.house.pass_time(29)
    assert works.state(run_id) == "timed_out"
    assert works.alive(run_id) == {"state": "timed_out", "cancel": True, "lease_until": None}
    assert works.show(run_id)["turn_id"] == "turn"


def test_what_a_node_says_after_a_run_was_given_up_is_kept_and_moves_nothing(works):
    run_id = works.start()["run_id"]
    works.claim(run_id)
    works.house.pass_time(61)
    assert works.end(run_id, output="late work") == {"state": "lost", "already": True}
    shown = works.show(run_id)
    assert (shown["state"], shown["output"]) == ("lost", "late work")
    assert "its node said later: completed" in shown["reason"]
    assert [rung["state"] for rung in shown["ladder"]].count("lost") == 1
    assert len(works.results()) == 1


def test_a_run_that_nobody_claims_is_lost_with_the_reason(works):
    run_id = works.start()["run_id"]
    works.house.pass_time(3601)
    assert works.state(run_id) == "lost"
    assert "nobody claimed it within 3600 s" in works.results()[0].body


def test_an_unclaimed_run_is_offered_again_after_pauses_that_grow(works):
    works.start()
    for _ in range(60):
        works.house.pass_time(30)
    told = [row for row in works.house.log("run") if "claim" in row.data]
    assert 4 < len(told) < 12


def test_nothing_runs_out_while_the_bus_was_away(works):
    run_id, waiting = works.start()["run_id"], works.start(worker="will")["run_id"]
    works.claim(run_id)
    works.house.clock.advance(5000)
    works.house.store.write(wakes.spare)
    works.house.pass_time(1)
    assert [works.state(one) for one in (run_id, waiting)] == ["working", "queued"]
    works.house.pass_time(61)
    assert [works.state(one) for one in (run_id, waiting)] == ["timed_out", "lost"]


def test_nothing_waits_for_a_time_that_a_clock_put_back_had_set(works):
    run_id, waiting = works.start()["run_id"], works.start(worker="will")["run_id"]
    works.claim(run_id)
    works.house.clock.advance(-100_000)
    works.house.store.write(wakes.spare)
    works.house.pass_time(61)
    assert works.state(run_id) == "lost"
    works.house.pass_time(15_000)
    assert works.state(waiting) == "lost"


def test_after_a_restore_what_was_worked_on_is_lost_and_what_waited_is_offered_anew(works):
    working, waiting = works.start()["run_id"], works.start(label="two")["run_id"]
    works.claim(working)
    assert works.house.store.write(restoring.start_anew) == 1
    assert works.state(working) == "lost"
    assert works.offered() == [waiting]
    claim = works.claim(waiting)["claim"]
    assert claim > 1_000_000, "a claim that was made after the backup is fenced"
    assert works.end(waiting, claim=claim)["state"] == "completed"


def test_old_runs_go_with_their_ladders_texts_and_groups(works):
    answer = works.start_group({}, {})
    for run in answer["runs"]:
        works.do(run["run_id"])
    still = works.start()["run_id"]
    works.house.clock.advance(700_000)
    works.house.store.write(wakes.spare)
    works.house.store.write(keeper.keep_house)
    assert works.list(state="all") == [still]
    with works.house.store.read() as conn:
        for table, kept in (("run_groups", 0), ("run_texts", 1), ("runs", 1)):
            assert conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == kept


def test_who_asks_is_told_when_the_run_is_over_at_the_latest(works):
    run_id = works.start(size="S")["run_id"]
    assert works.show_with_pause(run_id)[1] == 420
    works.claim(run_id)
    works.house.clock.advance(100)
    assert 230 <= works.show_with_pause(run_id)[1] <= 300
    works.end(run_id)
    assert works.show_with_pause(run_id)[1] is None


def test_the_metrics_count_what_is_open(works):
    works.claim(works.start()["run_id"])
    works.start(label="two")
    with works.house.store.read() as conn:
        assert runs.count_open(conn) == {"working": 1, "queued": 1}
