"""Steering: stop what goes on, have it do more, and hear of runs where one talks."""

from __future__ import annotations

import pytest
from steeringhouse import steer_of

from bus.directory import service as directory
from bus.errors import InvalidRequestError


@pytest.fixture
def session_id(steering):
    return steering.create("pia", "paul", "ann", "ben")


@pytest.fixture
def works(steering):
    steering.write(lambda tx: directory.change(tx, "wim", {"node": "one"}))
    return steering


def mail_types(steering, name):
    return [item.row.type for item in steering.house.read(name, limit=50)]


def test_a_stop_cancels_the_runs_of_the_session_and_says_who_did(works, session_id):
    mine, other = works.dispatch("ann", session_id), works.dispatch("ben", session_id)
    apart = works.dispatch("ann", None)
    works.claim(mine)
    answer = works.steer("paul", session_id, "stop", "wrong boat")
    assert [(one["run_id"], one["result"]) for one in answer["runs"]] == [
        (mine, "stopping"),
        (other, "cancelled"),
    ]
    assert works.run_state(apart) == "queued"
    entry = works.entry("pia", session_id, answer["entry_id"])
    assert (entry["from"], entry["body"]) == ("paul", "wrong boat")
    assert entry["data"] == {"what": "stop", "runs": [mine, other]}
    results = [one for one in works.entries("pia", session_id) if one["kind"] == "result"]
    assert [one["data"]["run_id"] for one in results] == [other]
    assert "cancelled by paul" in results[0]["body"]


def test_a_stop_of_one_run_leaves_the_others_and_the_agents_alone(works, session_id):
    works.say("pia", session_id, "go on with both")
    mine, other = works.dispatch("ann", session_id), works.dispatch("ann", session_id)
    answer = works.steer("pia", session_id, "stop", run_id=mine)
    assert [one["run_id"] for one in answer["runs"]] == [mine]
    assert (answer["told"], answer["withdrawn"]) == ([], 0)
    assert works.run_state(other) == "queued"
    assert "STOP" not in mail_types(works, "ann")
    again = works.code_of(lambda: works.steer("pia", session_id, "stop", run_id=mine))
    assert again == "run_over"
    apart = works.dispatch("ann", None)
    outside = works.code_of(lambda: works.steer("pia", session_id, "stop", run_id=apart))
    assert outside == "not_found"


def test_a_stop_takes_back_what_was_not_read_and_wakes_nobody_who_did_nothing(steering, session_id):
    steering.say("pia", session_id, "paint it red")
    answer = steering.steer("pia", session_id, "stop")
    assert (answer["withdrawn"], answer["told"]) == (2, [])
    assert steering.house.read("ann") == []
    assert steering.bodies("ann", session_id)[-2] == "paint it red"
    assert steering.bodies("ann", session_id)[-1].startswith("Stop: ")


def test_an_agent_that_made_the_session_takes_back_its_own_words_alone(steering):
    session_id = steering.create("ann", "ben", "pia")
    steering.say("pia", session_id, "paint it red", "ben")
    steering.say("ann", session_id, "and blue", "ben")
    assert steering.steer("ann", session_id, "stop")["withdrawn"] == 1
    assert "paint it red" in [item.body for item in steering.house.read("ben")]


def test_an_agent_that_has_begun_is_told_urgently(steering, session_id):
    steering.say("pia", session_id, "paint it red")
    (begun,) = steering.house.read("ann")
    answer = steering.steer("pia", session_id, "stop", "not red")
    assert answer["told"] == ["ann"]
    (item,) = [one for one in steering.house.read("ann") if one.handle != begun.handle]
    assert (item.row.type, item.row.priority, item.body) == ("STOP", 0, "not red")
    assert steering.house.read("ben") == []


def test_an_agent_in_a_turn_is_told_though_it_has_acked_what_it_was_told(steering):
    session_id = steering.create("pia", "alice")
    steering.say("pia", session_id, "paint it red")
    (wake,) = steering.house.open_wakes()
    steering.house.report(wake["wake_id"], "received")
    steering.house.report(wake["wake_id"], "admitted", turn_id="t1")
    steering.mail_of("alice")
    assert steering.steer("pia", session_id, "stop")["told"] == ["alice"]
    (item,) = steering.house.read("alice")  # in the turn that goes on
    assert item.row.type == "STOP"


def test_also_reaches_the_turn_that_goes_on_else_a_wake_follows_it(steering):
    session_id = steering.create("pia", "alice", "bob")
    steering.say("pia", session_id, "paint it red", "alice")
    (wake,) = steering.house.open_wakes()
    steering.house.report(wake["wake_id"], "received")
    steering.house.report(wake["wake_id"], "admitted", turn_id="t1")
    steering.mail_of("alice")
    answer = steering.steer("pia", session_id, "also", "and the keel blue")
    assert answer["told"] == ["alice"]
    assert [one["wake_id"] for one in steering.house.open_wakes()] == [wake["wake_id"]]
    steering.house.report(wake["wake_id"], "ended", turn_id="t1")
    (after,) = steering.house.open_wakes()
    assert (after["to_agent"], after["pending"]["urgent"]) == ("alice", 1)
    (item,) = steering.house.read("alice")
    assert (item.row.type, item.body) == ("ALSO", "and the keel blue")
    steering.reply("alice", item, "blue it is")
    assert steering.bodies("pia", session_id)[-1] == "blue it is"


def test_where_nobody_is_at_work_also_is_said_as_any_word_of_a_person(steering, session_id):
    answer = steering.steer("pia", session_id, "also", "paint the mast")
    assert sorted(answer["told"]) == ["ann", "ben"]
    assert mail_types(steering, "ann") == ["ALSO"]


def test_one_agent_is_steered_by_name_by_its_entry_or_all_of_them(steering, session_id):
    assert steering.steer("pia", session_id, "stop", to=("Ben",))["told"] == ["ben"]
    assert steering.steer("pia", session_id, "stop", to="all")["told"] == ["ann", "ben"]
    said = steering.say("ann", session_id, "I begin")
    answer = steering.steer("pia", session_id, "stop", entry=said["entry_id"])
    assert answer["told"] == ["ann"]
    entry = steering.entry("pia", session_id, answer["entry_id"])
    assert entry["in_reply_to"] == said["entry_id"]
    wrong = steering.code_of(lambda: steering.steer("pia", session_id, "stop", to=("paul",)))
    assert wrong == "invalid_request"


def test_a_stop_of_one_agent_stops_its_runs_alone(works, session_id):
    mine, other = works.dispatch("ann", session_id), works.dispatch("ben", session_id)
    works.steer("pia", session_id, "stop", to=("ann",))
    assert (works.run_state(mine), works.run_state(other)) == ("cancelled", "queued")


def test_people_and_who_made_the_session_steer_and_nobody_else(works):
    session_id = works.create("ann", "ben", "pia")
    assert works.code_of(lambda: works.steer("ben", session_id, "stop")) == "forbidden"
    assert works.code_of(lambda: works.steer("cora", session_id, "stop")) == "not_found"
    assert works.code_of(lambda: works.steer("cat", session_id, "stop")) == "not_found"
    persons, own = works.dispatch("pia", session_id), works.dispatch("ann", session_id)
    named = works.code_of(lambda: works.steer("ann", session_id, "stop", run_id=persons))
    assert named == "forbidden"
    answer = works.steer("ann", session_id, "stop")
    assert [one["run_id"] for one in answer["runs"]] == [own]
    assert works.run_state(persons) == "queued"


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "also"},
        {"what": "also", "body": "more", "run_id": "r_1"},
        {"what": "stop", "to": ("all", "ann")},
        {"what": "stop", "to": ("ann",), "run_id": "r_1"},
    ],
)
def test_a_wrong_word_of_steering_is_refused_with_what_is_right(wrong):
    with pytest.raises(InvalidRequestError):
        steer_of(**wrong)


def test_the_end_of_a_persons_run_is_told_in_its_session_and_not_by_mail_too(works, session_id):
    run_id = works.dispatch("pia", session_id)
    works.claim(run_id)
    works.end_run(run_id, "three rows\nof data")
    entry = works.entries("paul", session_id)[-1]
    assert (entry["kind"], entry["from"]) == ("result", "wim")
    assert entry["body"] == "scrape: completed\n\nthree rows\nof data"
    assert (entry["data"]["run_id"], entry["data"]["state"]) == (run_id, "completed")
    assert works.house.read("pia") == []
    assert works.unread("pia", session_id) == works.unread("paul", session_id) == 1
    assert works.house.read("ann") == []


def test_an_agent_has_its_result_as_mail_and_need_not_read_it_twice(works, session_id):
    run_id = works.dispatch("ann", session_id)
    works.claim(run_id)
    works.end_run(run_id, "done")
    assert mail_types(works, "ann") == ["RESULT"]
    assert works.unread("ann", session_id) == 0
    assert works.entries("pia", session_id)[-1]["kind"] == "result"


def test_a_long_result_is_cut_in_the_session_and_says_so(works, session_id):
    run_id = works.dispatch("pia", session_id)
    works.claim(run_id)
    works.end_run(run_id, "x" * 20_000)
    body = works.entries("pia", session_id)[-1]["body"]
    assert len(body) < 8500
    assert body.endswith(f"(cut; all of it: bus run show {run_id})")


@pytest.mark.parametrize("how", ["closed", "left"])
def test_the_end_comes_as_mail_where_its_person_does_not_see_the_session_any_more(
    works, session_id, how
):
    run_id = works.dispatch("pia", session_id)
    works.claim(run_id)
    if how == "closed":
        works.change("paul", session_id, state="closed")
    else:
        works.leave("pia", session_id)
    works.end_run(run_id, "done")
    assert mail_types(works, "pia") == ["RESULT"]
    told = [one for one in works.entries("paul", session_id) if one["kind"] == "result"]
    assert len(told) == (how == "left")


def test_a_run_is_for_a_session_that_its_parent_is_in_and_that_is_open(works, session_id):
    outside = works.create("pia", "ben")
    assert works.code_of(lambda: works.dispatch("ann", outside)) == "not_found"
    works.change("pia", session_id, state="closed")
    assert works.code_of(lambda: works.dispatch("ann", session_id)) == "session_closed"


def test_a_workers_own_run_belongs_to_the_session_of_the_run_that_it_does(works, session_id):
    works.add("will", kind="worker")
    run_id = works.dispatch("ann", session_id)
    early = works.code_of(lambda: works.dispatch("wim", session_id, worker="will"))
    assert early == "forbidden"
    works.claim(run_id)
    works.dispatch("wim", session_id, worker="will")
    other = works.create("ann", "pia")
    assert works.code_of(lambda: works.dispatch("wim", other, worker="will")) == "not_found"
