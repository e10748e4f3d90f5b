"""Broken on purpose, as far as minutes allow; `make chaos` is the same at length."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from tests.chaos import faults, ledger, storm
from tests.chaos.deaths import run_deaths
from tests.chaos.senders import write_letters
from tests.chaos.victims import killable_machine, killable_process

KILLS, CUTS = 5, 2


@pytest.mark.lab
@pytest.mark.timeout(450)
def test_no_message_is_lost_or_left_while_nodes_and_bus_are_cut_frozen_and_killed(tmp_path, lab):
    outcome = storm.run_storm(storm.SHORT, tmp_path)
    print(*outcome.lines, sep="\n")
    assert not outcome.verdict.wrong
    assert outcome.verdict.counts["accepted"] == storm.SHORT.messages


def test_a_bus_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path):
    with killable_process(tmp_path) as victim:
        result = run_deaths(victim, KILLS, 1, tmp_path)
    print(result)
    assert not result.wrong
    assert result.counts["databases found sound"] == KILLS + 1


@pytest.mark.lab
def test_a_bus_whose_power_is_cut_loses_and_doubles_nothing(tmp_path, lab):
    with killable_machine(tmp_path) as victim:
        result = run_deaths(victim, CUTS, 1, tmp_path)
    print(result)
    assert not result.wrong
    assert result.counts["databases found sound"] == CUTS + 1


def test_the_same_seed_breaks_the_same_things_and_sends_the_same_letters():
    def plan(seed):
        hosts = [f"node{number}" for number in range(1, 10)]
        broken = faults.make_plan(seed, storm.LONG.faults, 2000, hosts, ["node3"], 40)
        return broken, write_letters(random.Random(seed), ["a", "b", "c", "d"], 50)

    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


@pytest.fixture
def database(made_data, tmp_path):
    """A database with one message of key k1 that is acked, and its ledger."""
    path = tmp_path / "bus.db"
    path.write_bytes((made_data / "bus.db").read_bytes())
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


def test_the_verdict_is_good_where_all_is_well(database):
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
def test_the_verdict_says_what_is_wrong(database, done, said):
    with closing(sqlite3.connect(database)) as db, db:
        db.execute(done)
    assert said in "\n".join(ledger.judge_fates(database, {"k1": "m_1"}).wrong)


def test_the_verdict_finds_one_key_that_became_two_messages(database):
    with closing(sqlite3.connect(database)) as db, db:
        add_message(db, "m_2", "k1")
    assert "more than one message" in ledger.judge_fates(database, {"k1": "m_1"}).wrong[0]
