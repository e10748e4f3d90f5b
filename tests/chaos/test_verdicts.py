"""The verdicts on messages and on runs say what is wrong: each is given a database that is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.chaos import fates, ledger
from tests.chaos.faults import Fault, Window
from tests.chaos.parents import Task
from tests.newdatabase import migrated

TASK = Task("k1", "ann", "wim", "answer", 0.0, "keep")


@pytest.fixture
def database(tmp_path):
    """A database with one message of key k1 that is acked."""
    path = tmp_path / "bus.db"
    path.write_bytes(migrated())
    with closing(sqlite3.connect(path)) as db, db:
        for name in ("ann", "ben"):
            row = {"name": name, "kind": "named", "created_ms": 1}
            fill(db, "participants", row)
        add_message(db, "m_1", "k1")
    return path


def fill(db, table, row):
    marks = ", ".join("?" for _ in row)
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def add_message(db, message_id, key, state="acked"):
    sent = {"id": message_id, "thread": "t", "hops": 0, "path": "[]", "sender_id": 1}
    sent |= {"trust": "agent", "type": "TASK", "body": f"chaos {key} silent -", "priority": 2}
    fill(db, "messages", sent | {"reply_expected": 0, "wake": 1, "created_ms": 1})
    delivery = {"message_id": message_id, "recipient_id": 2, "state": state, "priority": 2}
    number = db.execute("SELECT count(*) FROM deliveries").fetchone()[0] + 1
    ended = {"ended_ms": 2 if state in {"acked", "dead"} else None}
    fill(db, "deliveries", delivery | ended | {"id": number})
    fill(db, "ladder", {"delivery_id": number, "at_ms": 2, "state": state, "attempt": 1})


def test_the_verdict_on_messages_is_good_where_all_is_well(database):
    assert ledger.judge_fates(database, {"k1": "m_1"}).wrong == []


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("DELETE FROM messages", "accepted and lost"),
        ("UPDATE messages SET body = 'chaos k9 silent -'", "accepted and lost"),
        ("UPDATE ladder SET state = 'read'", "acked 0 times"),
        ("UPDATE deliveries SET state = 'dead'", "told 0 times"),
        ("UPDATE deliveries SET state = 'queued', ended_ms = NULL", "still open"),
    ],
)
def test_the_verdict_on_messages_says_what_is_wrong(database, done, said):
    with closing(sqlite3.connect(database)) as db, db:
        db.execute(done)
    assert said in "\n".join(ledger.judge_fates(database, {"k1": "m_1"}).wrong)


def test_the_verdict_finds_one_key_that_became_two_messages(database):
    with closing(sqlite3.connect(database)) as db, db:
        add_message(db, "m_2", "k1")
    assert "more than one message" in ledger.judge_fates(database, {"k1": "m_1"}).wrong[0]


@pytest.fixture
def done(database):
    """A database with one run of key k1 that was completed, told and acked."""
    with closing(sqlite3.connect(database)) as db, db:
        fill(db, "participants", {"name": "wim", "kind": "worker", "created_ms": 1})
        add_run(db, 1, "r_1", "k1")
        tell_result(db, "r_1")
    return database


def add_run(db, place, run_id, key):
    run = {"place": place, "id": run_id, "parent_id": 1, "worker_id": 3, "depth": 1, "thread": "t"}
    run |= {"hops": 0, "path": "[]", "label": key, "limit_s": 60, "cleanup": "keep", "output": key}
    run |= {"notify": "done_only", "created_ms": 1, "claimed_ms": 500, "ended_ms": 2001}
    fill(db, "runs", run | {"state": "completed"})
    fill(db, "run_texts", {"place": place, "task": f"chaos {key} answer 0.0\n\nWrite a file."})
    for state in ("submitted", "queued", "working", "completed"):
        fill(db, "run_ladder", {"place": place, "at_ms": 2, "state": state})
        data = json.dumps({"run_id": run_id, "state": state})
        fill(db, "log", {"at_ms": 2, "kind": "run", "participant_id": 1, "data": data})


def tell_result(db, run_id):
    """Write a result from wim to ann that she has acked."""
    number = db.execute("SELECT count(*) FROM deliveries").fetchone()[0] + 1
    sent = {"id": f"m_r{number}", "thread": "t", "hops": 0, "path": "[]", "sender_id": 3}
    sent |= {"trust": "agent", "type": "RESULT", "body": f"Run {run_id} k1 by wim: completed"}
    fill(db, "messages", sent | {"priority": 2, "reply_expected": 0, "wake": 1, "created_ms": 1})
    row = {"id": number, "message_id": sent["id"], "recipient_id": 1, "state": "acked"}
    fill(db, "deliveries", row | {"priority": 2, "ended_ms": 3})
    fill(db, "ladder", {"delivery_id": number, "at_ms": 2, "state": "acked", "attempt": 1})


def judge(database, executed=1, accepted=None, task=TASK):
    verdict, _ = fates.judge_runs(database, accepted or {"k1": "r_1"}, [task], {"r_1": executed})
    return "\n".join(verdict.wrong)


def test_the_verdict_on_runs_is_good_where_all_is_well(done):
    assert judge(done) == ""


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("DELETE FROM run_texts", "accepted and lost"),
        ("UPDATE run_ladder SET state = 'lost' WHERE state = 'working'", "has the ends"),
        ("UPDATE run_ladder SET state = 'working' WHERE state = 'completed'", "has the ends []"),
        ("DELETE FROM log", "streams have the ends []"),
        ("UPDATE runs SET state = 'lost'", "has the ends ['completed']"),
        ("UPDATE runs SET state = 'working', ended_ms = NULL", "that cannot come of"),
        ("UPDATE runs SET state = 'failed'", "nothing of that was broken"),
        ("DELETE FROM messages WHERE type = 'RESULT'", "its results are []"),
        ("UPDATE messages SET sender_id = 2", "its results are"),
        ("UPDATE deliveries SET state = 'leased', ended_ms = NULL", "its results are"),
        ("UPDATE ladder SET state = 'read'", "its results are"),
        ("UPDATE log SET participant_id = 2 WHERE kind = 'run'", "streams have the ends [('ben'"),
        ("UPDATE deliveries SET recipient_id = 2", "its results are"),
    ],
)
def test_the_verdict_on_runs_says_what_is_wrong(done, broken, said):
    with closing(sqlite3.connect(done)) as db, db:
        db.execute(broken)
    assert said in judge(done)


def test_the_verdict_finds_a_second_result(done):
    with closing(sqlite3.connect(done)) as db, db:
        tell_result(db, "r_1")
    assert "its results are" in judge(done)


def test_the_verdict_finds_a_run_that_was_executed_twice_or_never(done):
    assert judge(done, executed=2).endswith("it was executed 2 times")
    assert judge(done, executed=0).endswith("nothing was executed")


def test_the_verdict_finds_one_key_that_became_two_runs(done):
    with closing(sqlite3.connect(done)) as db, db:
        add_run(db, 2, "r_2", "k1")
    assert "more than one run" in judge(done)


def test_the_verdict_finds_an_end_that_the_task_cannot_come_to(done):
    hanging = Task("k1", "ann", "wim", "hang", 600.0, "keep")
    assert "that cannot come of hang" in judge(done, task=hanging)


def test_a_run_is_counted_with_the_faults_that_were_felt_while_it_was_at_work(done):
    runs = fates.read_fates(done).runs
    faults = [
        Fault(1, "bus killed", "bus", 0),
        Fault(1, "cut", "node1", 1),
        Fault(1, "cut", "node2", 1),
    ]
    met = fates.count_met([Window(one, 1000, 1500) for one in faults], runs, {"wim": "node2"})
    assert met == {"bus killed": {"completed": 1}, "cut": {"completed": 1}}
    late = fates.count_met([Window(faults[0], 2500, 3000)], runs, {"wim": "node2"})
    assert late == {"bus killed": {}}
